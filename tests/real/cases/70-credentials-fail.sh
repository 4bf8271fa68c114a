# Errors of credentials: they name the cause and what to do, contain no secret, and appear soon after the cause is known.
# shellcheck shell=bash disable=SC2153 # APP_ID and others are set by lib/case.sh

UNKNOWN_TENANT=99999999-0000-4000-8000-000000000000

# expect_no_token CREDENTIAL SECONDS PATTERN...: the request for a token fails within that time, and the error matches all
# patterns
expect_no_token() {
  example access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential "$1"
  expect_error "${@:3}"
  expect_no_secret
  ((ELAPSED_MS < $2 * 1000)) || fail "it took $ELAPSED_MS ms: $(<"$CASE/err")"
}

expect_no_entra_requests() {
  [[ -z $(entra_requests) ]] || fail "unexpected requests to Entra: $(entra_requests)"
}

# Prints the statuses that Entra returned to the case's app, one per line.
entra_statuses() {
  curl -sSf "$ENTRA_HTTP/log?client_id=$APP_ID" | jq -r '.[].status'
}

# Entra rejects the request

case_wrong_secret_is_reported() {
  use_client_secret wrong
  expect_no_token env 5 AADSTS7000215
  [[ $(entra_statuses) == 401 ]] || fail "unexpected retries: $(entra_statuses)"
  example doctor "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential env --json
  expect_status 1
  expect_json '.steps[-1] | .step == "token" and .status == "FAIL" and (.detail | contains("AADSTS7000215"))'
}

case_unknown_tenant_is_reported() {
  use_client_secret
  export AZURE_TENANT_ID=$UNKNOWN_TENANT
  expect_no_token env 5 "AADSTS90002.*$UNKNOWN_TENANT"
}

case_assertion_of_other_app_is_reported() {
  use_workload_identity "$CLIENT_ID"
  expect_no_token env 5 AADSTS700213
}

case_missing_token_file_is_reported() {
  use_workload_identity
  rm "$AZURE_FEDERATED_TOKEN_FILE"
  expect_no_token env 5 "$AZURE_FEDERATED_TOKEN_FILE"
  expect_no_entra_requests
}

case_wrong_identity_header_is_reported() {
  use_app_service wrong
  expect_no_token managed-identity 5 'managed identity: .*X-IDENTITY-HEADER'
}

case_azure_cli_reports_rejection_by_entra() {
  sign_in
  entra_app secret='"rotated"'
  expect_no_token cli 30 AADSTS7000215
}

case_azure_cli_reports_unknown_tenant() {
  sign_in
  start_driver "$FHIR_URL" "cli:$UNKNOWN_TENANT"
  send_command get
  expect_reply "^err Credential: .*$UNKNOWN_TENANT"
}

case_other_tools_report_rejection_by_entra() {
  use_other_tools "$APP_ID"
  entra_app secret='"rotated"'
  expect_no_token powershell 5 AADSTS7000215
  expect_no_token azd 5 AADSTS7000215
}

# The credential is unavailable

case_tools_without_account_are_reported() {
  use_other_tools
  expect_no_token cli 30 'az login'
  expect_no_token powershell 5 Connect-AzAccount
  expect_no_token azd 5 'azd auth login'
  expect_no_entra_requests
}

case_missing_tools_are_reported() {
  local credential expected
  mkdir "$CASE/empty"
  while read -r credential expected; do
    PATH=$CASE/empty example access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential "$credential"
    expect_error "$expected"
  done <<<'cli az not found on PATH
powershell PowerShell was not found: install PowerShell 7
azd azd not found on PATH'
}

case_machine_without_identity_is_reported() {
  # The connection is retried, because the service of a machine that has just started may not listen yet.
  expect_no_token managed-identity 25 'managed identity: 169.254.169.254 returned no token within 15 s \(last attempt: .*refused'
  export IDENTITY_ENDPOINT=http://127.0.0.1:9/msi/token IDENTITY_HEADER=$APP_SECRET
  expect_no_token managed-identity 15 'managed identity: .*refused'
}

# Entra is unreachable or fails

