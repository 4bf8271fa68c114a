# Each credential with the examples, run in the same way as a user does, from Entra through the gateway to the Patients.
# shellcheck shell=bash disable=SC2153 # APP_ID and others are set by lib/case.sh

# expect_fhir_access CREDENTIAL NAME [APP]: the credential gets a token for the app, which the gateway accepts. In a chain,
# the token comes from the member NAME.
expect_fhir_access() {
  local token app
  run_without_secrets access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential "$1"
  token=$(<"$CASE/out")
  app=$(jq -rR 'split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | @base64d | fromjson.appid' <<<"$token")
  [[ $app == "${3:-$APP_ID}" ]] || fail "the token is for $app"
  run_without_secrets fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential "$1"
  expect_json 'any(.entry[].resource; .resourceType == "Patient" and .id == "synthetic-1")'
  [[ -z $2 ]] || expect_line err "^token from +$2\$"
}

# run_without_secrets EXAMPLE ARGUMENT...: the example succeeds and logs no token or secret
run_without_secrets() {
  example "$@"
  expect_status 0
  expect_no_secret
}

# expect_two_entra_requests ROUTE SCOPE: Entra received exactly these, for example one for each program of
# expect_fhir_access
expect_two_entra_requests() {
  local line="$1 $2"
  [[ $(entra_requests) == "$line"$'\n'"$line" ]] || fail "unexpected requests to Entra: $(entra_requests)"
}

V2=/$TENANT_ID/oauth2/v2.0/token
V1=/$TENANT_ID/oauth2/token

case_client_secret_opens_both_services() {
  use_client_secret
  expect_fhir_access env 'client secret'
  expect_two_entra_requests "$V2" "$FHIR_RESOURCE/.default"
  run_without_secrets dicom_changefeed "$DICOM_URL/v2" --credential env
  expect_json 'length >= 2'
  [[ $(entra_requests | tail -n 1) == "$V2 $DICOM_RESOURCE/.default" ]] || fail "$(entra_requests)"
}

case_workload_identity_opens_fhir() {
  use_workload_identity
  expect_fhir_access env 'workload identity'
  expect_two_entra_requests "$V2" "$FHIR_RESOURCE/.default"
}

case_managed_identity_of_app_service_opens_fhir() {
  use_app_service "$CLIENT_SECRET"
  expect_fhir_access managed-identity 'managed identity' "$CLIENT_ID"
  expect_fhir_access env 'managed identity' "$CLIENT_ID"
}

case_user_assigned_identity_of_app_service_opens_fhir() {
  use_app_service "$CLIENT_SECRET"
  export AZURE_CLIENT_ID=$APP_ID
  expect_fhir_access managed-identity 'managed identity'
  expect_two_entra_requests /msi/token "$FHIR_RESOURCE"
}

case_managed_identity_of_machine_opens_fhir() {
  use_imds
  expect_fhir_access managed-identity 'managed identity' "$CLIENT_ID"
  # In a chain, it is probed first.
  expect_fhir_access env 'managed identity' "$CLIENT_ID"
}

case_user_assigned_identity_of_machine_opens_fhir() {
  use_imds
  export AZURE_CLIENT_ID=$APP_ID
  expect_fhir_access managed-identity 'managed identity'
  expect_two_entra_requests /metadata/identity/oauth2/token "$FHIR_RESOURCE"
}

case_azure_cli_opens_fhir() {
  sign_in
  expect_fhir_access cli 'Azure CLI'
  expect_fhir_access env 'Azure CLI'
}

case_azure_cli_uses_given_tenant() {
  sign_in
  start_driver "$FHIR_URL" "cli:$TENANT_ID"
  send_command get
  expect_reply '^ok 200'
  [[ $(tail -n 1 "$AZ_LOG") == *" --tenant $TENANT_ID" ]] || fail "$(<"$AZ_LOG")"
}

case_azure_powershell_opens_fhir() {
  use_other_tools "$APP_ID"
  expect_fhir_access powershell 'Azure PowerShell'
  expect_two_entra_requests "$V1" "$FHIR_RESOURCE"
}

case_azure_developer_cli_opens_fhir() {
  use_other_tools "$APP_ID"
  expect_fhir_access azd 'Azure Developer CLI'
  expect_two_entra_requests "$V1" "$FHIR_RESOURCE"
}

case_static_token_opens_fhir() {
  sign_in
  AZURE_HEALTHCARE_TOKEN=$(az_token "$FHIR_RESOURCE")
  export AZURE_HEALTHCARE_TOKEN
  expect_fhir_access static ''
  [[ $(az_token_calls) == 1 ]] || fail "another token was requested"
}

# Chains: az is the first of the developer tools

# expect_azure_powershell [PATH]: the chain of developer tools uses Azure PowerShell and calls no later member
expect_azure_powershell() {
  PATH=${1:-$PATH} example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_status 0
  expect_line err "^token from +Azure PowerShell\$"
  [[ $(<"$TOOL_LOG") == pwsh ]] || fail "unexpected calls: $(<"$TOOL_LOG")"
}

case_chain_continues_after_missing_az() {
  use_other_tools "$APP_ID"
  expect_azure_powershell "$HERE/parts/tools"
  [[ ! -s $AZ_LOG ]] || fail "az was called"
}

case_chain_continues_after_az_without_account() {
  use_other_tools "$APP_ID"
  expect_azure_powershell
  [[ $(az_token_calls) == 1 ]] || fail "az was called $(az_token_calls) times"
}

case_chain_stops_if_entra_rejects_az() {
  use_other_tools "$APP_ID"
  sign_in
  entra_app secret='"rotated"'
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_error 'Azure CLI: .*AADSTS7000215'
  [[ ! -s $TOOL_LOG ]] || fail "the chain continued: $(<"$TOOL_LOG")"
}

# Azure CLI suggests "az login" here too, as it does if no account is signed in.
case_chain_stops_if_az_requires_multi_factor_authentication() {
  use_other_tools "$APP_ID"
  az login --use-device-code --tenant "$TENANT_ID" --allow-no-subscriptions --skip-subscription-discovery -o none
  example access_token "$FHIR_URL" --resource https://requires-mfa.example
  expect_error 'Azure CLI: .*AADSTS50076.*az login'
  [[ ! -s $TOOL_LOG ]] || fail "the chain continued: $(<"$TOOL_LOG")"
}

case_chain_reports_error_of_each_member() {
  use_other_tools
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_error 'Azure CLI: .*az login.*; Azure PowerShell: .*Connect-AzAccount.*; Azure Developer CLI: .*azd auth login'
}

# A token that the service rejects before its reported expiry

case_rejected_token_of_client_secret_is_replaced() {
  use_client_secret
  entra_app lifetime=2 reported_lifetime=3600
  start_driver "$FHIR_URL" env
  send_command get
  expect_reply '^ok 200'
  entra_app lifetime=3600
  sleep 4
  send_command get
  expect_reply '^ok 200'
  expect_two_entra_requests "$V2" "$FHIR_RESOURCE/.default"
  send_command get
  expect_reply '^ok 200'
  expect_two_entra_requests "$V2" "$FHIR_RESOURCE/.default"
}
