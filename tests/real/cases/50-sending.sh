# What the crate sends to real services, and how often.
# shellcheck shell=bash disable=SC2153 # FHIR_PORT, FHIR_URL and the like are those of the parts

case_next_links_are_followed_to_the_last_page() {
  local ids
  sign_in
  driver
  # By name: other cases store Patients meanwhile.
  tell pages 'Patient?family=Synthetic&_count=1'
  answer '^ok ([0-9]+) pages: (.*)'
  ((BASH_REMATCH[1] >= 3)) || fail "not one Patient a page: $ANSWER"
  ids=$(tr ' ' '\n' <<<"${BASH_REMATCH[2]}" | sort | tr '\n' ' ')
  [[ $ids == "synthetic-1 synthetic-2 synthetic-3 " ]] || fail "not each Patient once: $ANSWER"
}

case_a_next_link_to_another_host_is_refused_before_a_token_is_asked_for() {
  local next
  sign_in
  request "$FHIR_URL/Patient?_count=1" "$(token "$FHIR_RESOURCE")"
  next=$(jq -r '.link[] | select(.relation == "next").url' "$CASE/out")
  [[ $next == http://127.0.0.1:* ]] || fail "not a next link: $next"
  driver
  # The same gateway by its other name: a request that is let through is answered by 200.
  tell get "${next/127.0.0.1/localhost}"
  answer '^err UrlNotAllowed: '
  [[ $(tokens_asked_of_az) == 1 ]] || fail "a token was asked for"
  tell get "$next"
  answer '^ok 200'
}

case_a_dicom_file_comes_back_as_it_was_sent() {
  local file=$DICOM_SAMPLES/waveform_ecg.dcm
  sign_in
  driver
  tell store "$file"
  answer '^ok 200 .*/(studies/.*/instances/.*)'
  tell retrieve "${BASH_REMATCH[1]}" "$CASE/back.dcm"
  answer '^ok '
  cmp "$file" "$CASE/back.dcm" >"$CASE/cmp" 2>&1 || fail "$(<"$CASE/cmp")"
}

# ----- a gateway that is restarted while a request is on its way: one of the case's own, others use the shared one

# within SECONDS COMMAND...: the command succeeds in that time
within() {
  local deadline=$((SECONDS + $1))
  until "${@:2}"; do
    ((SECONDS < deadline)) || fail "not within $1 s: ${*:2}"
    sleep 0.05
  done
}

start_own_gateway() {
  GATEWAY_ROOT=$CASE/gateway GATEWAY_PORT=$OWN_PORT LD_LIBRARY_PATH=$DEBIAN_LIBRARIES \
    setsid setpriv --pdeathsig TERM "$APACHE" -f "$HERE/parts/gateway.conf" -DFOREGROUND >>"$CASE/gateway.log" 2>&1 &
  OWN_GATEWAY=$!
}

# By force: asked to end, Apache waits for the answers that are due. Its group is there once it has really started.
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

# own_gateway: starts it, with the driver behind it
own_gateway() {
  [[ $FHIR_SERVER == medplum ]] || skip "$FHIR_SERVER cannot be told to answer late"
  OWN_PORT=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
  mkdir "$CASE/gateway"
  start_own_gateway
  trap end_own_gateway EXIT
  within 30 curl -sf -o "$CASE/metadata" "http://127.0.0.1:$OWN_PORT/fhir/metadata"
  driver "http://127.0.0.1:$OWN_PORT/fhir"
}

# The case's Patients, by the FHIR server's own word.
patients() {
  curl -sSf "http://127.0.0.1:$FHIR_PORT/Patient?identifier=$APP_ID" | jq .total
}

patient_is_stored() {
  [[ $(patients) == 1 ]]
}

# How often the FHIR server was asked for them, of those times that it answered late.
late_reads() {
  grep -cF "GET /Patient?identifier=$APP_ID" "$RUN/log/fhir" || true
}

patient_is_read() {
  [[ $(late_reads) == 1 ]]
}

case_a_transaction_is_sent_once_while_the_gateway_is_restarted() {
  sign_in
  own_gateway
  tell create "$APP_ID" 20
  within 30 patient_is_stored
  restart_own_gateway
  answer ''
  [[ $(patients) == 1 ]] || fail "$(patients) Patients: $ANSWER"
  [[ $ANSWER == "err Connection: "* ]] || fail "$ANSWER"
  tell get "Patient?identifier=$APP_ID"
  answer '^ok 200'
}

case_a_read_is_repeated_while_the_gateway_is_restarted() {
  sign_in
  own_gateway
  tell get "Patient?identifier=$APP_ID" 5
  within 30 patient_is_read
  restart_own_gateway
  answer '^ok 200'
  [[ $(late_reads) == 2 ]] || fail "sent $(late_reads) times"
}
