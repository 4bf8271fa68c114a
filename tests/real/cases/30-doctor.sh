# What `doctor` finds on the real parts, and whether it says so by its exit status.
# shellcheck shell=bash

# doctor_finds STEP TEXT ARGUMENT...: the walk ends at that step, saying that, with something to do
doctor_finds() {
  local step=$1 text=$2
  shift 2
  example doctor "$@" --json
  expect_status 1
  expect_json ".usable == false and .steps[-1].step == \"$step\" and .steps[-1].status == \"FAIL\""
  expect_json ".steps[-1] | (.detail | contains(\"$text\")) and (.advice | length > 10)"
  ! grep -qF eyJ "$CASE/out" "$CASE/err" || fail "a token is shown"
}

case_doctor_finds_both_services_usable() {
  sign_in
  example doctor "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_status 0
  expect_line out 'ok +request .*200'
  example doctor "$DICOM_URL/v2" --json
  expect_status 0
  expect_json '.usable and all(.steps[]; .status != "FAIL")'
}

case_doctor_goes_on_where_a_gateway_guards_the_metadata() {
  sign_in
  example doctor "${FHIR_URL%/fhir}/guarded" --resource "$FHIR_RESOURCE" --json
  expect_status 0
  expect_json '.usable and any(.steps[]; .step == "metadata" and .status == "info" and (.detail | contains("401")))'
}

case_doctor_finds_a_wrong_audience() {
  sign_in
  doctor_finds request '(wrong-audience)' "$FHIR_URL" --resource https://azurehealthcareapis.com
}

case_doctor_finds_a_trailing_slash() {
  sign_in
  doctor_finds request '(trailing-slash)' "$DICOM_URL/v2" --resource "$DICOM_RESOURCE/"
  expect_json ".steps[-1].advice | contains(\".resource(\\\"$DICOM_RESOURCE\\\")\")"
}

case_doctor_finds_an_ended_token() {
  entra_app life=-120 told_life=3600
  sign_in
  doctor_finds request '(expired)' "$FHIR_URL" --resource "$FHIR_RESOURCE"
}

case_doctor_finds_another_tenant() {
  entra_app tenant='"99999999-0000-4000-8000-000000000000"'
  sign_in
  doctor_finds request '(wrong-tenant)' "$DICOM_URL/v2"
}

# The gateway does not say that it is the signature: then it is a guess, and told as one.
case_doctor_finds_that_a_foreign_signature_is_not_told() {
  entra_app key='"foreign"'
  sign_in
  doctor_finds request '(unknown)' "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_json '.steps[-1].detail | contains("possible_causes: (1)") and contains("signature")'
}

case_doctor_finds_a_missing_role() {
  entra_app roles='[]'
  sign_in
  doctor_finds request '(no-role)' "$FHIR_URL" --resource "$FHIR_RESOURCE"
  expect_json ".steps[-1] | (.advice | contains(\"FHIR Data Reader\")) and (.detail | contains(\"$(jq -r .object_id "$CASE/app.json")\"))"
}

case_doctor_finds_that_nobody_is_signed_in() {
  doctor_finds token 'az login' "$FHIR_URL" --resource "$FHIR_RESOURCE"
}

case_doctor_finds_that_the_address_is_no_service() {
  sign_in
  doctor_finds metadata 'refused' http://127.0.0.1:9/fhir --resource "$FHIR_RESOURCE"
}
