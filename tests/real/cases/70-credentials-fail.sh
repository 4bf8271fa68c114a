# What is said where a credential gives no token, and how soon: the cause, what to do, no secret, and not much later than
# it is known.
# shellcheck shell=bash disable=SC2153 # APP_ID and the like are those of lib/case.sh

UNKNOWN_TENANT=99999999-0000-4000-8000-000000000000

# tells WHICH SECONDS PATTERN...: without a token by that credential, it says all of that within that time
tells() {
  example access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential "$1"
  refused "${@:3}"
  ! grep -qE 'eyJ|-secret' "$CASE/err" || fail "a secret on standard error: $(<"$CASE/err")"
  ((TOOK < $2 * 1000)) || fail "it took $TOOK ms: $(<"$CASE/err")"
}

entra_was_not_asked() {
  [[ -z $(entra_log) ]] || fail "Entra was asked: $(entra_log)"
}

# What Entra answered to the case's app: one status a line.
entra_statuses() {
  curl -sSf "$ENTRA_HTTP/log?client_id=$APP_ID" | jq -r '.[].status'
}

# ----- Entra says no

case_a_wrong_secret_is_told() {
  client_secret wrong
  tells env 5 AADSTS7000215
  [[ $(entra_statuses) == 401 ]] || fail "asked again: $(entra_statuses)"
  example doctor "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential env --json
  expect_status 1
  expect_json '.steps[-1] | .step == "token" and .status == "FAIL" and (.detail | contains("AADSTS7000215"))'
}

case_an_unknown_tenant_is_told() {
  client_secret
  export AZURE_TENANT_ID=$UNKNOWN_TENANT
  tells env 5 "AADSTS90002.*$UNKNOWN_TENANT"
}

case_an_assertion_for_another_app_is_told() {
  workload_identity "$CLIENT_ID"
  tells env 5 AADSTS700213
}

case_a_token_file_that_is_not_there_is_told() {
  workload_identity
  rm "$AZURE_FEDERATED_TOKEN_FILE"
  tells env 5 "$AZURE_FEDERATED_TOKEN_FILE"
  entra_was_not_asked
}

case_a_wrong_identity_header_is_told() {
  app_service wrong
  tells managed-identity 5 'managed identity: .*X-IDENTITY-HEADER'
}

case_azure_cli_tells_that_entra_refused() {
  sign_in
  entra_app secret='"rotated"'
  tells cli 30 AADSTS7000215
}

case_azure_cli_tells_that_a_tenant_is_unknown() {
  sign_in
  driver "$FHIR_URL" "cli:$UNKNOWN_TENANT"
  tell get
  answer "^err Credential: .*$UNKNOWN_TENANT"
}

case_the_other_tools_tell_that_entra_refused() {
  tools "$APP_ID"
  entra_app secret='"rotated"'
  tells powershell 5 AADSTS7000215
  tells azd 5 AADSTS7000215
}

# ----- nobody is there to ask

case_tools_that_nobody_is_signed_in_to_are_told() {
  tools
  tells cli 30 'az login'
  tells powershell 5 Connect-AzAccount
  tells azd 5 'azd auth login'
  entra_was_not_asked
}

case_tools_that_are_not_installed_are_told() {
  local which said
  mkdir "$CASE/empty"
  while read -r which said; do
    PATH=$CASE/empty example access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential "$which"
    refused "$said"
  done <<<'cli az not found on PATH
powershell PowerShell was not found: install PowerShell 7
azd azd not found on PATH'
}

case_a_machine_without_an_identity_is_told() {
  # One that only just starts has not begun to listen: it is waited for.
  tells managed-identity 25 'managed identity: 169.254.169.254 gave no token within 15 s: .*refused'
  export IDENTITY_ENDPOINT=http://127.0.0.1:9/msi/token IDENTITY_HEADER=$APP_SECRET
  tells managed-identity 15 'managed identity: .*refused'
}

# ----- Entra cannot be asked

