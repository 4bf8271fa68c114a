# Starts the services on 127.0.0.1, each with a log and a pid file in $RUN, and stops them by that pid.
# shellcheck shell=bash

# start NAME COMMAND...: starts a service in its own process group, so that Ctrl-C does not reach it before stop_services.
# It also ends if this script is killed.
start() {
  setsid setpriv --pdeathsig TERM "${@:2}" >"$RUN/log/$1" 2>&1 </dev/null &
  echo $! >"$RUN/pid/$1"
}

# wait_for NAME COMMAND...: waits until the command succeeds. Fails after 60 s or if the service exits.
wait_for() {
  local name=$1 deadline=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$(<"$RUN/pid/$name")" 2>/dev/null || ((SECONDS > deadline)); then
      echo "tests/real: $name did not start:" >&2
      tail -n 20 "$RUN/log/$name" >&2
      return 1
    fi
    sleep 0.1
  done
}

# Stops all services. Kills the process group of a service that does not stop within 5 s.
stop_services() {
  local file pid tries
  for file in "$RUN"/pid/*; do
    [[ ! -e $file ]] || kill "$(<"$file")" 2>/dev/null || true
  done
  for file in "$RUN"/pid/*; do
    [[ -e $file ]] || continue
    pid=$(<"$file")
    for ((tries = 50; tries > 0; tries--)); do
      kill -0 "$pid" 2>/dev/null || continue 2
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
  done
}

responds() {
  curl -sf -o "$RUN/response" "$1"
}

free_ports() {
  python3 - "$1" <<'PYTHON'
import socket, sys
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(server.getsockname()[1] for server in servers))
PYTHON
}

make_certificates() {
  (
    cd "$RUN/tls" || exit
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=azure_healthcare_auth test CA" -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout entra.key -out entra.csr
    openssl x509 -req -in entra.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out entra.pem \
      -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1")
  ) 2>"$RUN/log/openssl"
}

start_entra() {
  start entra "$PYTHON" "$HERE/entra.py" --cert "$RUN/tls/entra.pem" --cert-key "$RUN/tls/entra.key" \
    --tenant "$TENANT_ID" --client-id "$CLIENT_ID"
  wait_for entra grep -q https "$RUN/log/entra"
  ENTRA_HTTPS=$(jq -r .https "$RUN/log/entra")
  ENTRA_HTTP=$(jq -r .http "$RUN/log/entra")
  export ENTRA_HTTPS ENTRA_HTTP
}

start_orthanc() {
  mkdir "$RUN/orthanc"
  ORTHANC_STORAGE=$RUN/orthanc ORTHANC_SCRIPT=$HERE/parts/changefeed.py PYTHONDONTWRITEBYTECODE=1 \
    LD_LIBRARY_PATH=$DEBIAN_LIBRARIES LD_PRELOAD=$CACHE/loopback/loopback.so \
    start orthanc "$ORTHANC" "$HERE/parts/orthanc.json"
}

store_dicom() {
  local sample
  DICOM_SAMPLES=$("$PYTHON" -c 'import pydicom.data as d; print(*d.__path__)')/test_files
  export DICOM_SAMPLES
  for sample in CT_small MR_small; do
    curl -sSf -o "$RUN/response" --data-binary @"$DICOM_SAMPLES/$sample.dcm" "http://127.0.0.1:$ORTHANC_PORT/instances"
  done
}

start_fhir() {
  local helios=$CACHE/helios-$HELIOS_VERSION
  if [[ -e $helios/.complete ]]; then
    export FHIR_SERVER=helios
    mkdir "$RUN/helios"
    HFS_SERVER_HOST=127.0.0.1 HFS_SERVER_PORT=$FHIR_PORT HFS_BASE_URL=$FHIR_URL \
      HFS_DATABASE_URL=:memory: HFS_DATA_DIR=$RUN/helios HFS_UI_ENABLED=false \
      HFS_AUTH_ENABLED=true HFS_AUTH_JWKS_URL=$ENTRA_HTTP/common/discovery/v2.0/keys \
      HFS_AUTH_AUDIENCE=$FHIR_RESOURCE HFS_AUTH_ISSUER=$ENTRA_HTTPS/$TENANT_ID/ \
      start fhir "$helios/bin/hfs"
  else
    export FHIR_SERVER=medplum
    FHIR_BASE=$FHIR_URL/ NODE_PATH=$CACHE/medplum-$MEDPLUM_VERSION/node_modules start fhir node "$HERE/parts/fhir.cjs"
  fi
}

start_gateway() {
  mkdir "$RUN/gateway"
  GATEWAY_ROOT=$RUN/gateway LD_LIBRARY_PATH=$DEBIAN_LIBRARIES \
    start gateway "$APACHE" -f "$HERE/parts/gateway.conf" -DFOREGROUND
}

# Through the gateway with a token, because Helios checks tokens too.
store_patients() {
  local token id
  token=$(curl -sSf "$ENTRA_HTTP/$TENANT_ID/oauth2/token" -d grant_type=client_credentials -d "client_id=$CLIENT_ID" \
    -d "client_secret=$CLIENT_SECRET" -d "resource=$FHIR_RESOURCE" | jq -r .access_token)
  for id in synthetic-1 synthetic-2 synthetic-3; do
    jq -n --arg id "$id" '{resourceType: "Patient", $id, name: [{family: "Synthetic", given: [$id]}]}' |
      curl -sSf -o "$RUN/response" -X PUT -H "Authorization: Bearer $token" -H "Content-Type: application/fhir+json" \
        --data-binary @- "$FHIR_URL/Patient/$id"
  done
}

# Registers the fake Entra as a cloud of Azure CLI, in a configuration directory that the cases copy.
configure_az() {
  export AZURE_CONFIG_DIR=$RUN/azure REQUESTS_CA_BUNDLE=$CA_FILE
  {
    "$REAL_AZ" cloud register -n Loopback --skip-endpoint-discovery \
      --endpoint-active-directory "$ENTRA_HTTPS" --endpoint-active-directory-resource-id "$ENTRA_HTTPS/arm" \
      --endpoint-active-directory-graph-resource-id "$ENTRA_HTTPS/graph" \
      --endpoint-microsoft-graph-resource-id "$ENTRA_HTTPS/graph" \
      --endpoint-resource-manager "$ENTRA_HTTPS" --endpoint-management "$ENTRA_HTTPS" &&
      "$REAL_AZ" cloud set -n Loopback &&
      "$REAL_AZ" config set core.instance_discovery=false core.collect_telemetry=false core.encrypt_token_cache=false
  } >"$RUN/log/az" 2>&1 || {
    tail -n 20 "$RUN/log/az" >&2
    return 1
  }
}

start_services() {
  local ports
  mkdir "$RUN/log" "$RUN/pid" "$RUN/tls"
  ports=$(free_ports 3)
  read -r ORTHANC_PORT FHIR_PORT GATEWAY_PORT <<<"$ports"
  export ORTHANC_PORT FHIR_PORT GATEWAY_PORT
  export FHIR_URL=http://127.0.0.1:$GATEWAY_PORT/fhir DICOM_URL=http://127.0.0.1:$GATEWAY_PORT
  export CA_FILE=$RUN/tls/ca.pem
  make_certificates
  start_entra
  start_orthanc
  start_fhir
  start_gateway
  configure_az
  wait_for orthanc responds "http://127.0.0.1:$ORTHANC_PORT/system"
  wait_for fhir responds "http://127.0.0.1:$FHIR_PORT/metadata"
  wait_for gateway responds "$FHIR_URL/metadata"
  store_dicom
  store_patients
}