# `azure_identity` alone retried for 82 s.
case_untrusted_certificate_is_reported_without_retries() {
  use_client_secret
  unset SSL_CERT_FILE
  expect_no_token env 15 'client secret: .*localhost.*certificate.*UnknownIssuer'
  unset AZURE_CLIENT_SECRET
  use_workload_identity
  unset SSL_CERT_FILE
  expect_no_token env 15 'workload identity: .*localhost.*certificate.*UnknownIssuer'
  expect_no_entra_requests
}

case_azure_cli_reports_untrusted_certificate() {
  sign_in
  unset REQUESTS_CA_BUNDLE
  expect_no_token cli 60 'CERTIFICATE_VERIFY_FAILED'
}

case_unreachable_entra_is_reported() {
  use_client_secret
  export AZURE_AUTHORITY_HOST=https://localhost:9
  expect_no_token env 15 'request to localhost failed: .*refused'
}

case_entra_returning_503_is_reported() {
  use_client_secret
  entra_app status=503
  expect_no_token env 15 'localhost returned HTTP status 503'
  # The request is retried.
  (($(entra_statuses | wc -l) > 1)) || fail "no retry"
}

# The chain must not continue, because Azure CLI may be signed in as another identity.
case_chain_stops_if_imds_returns_503() {
  use_imds
  sign_in
  export AZURE_CLIENT_ID=$APP_ID
  entra_app status=503
  expect_no_token env 25 'managed identity: a managed identity is available, but 169.254.169.254 returned no token within 15 s \(last attempt: HTTP status 503'
  [[ $(az_token_calls) == 0 ]] || fail "the chain continued with Azure CLI"
}

case_request_succeeds_if_entra_recovers_from_503() {
  use_client_secret
  entra_app status=503
  {
    until [[ -n $(entra_statuses) ]]; do sleep 0.1; done
    entra_app status=200
  } &
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential env
  expect_status 0
  [[ $(entra_statuses | uniq | paste -sd ' ') == "503 200" ]] || fail "statuses of Entra: $(entra_statuses)"
}

case_slow_entra_succeeds_and_hanging_entra_is_reported() {
  use_client_secret
  entra_app delay=4
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential env
  expect_status 0
  ((ELAPSED_MS > 4000)) || fail "Entra was not slow"
  entra_app delay=60
  expect_no_token env 25 'localhost returned no token within 15 s \(last attempt: no response'
}

# No request is sent

case_incomplete_variables_are_reported() {
  local name
  use_client_secret
  for name in AZURE_TENANT_ID AZURE_CLIENT_ID; do
    (unset "$name" && expect_no_token env 2 "AZURE_CLIENT_SECRET is set but $name is not")
  done
  unset AZURE_CLIENT_SECRET
  (IDENTITY_HEADER=x && export IDENTITY_HEADER && expect_no_token env 2 'IDENTITY_HEADER is set but IDENTITY_ENDPOINT is not')
  (AZURE_TOKEN_CREDENTIALS=EnvironmentCredential && export AZURE_TOKEN_CREDENTIALS && expect_no_token env 2 AZURE_CLIENT_SECRET)
  expect_no_entra_requests
}

case_authority_of_other_cloud_is_reported() {
  use_client_secret
  export AZURE_AUTHORITY_HOST=https://login.microsoftonline.us
  expect_no_token env 2 'the authority login.microsoftonline.us are in different clouds: set AZURE_AUTHORITY_HOST to https://login.microsoftonline.com'
  unset AZURE_AUTHORITY_HOST
  FHIR_RESOURCE=https://contoso-records.fhir.azurehealthcareapis.us
  expect_no_token env 2 'the authority login.microsoftonline.com are in different clouds: set AZURE_AUTHORITY_HOST to https://login.microsoftonline.us'
}

case_unusable_static_token_is_reported() {
  entra_app lifetime=-120
  sign_in
  AZURE_HEALTHCARE_TOKEN=$(az_token "$FHIR_RESOURCE")
  export AZURE_HEALTHCARE_TOKEN
  expect_no_token static 2 'expired'
  AZURE_HEALTHCARE_TOKEN=opaque
  expect_no_token static 2 'no `exp` claim'
  unset AZURE_HEALTHCARE_TOKEN
  example access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --credential static
  expect_status 2
  expect_line err 'AZURE_HEALTHCARE_TOKEN is not set'
}
