# Shared by the fake tools: requests a token from Entra for the signed-in app $TOOL_APP.
# shellcheck shell=sh
# A case may set a PATH that excludes Azure CLI and, with it, the commands used here.
PATH=/usr/local/bin:/usr/bin:/bin
[ -z "${TOOL_LOG:-}" ] || echo "${0##*/}" >>"$TOOL_LOG"

# request_token RESOURCE: prints the response of Entra, which may be an error
request_token() {
  curl -sS "$ENTRA_HTTP/$TENANT_ID/oauth2/token" -d grant_type=client_credentials -d "client_id=$TOOL_APP" \
    -d "client_secret=$TOOL_APP-secret" --data-urlencode "resource=$1"
}
