#!/usr/bin/env bash
# Runs one case: case.sh FILE NAME. What the case may use is below; everything it writes goes below $CASE.
set -euo pipefail
CASE=$RUN/case/$2
APP_ID=$(python3 -c 'import uuid; print(uuid.uuid4())')
APP_SECRET=$APP_ID-secret

# What the case's functions see: STATUS of the last request or program, TOOK of the last example in ms.
# shellcheck disable=SC2034
STATUS=
TOOK=

# ----- how a case ends, other than well

fail() {
  echo "$*" >"$CASE/reason"
  exit 1
}

skip() {
  echo "$*" >"$CASE/reason"
  exit 77
}

# ----- Entra: each case has an app of its own, so that its settings disturb no other case

# entra_app FIELD=VALUE...: the case's app from now on; values are JSON. The head of entra.py has the fields.
entra_app() {
  local setting settings='{}'
  for setting; do
    settings=$(jq -c --argjson value "${setting#*=}" ".${setting%%=*} = \$value" <<<"$settings")
  done
  curl -sSf -X PUT "$ENTRA_HTTP/control/apps/$APP_ID" -d "$settings" -o "$CASE/app.json"
}

# What Entra was asked by the case's app: one "route scope" line each.
entra_log() {
  curl -sSf "$ENTRA_HTTP/log?client_id=$APP_ID" | jq -r '.[] | "\(.route) \(.scope // .resource)"'
}

# ----- Azure CLI, with a configuration folder of the case's own

sign_in() {
  az login --service-principal -u "$APP_ID" -p "$APP_SECRET" --tenant "$TENANT_ID" \
    --allow-no-subscriptions --skip-subscription-discovery -o none
}

# token RESOURCE
token() {
  az account get-access-token --scope "$1/.default" --query accessToken -o tsv
}

# ----- other credentials: what is set where the program runs

# client_secret [SECRET]: of the case's app
client_secret() {
  app_registration
  export AZURE_CLIENT_SECRET=${1:-$APP_SECRET}
}

# workload_identity [APP]: that app's file
workload_identity() {
  app_registration
  export AZURE_FEDERATED_TOKEN_FILE=$CASE/assertion
  curl -sSf "$ENTRA_HTTP/control/apps/${1:-$APP_ID}/assertion" | jq -j .assertion >"$AZURE_FEDERATED_TOKEN_FILE"
}

app_registration() {
  export AZURE_AUTHORITY_HOST=$ENTRA_HTTPS SSL_CERT_FILE=$CA_FILE AZURE_TENANT_ID=$TENANT_ID AZURE_CLIENT_ID=$APP_ID
}

# app_service HEADER: a managed identity there, that of the app whose secret is the header
app_service() {
  export IDENTITY_ENDPOINT=$ENTRA_HTTP/msi/token IDENTITY_HEADER=$1
}

# A managed identity of the machine: its address is a fixed one, and the stand-in answers for it as a proxy.
imds() {
  export HTTP_PROXY=$ENTRA_HTTP http_proxy=$ENTRA_HTTP
}

# tools [APP]: Azure PowerShell and Azure Developer CLI are there; that app, if any, is signed in to them
tools() {
  export TOOL_LOG=$CASE/tools.log TOOL_APP=${1:-} PATH=$HERE/parts/tools:$PATH
  touch "$TOOL_LOG"
}

# ----- requests and programs: each leaves STATUS, and its output in $CASE/out and $CASE/err

# request URL [TOKEN]: STATUS is that of HTTP, the body is in $CASE/out, the headers in $CASE/headers.
request() {
  local header=()
  if (($# > 1)); then
    [[ $2 == eyJ* ]] || fail "no token to send"
    header=(-H "Authorization: Bearer $2")
  fi
  STATUS=$(curl -sS -o "$CASE/out" -D "$CASE/headers" -w '%{http_code}' "${header[@]}" "$1")
}

# example NAME ARGUMENT...: STATUS is that of the process.
example() {
  local name=$1 started=${EPOCHREALTIME/[.,]/}
  shift
  [[ -x ${EXAMPLES:-}/$name ]] || fail "example $name was not built, see the top of the run's output"
  STATUS=0
  "$EXAMPLES/$name" "$@" >"$CASE/out" 2>"$CASE/err" || STATUS=$?
  # shellcheck disable=SC2034 # for the cases
  TOOK=$(((${EPOCHREALTIME/[.,]/} - started) / 1000))
}

expect_status() {
  [[ $STATUS == "$1" ]] || fail "status $STATUS instead of $1: $(tail -n 5 "$CASE/err" 2>/dev/null)"
}

# expect_json FILTER: a jq filter that must hold for $CASE/out
expect_json() {
  jq -e "$1" "$CASE/out" >"$CASE/jq" 2>&1 || fail "not so: $1, in: $(head -c 300 "$CASE/out")"
}

# expect_line FILE PATTERN: some line of $CASE/FILE matches, without regard to case
expect_line() {
  grep -qiE -- "$2" "$CASE/$1" || fail "$1 has no line like '$2': $(tail -n 5 "$CASE/$1")"
}

# refused PATTERN...: the example failed with nothing on standard output, and its error says all of that
refused() {
  local pattern
  expect_status 1
  [[ ! -s $CASE/out ]] || fail "wrote to standard output: $(head -c 300 "$CASE/out")"
  for pattern; do
    expect_line err "$pattern"
  done
}

# ----- the driver: one client that obeys, driver/src/main.rs has its commands

# driver [FHIR_URL [CREDENTIAL]]: starts it, with standard input and output at the case's hand
driver() {
  [[ -x ${DRIVER:-} ]] || fail "the driver was not built, see the top of the run's output"
  coproc LINE { exec "$DRIVER" "${1:-$FHIR_URL}" "$FHIR_RESOURCE" "$DICOM_URL/v2" "${2:-cli}" 2>"$CASE/err"; }
}

# tell COMMAND...
tell() {
  echo "$*" >&"${LINE[1]}"
}

# answer PATTERN: the driver's next line is like that
answer() {
  read -r -t 240 ANSWER <&"${LINE[0]}" || fail "the driver said nothing: $(tail -n 5 "$CASE/err")"
  echo "$ANSWER"
  [[ $ANSWER =~ $1 ]] || fail "not like '$1': $ANSWER"
}

tokens_asked_of_az() {
  grep -c '^account get-access-token' "$AZ_LOG" || true
}

# What is set on this machine chooses no credential here.
unset "${!AZURE_@}" "${!IDENTITY_@}" MSI_ENDPOINT IMDS_ENDPOINT SSL_CERT_FILE SSL_CERT_DIR
cp -r "$RUN/azure" "$CASE/azure"
export AZURE_CONFIG_DIR=$CASE/azure AZ_LOG=$CASE/az.log
touch "$AZ_LOG"
entra_app
# shellcheck source=/dev/null
source "$1"
"case_$2"
