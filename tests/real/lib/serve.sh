# Keeps the services running for manual use, with Azure CLI signed in.
# shellcheck shell=bash

serve() {
  local name
  az login --service-principal -u "$CLIENT_ID" -p "$CLIENT_SECRET" --tenant "$TENANT_ID" \
    --allow-no-subscriptions --skip-subscription-discovery -o none
  for name in FHIR_URL FHIR_RESOURCE FHIR_SERVER DICOM_URL DICOM_RESOURCE TENANT_ID CLIENT_ID CLIENT_SECRET \
    ENTRA_HTTPS ENTRA_HTTP CA_FILE REQUESTS_CA_BUNDLE AZURE_CONFIG_DIR REAL_AZ \
    HTTPS_PROXY HTTP_PROXY NO_PROXY https_proxy http_proxy no_proxy; do
    echo "export $name=${!name@Q}"
  done >"$RUN/env"
  # shellcheck disable=SC2016 # expanded by the shell that sources the file
  echo "export PATH=${HERE@Q}/parts/bin:\$PATH" >>"$RUN/env"
  cat "$RUN/env"
  echo "In another shell: source $RUN/env. Press Ctrl-C here to stop all services." >&2
  while sleep 1; do :; done
}
