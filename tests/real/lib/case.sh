#!/usr/bin/env bash
# Runs one case: case.sh FILE NAME. The functions below are available to cases. A case writes only below $CASE.
set -euo pipefail
CASE=$RUN/case/$2
APP_ID=$(python3 -c 'import uuid; print(uuid.uuid4())')
APP_SECRET=$APP_ID-secret

# Set by the functions below: STATUS of the last request or program, ELAPSED_MS of the last example.
# shellcheck disable=SC2034
STATUS=
ELAPSED_MS=

# Ending a case

fail() {
  echo "$*" >"$CASE/reason"
  exit 1
}

skip() {
  echo "$*" >"$CASE/reason"
  exit 77
}

# Fake Entra: each case has its own app, so that its settings do not affect other cases

# entra_app FIELD=VALUE...: configures the case's app; values are JSON. The docstring of entra.py describes the fields.
entra_app() {
  local setting settings='{}'
  for setting; do
    settings=$(jq -c --argjson value "${setting#*=}" ".${setting%%=*} = \$value" <<<"$settings")
  done
  curl -sSf -X PUT "$ENTRA_HTTP/control/apps/$APP_ID" -d "$settings" -o "$CASE/app.json"
}

# Prints the token requests for the case's app, one "route scope" per line.
entra_requests() {
  curl -sSf "$ENTRA_HTTP/log?client_id=$APP_ID" | jq -r '.[] | "\(.route) \(.scope // .resource)"'
}

# entra_token RESOURCE: prints a token that is requested from Entra without Azure CLI
entra_token() {
  curl -sSf --cacert "$CA_FILE" "$ENTRA_HTTPS/$TENANT_ID/oauth2/v2.0/token" -d grant_type=client_credentials \
    -d "client_id=$APP_ID" -d "client_secret=$APP_SECRET" -d "scope=$1/.default" | jq -r .access_token
}

# Azure CLI, with a separate configuration directory for each case

sign_in() {
  az login --service-principal -u "$APP_ID" -p "$APP_SECRET" --tenant "$TENANT_ID" \
    --allow-no-subscriptions --skip-subscription-discovery -o none
}

# az_token RESOURCE: prints a token
az_token() {
  az account get-access-token --scope "$1/.default" --query accessToken -o tsv
}

# Prints how often Azure CLI was called for a token.
az_token_calls() {
  grep -c '^account get-access-token' "$AZ_LOG" || true
}

# Other credentials: each function sets the environment of the program

# use_client_secret [SECRET]: of the case's app
use_client_secret() {
  use_app_registration
  export AZURE_CLIENT_SECRET=${1:-$APP_SECRET}
}

# use_workload_identity [APP]: with a token file for APP instead of the case's app
use_workload_identity() {
  use_app_registration
  export AZURE_FEDERATED_TOKEN_FILE=$CASE/assertion
  curl -sSf "$ENTRA_HTTP/control/apps/${1:-$APP_ID}/assertion" | jq -j .assertion >"$AZURE_FEDERATED_TOKEN_FILE"
}

use_app_registration() {
  export AZURE_AUTHORITY_HOST=$ENTRA_HTTPS SSL_CERT_FILE=$CA_FILE AZURE_TENANT_ID=$TENANT_ID AZURE_CLIENT_ID=$APP_ID
}

# use_app_service HEADER: the managed identity of the app whose secret is HEADER
use_app_service() {
  export IDENTITY_ENDPOINT=$ENTRA_HTTP/msi/token IDENTITY_HEADER=$1
}

# Uses the Instance Metadata Service. The fake acts as a proxy, because the service's IP address is fixed.
use_imds() {
  export HTTP_PROXY=$ENTRA_HTTP http_proxy=$ENTRA_HTTP
}

# use_other_tools [APP]: installs the fakes of Azure PowerShell and Azure Developer CLI, signed in as APP, if given
use_other_tools() {
  export TOOL_LOG=$CASE/tools.log TOOL_APP=${1:-} PATH=$HERE/parts/tools:$PATH
  touch "$TOOL_LOG"
}

# Requests and programs: each sets STATUS and writes to $CASE/out and $CASE/err

