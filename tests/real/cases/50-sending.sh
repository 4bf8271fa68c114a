# The requests that the crate sends to real services, and how often it sends them.
# shellcheck shell=bash disable=SC2153 # FHIR_PORT, FHIR_URL and others are set by lib/services.sh

case_next_links_lead_to_last_page() {
  local ids
  sign_in
  start_driver
  # By name, because other cases store Patients at the same time.
  send_command pages 'Patient?family=Synthetic&_count=1'
  expect_reply '^ok ([0-9]+) pages: (.*)'
  ((BASH_REMATCH[1] >= 3)) || fail "not one Patient per page: $REPLY"
  ids=$(tr ' ' '\n' <<<"${BASH_REMATCH[2]}" | sort | tr '\n' ' ')
  [[ $ids == "synthetic-1 synthetic-2 synthetic-3 " ]] || fail "not every Patient exactly once: $REPLY"
}

case_next_link_to_other_host_fails_before_token_request() {
  local next
  sign_in
  request "$FHIR_URL/Patient?_count=1" "$(az_token "$FHIR_RESOURCE")"
  next=$(jq -r '.link[] | select(.relation == "next").url' "$CASE/out")
  [[ $next == http://127.0.0.1:* ]] || fail "unexpected next link: $next"
  start_driver
  # The same gateway under another name, so that a request that is not blocked would succeed.
  send_command get "${next/127.0.0.1/localhost}"
  expect_reply '^err UrlNotAllowed: '
  [[ $(az_token_calls) == 1 ]] || fail "a token was requested"
  send_command get "$next"
  expect_reply '^ok 200'
}

case_dicom_file_is_retrieved_unchanged() {
  local file=$DICOM_SAMPLES/waveform_ecg.dcm
  sign_in
  start_driver
  send_command store "$file"
  expect_reply '^ok 200 .*/(studies/.*/instances/.*)'
  send_command retrieve "${BASH_REMATCH[1]}" "$CASE/back.dcm"
  expect_reply '^ok '
  cmp "$file" "$CASE/back.dcm" >"$CASE/cmp" 2>&1 || fail "$(<"$CASE/cmp")"
}

# A gateway that restarts during a request: started by the case, because other cases use the shared one

# within SECONDS COMMAND...: the command succeeds within that time; it is retried until then
within() {
  local deadline=$((SECONDS + $1))
  until "${@:2}"; do
    ((SECONDS < deadline)) || fail "no success within $1 s: ${*:2}"
    sleep 0.05
  done
}

start_own_gateway() {
  GATEWAY_ROOT=$CASE/gateway GATEWAY_PORT=$OWN_PORT LD_LIBRARY_PATH=$DEBIAN_LIBRARIES \
    setsid setpriv --pdeathsig TERM "$APACHE" -f "$HERE/parts/gateway.conf" -DFOREGROUND >>"$CASE/gateway.log" 2>&1 &
  OWN_GATEWAY=$!
}

# Kills it, because otherwise Apache would wait for pending responses. Its process group exists only after its start.
end_own_gateway() {
  kill -KILL -- "-$OWN_GATEWAY" || kill -KILL "$OWN_GATEWAY"
  wait "$OWN_GATEWAY" || true
}

own_port_is_free() {
  ! ss -ltnH "sport = :$OWN_PORT" | grep -q .
}

restart_own_gateway() {
  end_own_gateway
  within 10 own_port_is_free
  start_own_gateway
}

# Starts a gateway, and the driver with its URL.
start_driver_with_own_gateway() {
  [[ $FHIR_SERVER == medplum ]] || skip "$FHIR_SERVER cannot delay responses"
  OWN_PORT=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
  mkdir "$CASE/gateway"
  start_own_gateway
  trap end_own_gateway EXIT
  within 30 curl -sf -o "$CASE/metadata" "http://127.0.0.1:$OWN_PORT/fhir/metadata"
  start_driver "http://127.0.0.1:$OWN_PORT/fhir"
}

# Prints how many of the case's Patients the FHIR server stores.
stored_patients() {
  curl -sSf "http://127.0.0.1:$FHIR_PORT/Patient?identifier=$APP_ID" | jq .total
}

patient_is_stored() {
  [[ $(stored_patients) == 1 ]]
}

# Prints how many searches for the case's Patients the FHIR server received with a delay.
delayed_reads() {
  grep -cF "GET /Patient?identifier=$APP_ID" "$RUN/log/fhir" || true
}

patient_is_read() {
  [[ $(delayed_reads) == 1 ]]
}

case_transaction_is_not_retried_after_gateway_restart() {
  sign_in
  start_driver_with_own_gateway
  send_command create "$APP_ID" 20
  within 30 patient_is_stored
  restart_own_gateway
  expect_reply ''
  [[ $(stored_patients) == 1 ]] || fail "$(stored_patients) Patients are stored: $REPLY"
  [[ $REPLY == "err Connection: "* ]] || fail "$REPLY"
  send_command get "Patient?identifier=$APP_ID"
  expect_reply '^ok 200'
}

case_read_is_retried_after_gateway_restart() {
  sign_in
  start_driver_with_own_gateway
  send_command get "Patient?identifier=$APP_ID" 5
  within 30 patient_is_read
  restart_own_gateway
  expect_reply '^ok 200'
  [[ $(delayed_reads) == 2 ]] || fail "the request was sent $(delayed_reads) times"
}