# Its error took `azure_identity` 82 s.
case_an_untrusted_certificate_is_told_at_once() {
  client_secret
  unset SSL_CERT_FILE
  tells env 15 'client secret: .*localhost.*certificate.*UnknownIssuer'
  unset AZURE_CLIENT_SECRET
  workload_identity
  unset SSL_CERT_FILE
  tells env 15 'workload identity: .*localhost.*certificate.*UnknownIssuer'
  entra_was_not_asked
}

case_azure_cli_tells_an_untrusted_certificate() {
  sign_in
  unset REQUESTS_CA_BUNDLE
  tells cli 60 'CERTIFICATE_VERIFY_FAILED'
}

case_an_entra_that_is_not_there_is_told() {
  client_secret
  export AZURE_AUTHORITY_HOST=https://localhost:9
  tells env 15 'localhost cannot be asked: .*refused'
}

case_an_entra_that_answers_503_is_told() {
  client_secret
  entra_app status=503
  tells env 15 'localhost answered 503'
  # It tried more than once.
  (($(entra_statuses | wc -l) > 1)) || fail "asked once"
}

# Azure CLI is another identity than the machine's.
case_a_machine_that_answers_503_is_told_and_nobody_else_is_asked() {
  imds
  sign_in
  export AZURE_CLIENT_ID=$APP_ID
  entra_app status=503
  tells env 25 'managed identity: 169.254.169.254 gave no token within 15 s: it answered 503'
  [[ $(tokens_asked_of_az) == 0 ]] || fail "went on to Azure CLI"
}

case_an_entra_that_answers_503_and_then_well_is_waited_for() {
  client_secret
  entra_app status=503
  {
    until [[ -n $(entra_statuses) ]]; do sleep 0.1; done
    entra_app status=200
  } &
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential env
  expect_status 0
  [[ $(entra_statuses | uniq | paste -sd ' ') == "503 200" ]] || fail "Entra answered $(entra_statuses)"
}

case_a_slow_entra_is_waited_for_and_one_that_hangs_is_told() {
  client_secret
  entra_app delay=4
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential env
  expect_status 0
  ((TOOK > 4000)) || fail "Entra was not slow"
  entra_app delay=60
  tells env 25 'localhost gave no token within 15 s: no answer'
}

# ----- before anybody is asked

case_half_set_variables_are_told() {
  local name
  client_secret
  for name in AZURE_TENANT_ID AZURE_CLIENT_ID; do
    (unset "$name" && tells env 2 "AZURE_CLIENT_SECRET is set and $name is not")
  done
  unset AZURE_CLIENT_SECRET
  (IDENTITY_HEADER=x && export IDENTITY_HEADER && tells env 2 'IDENTITY_HEADER is set and IDENTITY_ENDPOINT is not')
  (AZURE_TOKEN_CREDENTIALS=EnvironmentCredential && export AZURE_TOKEN_CREDENTIALS && tells env 2 AZURE_CLIENT_SECRET)
  entra_was_not_asked
}

case_an_authority_of_another_cloud_is_told() {
  client_secret
  export AZURE_AUTHORITY_HOST=https://login.microsoftonline.us
  tells env 2 'another cloud than login.microsoftonline.us.* set AZURE_AUTHORITY_HOST to https://login.microsoftonline.com'
  unset AZURE_AUTHORITY_HOST
  FHIR_RESOURCE=https://contoso-records.fhir.azurehealthcareapis.us
  tells env 2 'another cloud than login.microsoftonline.com.* set AZURE_AUTHORITY_HOST to https://login.microsoftonline.us'
}

case_a_token_at_hand_that_is_no_good_is_told() {
  entra_app life=-120
  sign_in
  AZURE_HEALTHCARE_TOKEN=$(token "$FHIR_RESOURCE")
  export AZURE_HEALTHCARE_TOKEN
  tells static 2 'expired'
  AZURE_HEALTHCARE_TOKEN=opaque
  tells static 2 'has no .exp. claim'
  unset AZURE_HEALTHCARE_TOKEN
  example access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential static
  expect_status 2
  expect_line err 'AZURE_HEALTHCARE_TOKEN is not set'
}
