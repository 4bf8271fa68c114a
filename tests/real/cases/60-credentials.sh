# Every way to a token, by the examples as a user runs them: from Entra, through the gateway, to the Patients.
# shellcheck shell=bash disable=SC2153 # APP_ID and the like are those of lib/case.sh

# opens_fhir WHICH NAME [APP]: that credential's token is for that app and is let in; NAME has answered, if it is a chain
opens_fhir() {
  local token app
  without_secrets access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential "$1"
  token=$(<"$CASE/out")
  app=$(jq -rR 'split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | @base64d | fromjson.appid' <<<"$token")
  [[ $app == "${3:-$APP_ID}" ]] || fail "a token of $app"
  without_secrets fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential "$1"
  expect_json 'any(.entry[].resource; .resourceType == "Patient" and .id == "synthetic-1")'
  [[ -z $2 ]] || expect_line err "^token from +$2\$"
}

# without_secrets EXAMPLE ARGUMENT...: it succeeds, and says neither a token nor a secret
without_secrets() {
  example "$@"
  expect_status 0
  ! grep -qE 'eyJ|-secret' "$CASE/err" || fail "a secret on standard error: $(<"$CASE/err")"
}

# entra_was_asked ROUTE SCOPE: twice, for opens_fhir has run two programs, and for nothing else
entra_was_asked() {
  local line="$1 $2"
  [[ $(entra_log) == "$line"$'\n'"$line" ]] || fail "Entra was asked otherwise: $(entra_log)"
}

V2=/$TENANT_ID/oauth2/v2.0/token
V1=/$TENANT_ID/oauth2/token

case_a_client_secret_opens_both_services() {
  client_secret
  opens_fhir env 'client secret'
  entra_was_asked "$V2" "$FHIR_RESOURCE/.default"
  without_secrets dicom_changefeed "$DICOM_URL/v2" --credential env
  expect_json 'length >= 2'
  [[ $(entra_log | tail -n 1) == "$V2 $DICOM_RESOURCE/.default" ]] || fail "$(entra_log)"
}

case_a_workload_identity_opens_fhir() {
  workload_identity
  opens_fhir env 'workload identity'
  entra_was_asked "$V2" "$FHIR_RESOURCE/.default"
}

case_the_managed_identity_of_app_service_opens_fhir() {
  app_service "$CLIENT_SECRET"
  opens_fhir managed-identity 'managed identity' "$CLIENT_ID"
  opens_fhir env 'managed identity' "$CLIENT_ID"
}

case_a_user_assigned_identity_of_app_service_opens_fhir() {
  app_service "$CLIENT_SECRET"
  export AZURE_CLIENT_ID=$APP_ID
  opens_fhir managed-identity 'managed identity'
  entra_was_asked /msi/token "$FHIR_RESOURCE"
}

case_the_managed_identity_of_a_machine_opens_fhir() {
  imds
  opens_fhir managed-identity 'managed identity' "$CLIENT_ID"
  # Among others it is looked for before it is asked.
  opens_fhir env 'managed identity' "$CLIENT_ID"
}

case_a_user_assigned_identity_of_a_machine_opens_fhir() {
  imds
  export AZURE_CLIENT_ID=$APP_ID
  opens_fhir managed-identity 'managed identity'
  entra_was_asked /metadata/identity/oauth2/token "$FHIR_RESOURCE"
}

case_azure_cli_opens_fhir() {
  sign_in
  opens_fhir cli 'Azure CLI'
  opens_fhir env 'Azure CLI'
}

case_azure_cli_is_asked_for_the_tenant_that_is_named() {
  sign_in
  driver "$FHIR_URL" "cli:$TENANT_ID"
  tell get
  answer '^ok 200'
  [[ $(tail -n 1 "$AZ_LOG") == *" --tenant $TENANT_ID" ]] || fail "$(<"$AZ_LOG")"
}

case_azure_powershell_opens_fhir() {
  tools "$APP_ID"
  opens_fhir powershell 'Azure PowerShell'
  entra_was_asked "$V1" "$FHIR_RESOURCE"
}

case_azure_developer_cli_opens_fhir() {
  tools "$APP_ID"
  opens_fhir azd 'Azure Developer CLI'
  entra_was_asked "$V1" "$FHIR_RESOURCE"
}

case_a_token_at_hand_opens_fhir() {
  sign_in
  AZURE_HEALTHCARE_TOKEN=$(token "$FHIR_RESOURCE")
  export AZURE_HEALTHCARE_TOKEN
  opens_fhir static ''
  [[ $(tokens_asked_of_az) == 1 ]] || fail "another token was asked for"
}

# ----- several: az is the first of the developer tools

# developer_tools_open_fhir [PATH]: Azure PowerShell does, and nobody behind it is asked
developer_tools_open_fhir() {
  PATH=${1:-$PATH} example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_status 0
  expect_line err "^token from +Azure PowerShell\$"
  [[ $(<"$TOOL_LOG") == pwsh ]] || fail "called: $(<"$TOOL_LOG")"
}

case_a_chain_goes_on_from_an_az_that_is_not_there() {
  tools "$APP_ID"
  developer_tools_open_fhir "$HERE/parts/tools"
  [[ ! -s $AZ_LOG ]] || fail "az was there"
}

case_a_chain_goes_on_from_an_az_that_nobody_is_signed_in_to() {
  tools "$APP_ID"
  developer_tools_open_fhir
  [[ $(tokens_asked_of_az) == 1 ]] || fail "az was asked $(tokens_asked_of_az) times"
}

case_a_chain_stops_at_an_az_that_entra_refused() {
  tools "$APP_ID"
  sign_in
  entra_app secret='"rotated"'
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  refused 'Azure CLI: .*AADSTS7000215'
  [[ ! -s $TOOL_LOG ]] || fail "went on to: $(<"$TOOL_LOG")"
}

# Azure CLI says "az login" here as well as where nobody is signed in.
case_a_chain_stops_at_an_az_whose_user_has_to_prove_more() {
  tools "$APP_ID"
  az login --use-device-code --tenant "$TENANT_ID" --allow-no-subscriptions --skip-subscription-discovery -o none
  example access_token "$FHIR_URL" --resource https://more-proof.example
  refused 'Azure CLI: .*AADSTS50076.*az login'
  [[ ! -s $TOOL_LOG ]] || fail "went on to: $(<"$TOOL_LOG")"
}

case_a_chain_tells_what_each_of_its_members_said() {
  tools
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  refused 'Azure CLI: .*az login.*; Azure PowerShell: .*Connect-AzAccount.*; Azure Developer CLI: .*azd auth login'
}

# ----- a token that the service refuses although it seems to live

case_a_refused_token_of_a_client_secret_is_replaced() {
  client_secret
  entra_app life=2 told_life=3600
  driver "$FHIR_URL" env
  tell get
  answer '^ok 200'
  entra_app life=3600
  sleep 4
  tell get
  answer '^ok 200'
  entra_was_asked "$V2" "$FHIR_RESOURCE/.default"
  tell get
  answer '^ok 200'
  entra_was_asked "$V2" "$FHIR_RESOURCE/.default"
}
