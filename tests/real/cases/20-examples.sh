# The crate's examples with the credential of Azure CLI, run in the same way as a user does.
# shellcheck shell=bash disable=SC2034 # expect_status uses STATUS

# az_call RESOURCE: prints the arguments with which azure_identity calls Azure CLI
az_call() {
  echo "account get-access-token -o json --scope $1/.default"
}

# expect_az_calls ARGUMENTS...: exactly these calls were made since the sign-in, in this order
expect_az_calls() {
  diff <(printf '%s\n' "$@") <(grep -v '^login' "$AZ_LOG") >"$CASE/diff" || fail "unexpected calls of az: $(<"$CASE/diff")"
}

case_fhir_patients_reads_stored_patients() {
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_status 0
  expect_json '.resourceType == "Bundle" and any(.entry[].resource; .resourceType == "Patient" and .id == "synthetic-1")'
  expect_az_calls "$(az_call "$FHIR_RESOURCE")"
}

case_dicom_changefeed_reads_stored_instances() {
  local version
  sign_in
  for version in v2 v1; do
    example dicom_changefeed "$DICOM_URL/$version"
    expect_status 0
    expect_json 'map(.sopInstanceUid) | contains(["1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"])'
  done
  expect_az_calls "$(az_call "$DICOM_RESOURCE")" "$(az_call "$DICOM_RESOURCE")"
}

case_access_token_prints_header_for_curl() {
  sign_in
  example access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --header
  expect_status 0
  [[ $(wc -l <"$CASE/out") == 1 ]] || fail "not exactly one line"
  STATUS=$(curl -sS -o "$CASE/body" -w '%{http_code}' -H "$(<"$CASE/out")" "$FHIR_URL/Patient")
  expect_status 200
}

case_access_token_prints_bare_token() {
  sign_in
  example access_token "$DICOM_URL/v2"
  expect_status 0
  request "$DICOM_URL/v2/changefeed" "$(<"$CASE/out")"
  expect_status 200
}

case_examples_log_no_token() {
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_no_secret
  entra_app roles='[]'
  RUST_LOG=trace RUST_BACKTRACE=1 example dicom_changefeed "$DICOM_URL/v2"
  expect_error 403
  expect_no_secret
}

case_wrong_audience_is_reported() {
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$DICOM_RESOURCE"
  expect_error 401 audience "$DICOM_RESOURCE"
  expect_az_calls "$(az_call "$DICOM_RESOURCE")" "$(az_call "$DICOM_RESOURCE")"
}

case_audience_with_trailing_slash_is_requested_verbatim_and_reported() {
  sign_in
  example dicom_changefeed "$DICOM_URL/v2" --resource "$DICOM_RESOURCE/"
  expect_error 401 audience "$DICOM_RESOURCE/"
  [[ $(tail -n 1 "$AZ_LOG") == "$(az_call "$DICOM_RESOURCE/")" ]] || fail "$(<"$AZ_LOG")"
}

case_expired_token_is_reported() {
  entra_app lifetime=-120 reported_lifetime=3600
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_error 401 expired clock
}

case_unknown_signing_key_is_reported() {
  entra_app key='"unknown"'
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_error 401 signature
}

case_other_tenant_is_reported() {
  entra_app tenant='"99999999-0000-4000-8000-000000000000"'
  sign_in
  example dicom_changefeed "$DICOM_URL/v2"
  expect_error 401 99999999-0000-4000-8000-000000000000 'tenant|issue'
}

case_missing_role_is_reported() {
  entra_app roles='[]'
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_error 403 'FHIR Data Reader' "$(jq -r .object_id "$CASE/app.json")"
  example dicom_changefeed "$DICOM_URL/v2"
  expect_error 403 'DICOM Data Reader' "$(jq -r .object_id "$CASE/app.json")"
}

case_az_without_account_is_reported() {
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_error 'az login'
  [[ -z $(entra_requests) ]] || fail "Entra was asked: $(entra_requests)"
}

case_unreachable_service_is_reported() {
  sign_in
  example fhir_patients http://127.0.0.1:9/fhir --resource "$FHIR_RESOURCE"
  expect_error 'connect|refused'
}
