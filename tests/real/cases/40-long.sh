# One process over minutes, by the driver: what happens to it when Entra, Azure CLI or the clock move on.
# shellcheck shell=bash

# gets_again SECONDS: within that time a request succeeds
gets_again() {
  local deadline=$((SECONDS + $1))
  until tell get && answer '' && [[ $ANSWER == "ok 200" ]]; do
    ((SECONDS < deadline)) || fail "still after $1 s: $ANSWER"
    sleep 1
  done
}

case_a_token_of_60_s_is_renewed_under_traffic() {
  entra_app life=60 delay=2
  sign_in
  driver
  tell get
  answer '^ok 200'
  tell traffic 180 100
  answer '^sent 1800 failed 0 slow ([0-9]+) '
  # Had they waited for their tokens, twenty would have been slow at each renewal.
  ((BASH_REMATCH[1] < 20)) || fail "requests waited for a renewal: $ANSWER"
  # Each is served for 50 s at most, and its successor is asked for after about 30.
  (($(tokens_asked_of_az) >= 4 && $(tokens_asked_of_az) <= 9)) || fail "az was asked $(tokens_asked_of_az) times"
}

case_entra_down_while_the_token_is_valid_loses_nothing() {
  entra_app life=60
  sign_in
  driver
  tell traffic 75 200
  sleep 10
  entra_app status=503
  sleep 26
  (($(tokens_asked_of_az) >= 2)) || fail "no refresh was tried while Entra was down"
  entra_app status=200
  answer '^sent 375 failed 0 '
}

case_entra_down_without_a_token_is_told_until_it_is_up() {
  sign_in
  entra_app status=503
  driver
  tell get
  answer '^err .*(503|token)'
  entra_app status=200
  gets_again 20
}

case_az_signed_out_between_two_fetches_is_told() {
  entra_app life=40
  sign_in
  driver
  tell get
  answer '^ok 200'
  az logout --username "$APP_ID"
  tell get
  answer '^ok 200'
  sleep 31
  tell get
  answer '^err .*az login'
  sign_in
  gets_again 40
}
