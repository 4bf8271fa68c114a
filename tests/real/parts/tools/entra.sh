# What the stand-ins for the other tools share: a token from Entra, for the app of $TOOL_APP, who is signed in.
# shellcheck shell=sh
# Not from PATH: a case may leave it without Azure CLI, and with it without everything else.
PATH=/usr/local/bin:/usr/bin:/bin
[ -z "${TOOL_LOG:-}" ] || echo "${0##*/}" >>"$TOOL_LOG"

# ask RESOURCE: prints Entra's answer, whichever it is.
ask() {
  curl -sS "$ENTRA_HTTP/$TENANT_ID/oauth2/token" -d grant_type=client_credentials -d "client_id=$TOOL_APP" \
    -d "client_secret=$TOOL_APP-secret" --data-urlencode "resource=$1"
}
