# The services themselves, tested with Azure CLI and curl: the gateway accepts valid tokens and rejects each kind of invalid one.
# shellcheck shell=bash

# expect_status_of_both STATUS: both services respond with it
expect_status_of_both() {
  request "$FHIR_URL/Patient" "$(entra_token "$FHIR_RESOURCE")"
  expect_status "$1"
  request "$DICOM_URL/v2/changefeed" "$(entra_token "$DICOM_RESOURCE")"
  expect_status "$1"
}

case_services_listen_only_on_loopback() {
  local file sockets
  for file in "$RUN"/pid/*; do
    sockets=$(ss -ltnpH | grep -F "pid=$(<"$file"),") || fail "$(basename "$file") has no listener"
    ! grep -vE ' (127\.0\.0\.1|\[::1\]):[0-9]+ ' <<<"$sockets" || fail "$(basename "$file") does not listen only on loopback"
  done
}

case_az_token_opens_fhir() {
  sign_in
  request "$FHIR_URL/Patient?_count=2" "$(az_token "$FHIR_RESOURCE")"
  expect_status 200
  expect_json '.resourceType == "Bundle" and .entry[0].resource.resourceType == "Patient"'
  expect_json '.link[] | select(.relation == "next").url | startswith("http://127.0.0.1:")'
}

case_az_token_opens_dicom() {
  local token
  sign_in
  token=$(az_token "$DICOM_RESOURCE")
  request "$DICOM_URL/v2/changefeed" "$token"
  expect_status 200
  expect_json 'length >= 2 and all(.action == "create" and .state == "current" and .metadata)'
  # Orthanc numbers patients, studies and series too, so that the second instance is not among the next two numbers.
  request "$DICOM_URL/v1/changefeed?offset=1&limit=2" "$token"
  expect_json 'length == 0'
  request "$DICOM_URL/v1/changefeed/latest?includemetadata=false" "$token"
  expect_json '.sequence > 3 and (.metadata | not)'
  request "$DICOM_URL/v2/changefeed?limit=201" "$token"
  expect_status 400
  request "$DICOM_URL/v2/studies" "$token"
  expect_status 200
}

case_az_requests_given_scope_from_entra() {
  sign_in
  az_token "$DICOM_RESOURCE" >"$CASE/token"
  [[ $(entra_requests | tail -n 1) == "/$TENANT_ID/oauth2/v2.0/token $DICOM_RESOURCE/.default" ]] || fail "$(entra_requests)"
  [[ $(tail -n 1 "$AZ_LOG") == "account get-access-token --scope $DICOM_RESOURCE/.default "* ]] || fail "$(<"$AZ_LOG")"
}

case_az_signs_in_user_by_device_code() {
  az login --use-device-code --tenant "$TENANT_ID" --allow-no-subscriptions --skip-subscription-discovery -o none
  request "$FHIR_URL/Patient" "$(az_token "$FHIR_RESOURCE")"
  expect_status 200
}

case_az_reports_wrong_secret_and_unknown_tenant() {
  APP_SECRET=wrong sign_in 2>"$CASE/err" && fail "signed in with a wrong secret"
  expect_line err AADSTS7000215
  TENANT_ID=99999999-0000-4000-8000-000000000000 sign_in 2>"$CASE/err" && fail "signed in to an unknown tenant"
  expect_line err AADSTS90002
}

case_workload_and_managed_identities_get_tokens() {
  local assertion token
  assertion=$(curl -sSf "$ENTRA_HTTP/control/apps/$APP_ID/assertion" | jq -r .assertion)
  token=$(curl -sSf --cacert "$CA_FILE" "$ENTRA_HTTPS/$TENANT_ID/oauth2/v2.0/token" -d grant_type=client_credentials \
    -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer -d "client_id=$APP_ID" \
    -d "client_assertion=$assertion" -d "scope=$FHIR_RESOURCE/.default" | jq -r .access_token)
  request "$FHIR_URL/Patient" "$token"
  expect_status 200
  token=$(curl -sSf -H "X-IDENTITY-HEADER: $APP_SECRET" \
    "$ENTRA_HTTP/msi/token?api-version=2019-08-01&resource=$FHIR_RESOURCE" | jq -r .access_token)
  request "$FHIR_URL/Patient" "$token"
  expect_status 200
  token=$(curl -sSf -H "Metadata: true" \
    "$ENTRA_HTTP/metadata/identity/oauth2/token?api-version=2018-02-01&resource=$FHIR_RESOURCE&client_id=$APP_ID" |
    jq -r .access_token)
  request "$FHIR_URL/Patient" "$token"
  expect_status 200
}

case_gateway_rejects_wrong_audience() {
  request "$FHIR_URL/Patient" "$(entra_token "$DICOM_RESOURCE")"
  expect_status 401
  expect_line headers '^WWW-Authenticate: Bearer error="invalid_token", error_description="The audience is invalid"'
  expect_json '.issue[0].code == "login"'
  request "$DICOM_URL/v2/changefeed" "$(entra_token "$FHIR_RESOURCE")"
  expect_status 401
  expect_line headers '^WWW-Authenticate: Bearer error="invalid_token", error_description="The audience is invalid"'
}

case_gateway_rejects_audience_with_trailing_slash() {
  request "$FHIR_URL/Patient" "$(entra_token "$FHIR_RESOURCE/")"
  expect_status 401
  request "$DICOM_URL/v2/changefeed" "$(entra_token "$DICOM_RESOURCE/")"
  expect_status 401
}

case_gateway_rejects_expired_token() {
  entra_app lifetime=-120
  expect_status_of_both 401
  expect_line headers '^WWW-Authenticate: Bearer .*error="invalid_token"'
}

case_gateway_rejects_unknown_signing_key() {
  entra_app key='"unknown"'
  expect_status_of_both 401
}

case_gateway_rejects_other_tenant() {
  entra_app tenant='"99999999-0000-4000-8000-000000000000"'
  expect_status_of_both 401
  expect_line headers 'The issuer is invalid'
}

case_gateway_denies_token_without_role() {
  entra_app roles='["system/*.cruds"]'
  expect_status_of_both 403
  [[ $(<"$CASE/out") == "Authorization failed." ]] || fail "unexpected body: $(<"$CASE/out")"
}

case_gateway_rejects_request_without_token() {
  request "$FHIR_URL/Patient"
  expect_status 401
  expect_line headers '^WWW-Authenticate: Bearer '
  request "$DICOM_URL/v2/changefeed"
  expect_status 401
  request "$FHIR_URL/metadata"
  expect_status 200
}

case_helios_validates_tokens() {
  [[ $FHIR_SERVER == helios ]] || skip "Helios is not installed (see --with-helios)"
  request "http://127.0.0.1:$FHIR_PORT/Patient" "$(entra_token "$FHIR_RESOURCE")"
  expect_status 200
  request "http://127.0.0.1:$FHIR_PORT/Patient" "$(entra_token "$DICOM_RESOURCE")"
  expect_status 401
}
