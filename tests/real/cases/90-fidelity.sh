# The fake services of azure_healthcare_auth_testing and the real servers respond to the same requests in the same way, except for
# the differences that are listed with a reason in fidelity/.
# shellcheck shell=bash

# service URL VALID OTHER DENIED: prints a service and its tokens for compare.py
service() {
  jq -n --arg url "$1" --arg valid "$2" --arg other "$3" --arg denied "$4" '$ARGS.named'
}

# without_roles TOKEN: prints a token of the fake services without roles. Their signature is not checked.
without_roles() {
  jq -nr --arg token "$1" '$token | split(".") | .[1] |= (gsub("-"; "+") | gsub("_"; "/") | @base64d | fromjson | del(.roles) |
    tojson | @base64 | gsub("[+]"; "-") | gsub("/"; "_") | gsub("="; "")) | join(".")'
}

# compare REQUESTS DIFFERENCES FAKE_URL REAL_URL RESOURCE: compares the responses of a fake and a real service
compare() {
  local valid=$FAKE_FHIR_TOKEN other=$FAKE_DICOM_TOKEN
  [[ $1 == fhir ]] || { valid=$FAKE_DICOM_TOKEN other=$FAKE_FHIR_TOKEN; }
  FAKE=$(service "$3" "$valid" "$other" "$(without_roles "$valid")")
  valid=$(entra_token "$5")
  other=$(entra_token "https://other.example")
  entra_app roles='["none"]'
  REAL=$(service "$4" "$valid" "$other" "$(entra_token "$5")")
  export FAKE REAL
  python3 "$HERE/fidelity/compare.py" "$HERE/fidelity/$1.jsonl" "$HERE/fidelity/$2.txt" >"$CASE/out" 2>"$CASE/err" ||
    fail "$(tail -qn 1 "$CASE/err" "$CASE/out" | tr '\n' ' '): $(head -n 3 "$CASE/out")"
}

case_fake_fhir_service_responds_like_real_server() {
  start_fake --patients 3
  compare fhir "$FHIR_SERVER" "$FAKE_FHIR" "$FHIR_URL" "$FHIR_RESOURCE"
}

case_fake_dicom_service_responds_like_orthanc() {
  start_fake --changes 0
  compare dicom orthanc "$FAKE_DICOM_V2" "$DICOM_URL/v2" "$DICOM_RESOURCE"
}
