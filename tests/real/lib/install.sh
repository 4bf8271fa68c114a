# Installs the components in $CACHE, once, from the package registries that this machine is configured for.
# shellcheck shell=bash

AZ_VERSION=2.91.0
MEDPLUM_VERSION=4.1.6
HELIOS_VERSION=0.2.7
DICOMWEB_CLIENT_VERSION=0.61.2
FHIR_KIT_VERSION=2.0.3
DEBIAN_PACKAGES=(apache2-bin libapache2-mod-auth-openidc orthanc orthanc-dicomweb orthanc-python)

# Prints why a component cannot be installed and exits with a status that differs from that of a failed case.
fail_install() {
  echo "tests/real: $*" >&2
  exit 3
}

check_tools() {
  local tool missing=()
  for tool in cargo cc curl flock jq node npm openssl python3 setpriv setsid ss; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]} == 0)) ||
    fail_install "missing commands: ${missing[*]} (on Debian: apt-get install gcc curl jq nodejs npm openssl python3-venv iproute2 util-linux)"
  python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    fail_install "Python 3.10 or newer with venv is required (on Debian: apt-get install python3-venv)"
  node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || fail_install "Node.js 20 or newer is required"
}

# install_component NAME FUNCTION: calls FUNCTION in $CACHE/NAME, unless a previous call succeeded.
install_component() {
  local folder=$CACHE/$1 started=$SECONDS
  [[ -e $folder/.complete ]] && return
  echo "installing $1 ..." >&2
  rm -rf "$folder"
  mkdir -p "$folder"
  # Not "( ... ) || ...", because that would disable set -e inside.
  (cd "$folder" || exit; "$2") >"$CACHE/$1.log" 2>&1 &
  wait $! || {
    tail -n 20 "$CACHE/$1.log" >&2
    fail_install "the installation of $1 failed (see $CACHE/$1.log)"
  }
  touch "$folder/.complete"
  echo "installed $1 in $((SECONDS - started)) s" >&2
}

# Removes the command modules that are not needed. They account for most of the size and start time of Azure CLI.
install_az() {
  local modules
  python3 -m venv .
  bin/pip install azure-cli-core==$AZ_VERSION azure-mgmt-resource==24.0.0 msrest PyJWT cryptography
  bin/pip install --no-deps azure-cli==$AZ_VERSION pydicom==2.4.4
  modules=$(bin/python -c 'import azure.cli.command_modules as m; print(*m.__path__)')
  find "$modules" -mindepth 1 -maxdepth 1 -type d \
    ! -name profile ! -name cloud ! -name config ! -name configure ! -name resource -exec rm -r {} +
}

install_medplum() {
  npm install --prefix . --no-audit --no-fund --ignore-scripts "@medplum/fhir-router@$MEDPLUM_VERSION"
}

install_dicomweb_client() {
  python3 -m venv .
  bin/pip install dicomweb-client==$DICOMWEB_CLIENT_VERSION pydicom==3.0.2
}

install_fhir_kit() {
  npm install --prefix . --no-audit --no-fund --ignore-scripts "fhir-kit-client@$FHIR_KIT_VERSION"
}

# Unpacks the packages in $CACHE. This does not require root, and no system service is enabled or started.
install_debian() {
  local packages
  echo "If a package is not found, run as root: apt-get update, or apt-get install ${DEBIAN_PACKAGES[*]}"
  if ((EUID == 0)); then
    apt-get update
  fi
  packages=$(apt-get -s install --no-install-recommends "${DEBIAN_PACKAGES[@]}" | awk '$1 == "Inst" { print $2 }')
  # shellcheck disable=SC2086 # a list of words
  [[ -z $packages ]] || apt-get download $packages
  find . -name '*.deb' -exec dpkg-deb -x {} . \; -delete
}

install_loopback() {
  cc -O2 -Wall -Werror -shared -fPIC -o loopback.so "$HERE/parts/loopback.c" -ldl
}

install_helios() {
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$PWD/target \
    cargo install helios-hfs --version $HELIOS_VERSION --locked --debug --no-default-features --features R4,sqlite --root .
  rm -r target
}

# debian_file PATTERN: prints the path of a file of a Debian package, unpacked or installed. PATTERN is relative to /.
debian_file() {
  compgen -G "$CACHE/debian/$1" || compgen -G "/$1" || fail_install "/$1 is not in ${DEBIAN_PACKAGES[*]}"
}

# Sets the paths of the installed components.
# shellcheck disable=SC2034 # used by services.sh
locate_components() {
  PYTHON=$CACHE/az-$AZ_VERSION/bin/python
  REAL_AZ=$CACHE/az-$AZ_VERSION/bin/az
  DICOMWEB_PYTHON=$CACHE/dicomweb-client-$DICOMWEB_CLIENT_VERSION/bin/python
  FHIR_KIT=$CACHE/fhir-kit-client-$FHIR_KIT_VERSION/node_modules/fhir-kit-client/dist/index.js
  ORTHANC=$(debian_file usr/sbin/Orthanc)
  APACHE=$(debian_file usr/sbin/apache2)
  APACHE_MODULES=$(dirname "$(debian_file usr/lib/apache2/modules/mod_auth_openidc.so)")
  ORTHANC_DICOMWEB=$(debian_file "usr/lib/orthanc/libOrthancDicomWeb.so.*")
  ORTHANC_PYTHON=$(debian_file "usr/lib/orthanc/libOrthancPython.so.*")
  DCMDICTPATH=$(debian_file "usr/share/libdcmtk*/dicom.dic")
  DEBIAN_LIBRARIES=$CACHE/debian/usr/lib/$(cc -print-multiarch)
  export REAL_AZ DICOMWEB_PYTHON FHIR_KIT APACHE APACHE_MODULES DEBIAN_LIBRARIES ORTHANC_DICOMWEB ORTHANC_PYTHON DCMDICTPATH
}

install_components() {
  check_tools
  mkdir -p "$CACHE"
  exec {lock}>"$CACHE/lock"
  flock "$lock"
  install_component "az-$AZ_VERSION" install_az
  install_component "medplum-$MEDPLUM_VERSION" install_medplum
  install_component "dicomweb-client-$DICOMWEB_CLIENT_VERSION" install_dicomweb_client
  install_component "fhir-kit-client-$FHIR_KIT_VERSION" install_fhir_kit
  if command -v apt-get >/dev/null; then
    install_component debian install_debian
  elif ! [[ -e /usr/sbin/Orthanc && -e /usr/lib/apache2/modules/mod_auth_openidc.so ]]; then
    fail_install "the software of these Debian packages is required: ${DEBIAN_PACKAGES[*]}"
  fi
  install_component loopback install_loopback
  if [[ -n ${WITH_HELIOS:-} ]]; then
    install_component "helios-$HELIOS_VERSION" install_helios
  fi
  exec {lock}>&-
  locate_components
}