# request URL [TOKEN [CURL_ARGUMENT...]]: STATUS is the HTTP status; the body is in $CASE/out, the headers are in $CASE/headers
request() {
  local header=()
  if (($# > 1)); then
    [[ $2 == eyJ* ]] || fail "no token to send"
    header=(-H "Authorization: Bearer $2")
  fi
  STATUS=$(curl -sS -o "$CASE/out" -D "$CASE/headers" -w '%{http_code}' "${header[@]}" "${@:3}" "$1")
}

# response_header NAME: prints the value of a header of the last response
response_header() {
  sed -nE "s/^$1: ([^\r]*)\r?\$/\1/Ip" "$CASE/headers"
}

# example NAME ARGUMENT...: STATUS is the exit status
example() {
  local name=$1 started=${EPOCHREALTIME/[.,]/}
  shift
  [[ -x ${EXAMPLES:-}/$name ]] || fail "the build of example $name failed (see the start of the output)"
  STATUS=0
  "$EXAMPLES/$name" "$@" >"$CASE/out" 2>"$CASE/err" || STATUS=$?
  # shellcheck disable=SC2034 # used by cases
  ELAPSED_MS=$(((${EPOCHREALTIME/[.,]/} - started) / 1000))
}

expect_status() {
  [[ $STATUS == "$1" ]] || fail "status $STATUS instead of $1: $(tail -n 5 "$CASE/err" 2>/dev/null)"
}

# expect_json FILTER: the jq filter is true for $CASE/out
expect_json() {
  jq -e "$1" "$CASE/out" >"$CASE/jq" 2>&1 || fail "not true: $1, for: $(head -c 300 "$CASE/out")"
}

# expect_line FILE PATTERN: a line of $CASE/FILE matches, ignoring case
expect_line() {
  grep -qiE -- "$2" "$CASE/$1" || fail "no line of $1 matches '$2': $(tail -n 5 "$CASE/$1")"
}

# expect_error PATTERN...: the example failed without writing to standard output, and its error matches all patterns
expect_error() {
  local pattern
  expect_status 1
  [[ ! -s $CASE/out ]] || fail "wrote to standard output: $(head -c 300 "$CASE/out")"
  for pattern; do
    expect_line err "$pattern"
  done
}

# expect_no_secret [FILE...]: neither standard error nor the files contain a token or a secret
expect_no_secret() {
  ! grep -qE 'eyJ|-secret' "$CASE/err" "$@" || fail "a token or secret was printed: $(<"$CASE/err")"
}

# The fake services of azure_healthcare_auth_testing

# start_fake [OPTION...]: starts them for this case. They end when the case ends, because their standard input closes.
start_fake() {
  local services
  [[ -x ${EXAMPLES:-}/serve ]] || fail "the build of example serve failed (see the start of the output)"
  coproc FAKE_IO { exec "$EXAMPLES/serve" "$@" 2>"$CASE/fake"; }
  read -r -t 10 services <&"${FAKE_IO[0]}" || fail "the fake services did not start: $(<"$CASE/fake")"
  FAKE_FHIR=$(jq -r .fhir.url <<<"$services")
  FAKE_FHIR_TOKEN=$(jq -r .fhir.token <<<"$services")
  FAKE_DICOM_V1=$(jq -r .dicom.v1 <<<"$services")
  FAKE_DICOM_V2=$(jq -r .dicom.v2 <<<"$services")
  FAKE_DICOM_TOKEN=$(jq -r .dicom.token <<<"$services")
  FAKE_STORAGE_TOKEN=$(jq -r .storage.token <<<"$services")
  export FAKE_FHIR FAKE_FHIR_TOKEN FAKE_DICOM_V1 FAKE_DICOM_V2 FAKE_DICOM_TOKEN FAKE_STORAGE_TOKEN
}

# client COMMAND...: runs a client, which must succeed
client() {
  "$@" >"$CASE/out" 2>"$CASE/err" || fail "$(grep -E 'Error|instead of' "$CASE/err" | tail -n 3)"
}

# The driver: a process with one client; driver/src/main.rs describes its commands

# start_driver [FHIR_URL [CREDENTIAL]]
start_driver() {
  [[ -x ${DRIVER:-} ]] || fail "the build of the driver failed (see the start of the output)"
  coproc DRIVER_IO { exec "$DRIVER" "${1:-$FHIR_URL}" "$FHIR_RESOURCE" "$DICOM_URL/v2" "${2:-cli}" 2>"$CASE/err"; }
}

# send_command COMMAND...
send_command() {
  echo "$*" >&"${DRIVER_IO[1]}"
}

# expect_reply PATTERN: the driver's next line matches
expect_reply() {
  read -r -t 240 REPLY <&"${DRIVER_IO[0]}" || fail "no reply from the driver: $(tail -n 5 "$CASE/err")"
  echo "$REPLY"
  [[ $REPLY =~ $1 ]] || fail "the reply does not match '$1': $REPLY"
}

# Credentials that are configured on this machine must not be used.
unset "${!AZURE_@}" "${!IDENTITY_@}" MSI_ENDPOINT IMDS_ENDPOINT SSL_CERT_FILE SSL_CERT_DIR
cp -r "$RUN/azure" "$CASE/azure"
export AZURE_CONFIG_DIR=$CASE/azure AZ_LOG=$CASE/az.log
touch "$AZ_LOG"
entra_app
# shellcheck source=/dev/null
source "$1"
"case_$2"
