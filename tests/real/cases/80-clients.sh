# Real clients with the fake services of azure_healthcare_auth_testing: dicomweb-client (Python), fhir-kit-client (JavaScript), curl.
# shellcheck shell=bash

# run_fhir_kit TEST: runs a test of clients/fhir-kit.mjs
run_fhir_kit() {
  start_fake --patients 12
  client node "$HERE/clients/fhir-kit.mjs" "$1"
}

# run_dicomweb TEST: runs a test of clients/dicomweb.py
run_dicomweb() {
  start_fake --changes 0
  client "$DICOMWEB_PYTHON" "$HERE/clients/dicomweb.py" "$1"
}

case_fhir_kit_client_reads_and_writes() { run_fhir_kit interactions; }
case_fhir_kit_client_sends_conditional_requests() { run_fhir_kit conditions; }
case_fhir_kit_client_searches() { run_fhir_kit search; }
case_fhir_kit_client_sends_bundles() { run_fhir_kit bundles; }
case_fhir_kit_client_reads_metadata_and_is_rejected() { run_fhir_kit metadata; }

case_dicomweb_client_searches() { run_dicomweb search; }
case_dicomweb_client_retrieves() { run_dicomweb retrieve; }
case_dicomweb_client_stores() { run_dicomweb store; }
case_dicomweb_client_deletes_and_is_rejected() { run_dicomweb delete; }

case_curl_reads_both_fake_services() {
  start_fake --patients 3 --changes 4
  request "$FAKE_FHIR/Patient" "$FAKE_FHIR_TOKEN"
  expect_status 200
  expect_json '[.entry[].resource.id] == ["example-0001", "example-0002", "example-0003"]'
  request "$FAKE_DICOM_V2/changefeed" "$FAKE_DICOM_TOKEN"
  expect_status 200
  expect_json 'length == 4 and all(.metadata."0020000D".Value == [.studyInstanceUid])'
  request "$FAKE_FHIR/Patient" "$FAKE_DICOM_TOKEN"
  expect_status 401
  expect_line headers '^WWW-Authenticate: Bearer error="invalid_token", error_description="The audience is invalid"'
  request "$FAKE_DICOM_V2/changefeed"
  expect_status 401
}

# changes BASE QUERY: prints the sequence numbers of a page
changes() {
  request "$1/changefeed?$2" "$FAKE_DICOM_TOKEN"
  expect_status 200
  jq -r '.[].sequence' "$CASE/out"
}

case_curl_reads_fake_change_feed_by_sequence() {
  local offset latest pages=() found=()
  start_fake --changes 30
  request "$FAKE_DICOM_V1/changefeed/latest?includemetadata=false" "$FAKE_DICOM_TOKEN"
  expect_status 200
  expect_json '.metadata == null'
  latest=$(jq .sequence "$CASE/out")
  for ((offset = 0; offset < latest; offset += 10)); do
    mapfile -t page < <(changes "$FAKE_DICOM_V1" "offset=$offset&limit=10")
    pages+=("${#page[@]}")
    found+=("${page[@]}")
  done
  # The gap of 20 after the twelfth change makes one page empty.
  [[ ${pages[*]} == "10 2 0 8 10" ]] || fail "sizes of pages: ${pages[*]}"
  [[ ${found[*]} == "$(echo {1..12} {33..50})" ]] || fail "sequence numbers: ${found[*]}"
  request "$FAKE_DICOM_V1/changefeed?limit=101" "$FAKE_DICOM_TOKEN"
  expect_status 400
}

