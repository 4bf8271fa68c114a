# The `doctor` example: its findings and its exit status.
# shellcheck shell=bash

# expect_finding STEP TEXT ARGUMENT...: the example fails at STEP with TEXT in the detail, and gives advice
expect_finding() {
  local step=$1 text=$2
  shift 2
  example doctor "$@" --json
  expect_status 1
  expect_json ".usable == false and .steps[-1].step == \"$step\" and .steps[-1].status == \"FAIL\""
  expect_json ".steps[-1] | (.detail | contains(\"$text\")) and (.advice | length > 10)"
  expect_no_secret "$CASE/out"
}

case_doctor_reports_usable_services() {
  sign_in
  example doctor "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_status 0
  expect_line out 'ok +request .*200'
  example doctor "$DICOM_URL/v2" --json
  expect_status 0
  expect_json '.usable and all(.steps[]; .status != "FAIL")'
}

case_doctor_continues_if_metadata_requires_token() {
  sign_in
  example doctor "${FHIR_URL%/fhir}/guarded" --resource "$FHIR_RESOURCE" --json
  expect_status 0
  expect_json '.usable and any(.steps[]; .step == "metadata" and .status == "info" and (.detail | contains("401")))'
}

case_doctor_finds_wrong_audience() {
  sign_in
  expect_finding request '(wrong-audience)' "$FHIR_URL" --resource https://azurehealthcareapis.com
}

case_doctor_finds_trailing_slash() {
  sign_in
  expect_finding request '(trailing-slash)' "$DICOM_URL/v2" --resource "$DICOM_RESOURCE/"
  expect_json ".steps[-1].advice | contains(\".resource(\\\"$DICOM_RESOURCE\\\")\")"
}

case_doctor_finds_expired_token() {
  entra_app lifetime=-120 reported_lifetime=3600
  sign_in
  expect_finding request '(expired)' "$FHIR_URL" --resource "$FHIR_RESOURCE"
}

case_doctor_finds_other_tenant() {
  entra_app tenant='"99999999-0000-4000-8000-000000000000"'
  sign_in
  expect_finding request '(wrong-tenant)' "$DICOM_URL/v2"
}

# The gateway does not report that the signature is invalid, so the signature is only a possible cause.
case_doctor_lists_signature_as_possible_cause() {
  entra_app key='"unknown"'
  sign_in
  expect_finding request '(unknown)' "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_json '.steps[-1].detail | contains("(1)") and contains("signature")'
}

case_doctor_finds_missing_role() {
  entra_app roles='[]'
  sign_in
  expect_finding request '(missing-role)' "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_json ".steps[-1] | (.advice | contains(\"FHIR Data Reader\")) and (.detail | contains(\"$(jq -r .object_id "$CASE/app.json")\"))"
}

case_doctor_finds_missing_sign_in() {
  expect_finding token 'az login' "$FHIR_URL" --resource "$FHIR_RESOURCE"
}

case_doctor_finds_unreachable_endpoint() {
  sign_in
  expect_finding metadata 'refused' http://127.0.0.1:9/fhir --resource "$FHIR_RESOURCE"
}
