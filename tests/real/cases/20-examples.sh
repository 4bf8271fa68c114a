# The crate's examples as a user runs them, with Azure CLI's credential.
# shellcheck shell=bash disable=SC2034 # STATUS is for expect_status

# What azure_identity has Azure CLI do for a token.
az_call_for() {
  echo "account get-access-token -o json --scope $1/.default"
}

# az_was_called LINE...: with just that, in that order, since the sign-in
az_was_called() {
  diff <(printf '%s\n' "$@") <(grep -v '^login' "$AZ_LOG") >"$CASE/diff" || fail "az was called otherwise: $(<"$CASE/diff")"
}

case_fhir_patients_reads_the_stored_patients() {
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_status 0
  expect_json '.resourceType == "Bundle" and any(.entry[].resource; .resourceType == "Patient" and .id == "synthetic-1")'
  az_was_called "$(az_call_for "$FHIR_RESOURCE")"
}

case_dicom_changefeed_reads_the_stored_instances() {
  local version
  sign_in
  for version in v2 v1; do
    example dicom_changefeed "$DICOM_URL/$version"
    expect_status 0
    expect_json 'map(.sopInstanceUid) | contains(["1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"])'
  done
  az_was_called "$(az_call_for "$DICOM_RESOURCE")" "$(az_call_for "$DICOM_RESOURCE")"
}

case_access_token_makes_a_header_for_curl() {
  sign_in
  example access_token "$FHIR_URL" --resource "$FHIR_RESOURCE" --header
  expect_status 0
  [[ $(wc -l <"$CASE/out") == 1 ]] || fail "more than one line"
  STATUS=$(curl -sS -o "$CASE/body" -w '%{http_code}' -H "$(<"$CASE/out")" "$FHIR_URL/Patient")
  expect_status 200
}

case_access_token_prints_the_bare_token() {
  sign_in
  example access_token "$DICOM_URL/v2"
  expect_status 0
  request "$DICOM_URL/v2/changefeed" "$(<"$CASE/out")"
  expect_status 200
}

case_no_token_is_in_what_the_examples_say() {
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  ! grep -qF eyJ "$CASE/err" || fail "a token on standard error"
  entra_app roles='[]'
  RUST_LOG=trace RUST_BACKTRACE=1 example dicom_changefeed "$DICOM_URL/v2"
  refused 403
  ! grep -qF eyJ "$CASE/err" || fail "a token on standard error"
}

case_a_wrong_audience_is_told() {
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$DICOM_RESOURCE"
  refused 401 audience "$DICOM_RESOURCE"
  az_was_called "$(az_call_for "$DICOM_RESOURCE")" "$(az_call_for "$DICOM_RESOURCE")"
}

case_an_audience_with_a_slash_is_asked_for_as_it_is_and_told() {
  sign_in
  example dicom_changefeed "$DICOM_URL/v2" --resource "$DICOM_RESOURCE/"
  refused 401 audience "$DICOM_RESOURCE/"
  [[ $(tail -n 1 "$AZ_LOG") == "$(az_call_for "$DICOM_RESOURCE/")" ]] || fail "$(<"$AZ_LOG")"
}

case_an_ended_token_is_told() {
  entra_app life=-120 told_life=3600
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  refused 401 'ended|expired' clock
}

case_a_foreign_signature_is_told() {
  entra_app key='"foreign"'
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  refused 401 signature
}

case_another_tenant_is_told() {
  entra_app tenant='"99999999-0000-4000-8000-000000000000"'
  sign_in
  example dicom_changefeed "$DICOM_URL/v2"
  refused 401 99999999-0000-4000-8000-000000000000 'tenant|issue'
}

case_a_missing_role_is_told() {
  entra_app roles='[]'
  sign_in
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  refused 403 'FHIR Data Reader' "$(jq -r .object_id "$CASE/app.json")"
  example dicom_changefeed "$DICOM_URL/v2"
  refused 403 'DICOM Data Reader' "$(jq -r .object_id "$CASE/app.json")"
}

case_az_not_signed_in_is_told() {
  example fhir_patients "$FHIR_URL" --resource "$FHIR_RESOURCE"
  refused 'az login'
  [[ -z $(entra_log) ]] || fail "Entra was asked: $(entra_log)"
}

case_an_unreachable_service_is_told() {
  sign_in
  example fhir_patients http://127.0.0.1:9/fhir --resource "$FHIR_RESOURCE"
  refused 'connect|refused'
}