case_curl_reads_fake_change_feed_by_time() {
  local start end offset page found=()
  start_fake --changes 30
  request "$FAKE_DICOM_V2/changefeed" "$FAKE_DICOM_TOKEN"
  expect_json 'length == 30 and ([.[].timestamp] | . == sort)'
  start=$(jq -r '.[4].timestamp | @uri' "$CASE/out")
  end=$(jq -r '.[24].timestamp | @uri' "$CASE/out")
  jq '.[4].timestamp as $first | .[24].timestamp as $last | .[] | select($first <= .timestamp and .timestamp < $last).sequence' \
    "$CASE/out" >"$CASE/expected"
  for ((offset = 0; ; offset += 7)); do
    mapfile -t page < <(changes "$FAKE_DICOM_V2" "startTime=$start&endTime=$end&offset=$offset&limit=7")
    found+=("${page[@]}")
    ((${#page[@]} == 7)) || break
  done
  [[ ${#found[@]} -ge 20 && ${found[*]} == "$(paste -sd ' ' "$CASE/expected")" ]] || fail "found ${found[*]}"
  request "$FAKE_DICOM_V2/changefeed?startTime=$end&endTime=$start" "$FAKE_DICOM_TOKEN"
  expect_status 400
}

# start_export: sets JOB to the URL of an export of the fake service
start_export() {
  request "$FAKE_FHIR/\$export?_type=Patient" "$FAKE_FHIR_TOKEN" -H "Accept: application/fhir+json" -H "Prefer: respond-async"
  expect_status 202
  JOB=$(response_header content-location)
  [[ $JOB == "$FAKE_FHIR"/* ]] || fail "Content-Location: $JOB"
}

case_curl_exports_from_fake_service() {
  local polls=0 file
  start_fake --patients 12
  request "$FAKE_FHIR/\$export" "$FAKE_FHIR_TOKEN" -H "Accept: application/fhir+json"
  expect_status 400
  start_export
  while request "$JOB" "$FAKE_FHIR_TOKEN" && [[ $STATUS == 202 ]] && ((++polls < 20)); do :; done
  expect_status 200
  ((polls > 0)) || fail "the export was complete at once"
  expect_json '.requiresAccessToken == false and .error == [] and (.output | map([.type, .count]) == [["Patient", 12]])'
  file=$(jq -r '.output[0].url' "$CASE/out")
  [[ $file != "$FAKE_FHIR"/* ]] || fail "the file is not on another origin: $file"
  request "$file" "$FAKE_FHIR_TOKEN" -H "x-ms-version: 2024-11-04"
  expect_status 401
  request "$file" "$FAKE_STORAGE_TOKEN"
  expect_status 403
  request "$file" "$FAKE_STORAGE_TOKEN" -H "x-ms-version: 2024-11-04"
  expect_status 200
  jq -e -s '[.[] | select(.resourceType == "Patient").id] | length == 12 and .[11] == "example-0012"' "$CASE/out" >"$CASE/jq" ||
    fail "exported: $(head -c 300 "$CASE/out")"
}

case_curl_cancels_export_of_fake_service() {
  start_fake
  start_export
  request "$JOB" "$FAKE_FHIR_TOKEN" -X DELETE
  expect_status 202
  request "$JOB" "$FAKE_FHIR_TOKEN"
  expect_status 404
}

case_curl_stores_in_fake_service_and_downloads() {
  local sample=$DICOM_SAMPLES/CT_small.dcm path
  start_fake --changes 3
  {
    printf -- '--part\r\nContent-Type: application/dicom\r\n\r\n'
    cat "$sample"
    printf '\r\n--part--\r\n'
  } >"$CASE/body"
  store() {
    request "$FAKE_DICOM_V2/studies" "$FAKE_DICOM_TOKEN" --data-binary @"$CASE/body" -H "Accept: application/dicom+json" \
      -H 'Content-Type: multipart/related; type="application/dicom"; boundary=part'
  }
  store
  expect_status 200
  path=$(jq -r '."00081199".Value[0]."00081190".Value[0]' "$CASE/out")
  [[ $path == "$FAKE_DICOM_V2"/studies/*/series/*/instances/* ]] || fail "retrieve URL: $path"
  store
  expect_status 409
  expect_json '."00081198".Value[0]."00081197".Value == [45070]'

  request "$FAKE_DICOM_V2/changefeed/latest" "$FAKE_DICOM_TOKEN"
  expect_json '.action == "Create" and .state == "Current" and .metadata."00100020".Value == ["1CT1"]'
  [[ $path == */instances/$(jq -r .sopInstanceUid "$CASE/out") ]] || fail "not the stored instance: $(head -c 300 "$CASE/out")"

  request "$path" "$FAKE_DICOM_TOKEN" -H "Accept: application/dicom; transfer-syntax=*"
  expect_status 200
  # The service sets the first 128 bytes, the preamble, to zero.
  cmp -i 128 "$CASE/out" "$sample" || fail "the downloaded file is not the stored one"
  request "$path" "$FAKE_DICOM_TOKEN" -H "Accept: image/png"
  expect_status 406
  request "$path" "$FAKE_DICOM_TOKEN" -X DELETE
  expect_status 204
  request "$FAKE_DICOM_V2/changefeed/latest" "$FAKE_DICOM_TOKEN"
  expect_json '.action == "Delete" and .state == "Deleted"'
}
