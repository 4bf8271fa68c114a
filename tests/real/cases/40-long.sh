# One client over minutes: tokens expire, Entra fails, and Azure CLI signs out. The driver runs the client.
# shellcheck shell=bash

# expect_recovery SECONDS: a request succeeds within that time
expect_recovery() {
  local deadline=$((SECONDS + $1))
  until send_command get && expect_reply '' && [[ $REPLY == "ok 200" ]]; do
    ((SECONDS < deadline)) || fail "no success within $1 s: $REPLY"
    sleep 1
  done
}

case_token_of_60_s_is_refreshed_without_delay() {
  entra_app lifetime=60 delay=2
  sign_in
  start_driver
  send_command get
  expect_reply '^ok 200'
  send_command traffic 180 100
  expect_reply '^sent 1800 failed 0 slow ([0-9]+) '
  # If requests waited for a refresh, each one would delay 20 of them.
  ((BASH_REMATCH[1] < 20)) || fail "requests waited for a refresh: $REPLY"
  # The cache uses a token for at most 50 s and refreshes it after about 30 s.
  (($(az_token_calls) >= 4 && $(az_token_calls) <= 9)) || fail "unexpected number of calls of az: $(az_token_calls)"
}

case_no_request_fails_if_entra_is_down_while_token_is_valid() {
  entra_app lifetime=60
  sign_in
  start_driver
  send_command traffic 75 200
  sleep 10
  entra_app status=503
  sleep 26
  (($(az_token_calls) >= 2)) || fail "no refresh was attempted while Entra was down"
  entra_app status=200
  expect_reply '^sent 375 failed 0 '
}

case_error_is_reported_until_entra_recovers() {
  sign_in
  entra_app status=503
  start_driver
  send_command get
  expect_reply '^err .*(503|token)'
  entra_app status=200
  expect_recovery 20
}

case_az_sign_out_is_reported_when_token_expires() {
  entra_app lifetime=40
  sign_in
  start_driver
  send_command get
  expect_reply '^ok 200'
  az logout --username "$APP_ID"
  send_command get
  expect_reply '^ok 200'
  sleep 31
  send_command get
  expect_reply '^err .*az login'
  sign_in
  expect_recovery 40
}
