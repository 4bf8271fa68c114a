# Puts the parts into $CACHE, once. Everything comes from the package registries that the machine is set up for.
# shellcheck shell=bash

AZ_VERSION=2.91.0
MEDPLUM_VERSION=4.1.6
HELIOS_VERSION=0.2.7
DEBIAN_PACKAGES=(apache2-bin libapache2-mod-auth-openidc orthanc orthanc-dicomweb orthanc-python)

# Prints why the parts cannot be had and ends with the status that callers can tell from a failed case.
cannot() {
  echo "tests/real: $*" >&2
  exit 3
}

check_tools() {
  local tool missing=()
  for tool in cargo cc curl flock jq node npm openssl python3 setpriv setsid ss; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]} == 0)) ||
    cannot "not found: ${missing[*]}. On Debian: apt-get install gcc curl jq nodejs npm openssl python3-venv iproute2 util-linux"
  python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    cannot "needs Python 3.10 or newer with venv. On Debian: apt-get install python3-venv"
  node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || cannot "needs Node.js 20 or newer"
}

# part NAME FUNCTION: makes $CACHE/NAME by FUNCTION, which works in that folder. A half-made one is made anew.
part() {
  local folder=$CACHE/$1
  [[ -e $folder/.complete ]] && return
  echo "installing $1 ..." >&2
  rm -rf "$folder"
  mkdir -p "$folder"
  # Not "( ... ) || ...", which would switch set -e off inside.
  (cd "$folder" || exit; "$2") >"$CACHE/$1.log" 2>&1 &
  wait $! || {
    tail -n 20 "$CACHE/$1.log" >&2
    cannot "installing $1 failed, see $CACHE/$1.log"
  }
  touch "$folder/.complete"
}

# The command modules that are not needed are most of the real CLI's size and start time.
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

# Unpacked beside the system, not installed into it: needs no root, and no service is enabled or started.
install_debian() {
  local packages
  echo "If a package is not found, as root: apt-get update, or apt-get install ${DEBIAN_PACKAGES[*]}"
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

# A file of a Debian package: the unpacked one, or the installed one. The pattern is relative to the root.
debian_file() {
  compgen -G "$CACHE/debian/$1" || compgen -G "/$1" || cannot "/$1 is in none of ${DEBIAN_PACKAGES[*]}"
}

# Where the parts are, once they are there.
# shellcheck disable=SC2034 # used by parts.sh
locate_parts() {
  PYTHON=$CACHE/az-$AZ_VERSION/bin/python
  REAL_AZ=$CACHE/az-$AZ_VERSION/bin/az
  ORTHANC=$(debian_file usr/sbin/Orthanc)
  APACHE=$(debian_file usr/sbin/apache2)
  APACHE_MODULES=$(dirname "$(debian_file usr/lib/apache2/modules/mod_auth_openidc.so)")
  ORTHANC_DICOMWEB=$(debian_file "usr/lib/orthanc/libOrthancDicomWeb.so.*")
  ORTHANC_PYTHON=$(debian_file "usr/lib/orthanc/libOrthancPython.so.*")
  DCMDICTPATH=$(debian_file "usr/share/libdcmtk*/dicom.dic")
  DEBIAN_LIBRARIES=$CACHE/debian/usr/lib/$(cc -print-multiarch)
  export REAL_AZ APACHE APACHE_MODULES DEBIAN_LIBRARIES ORTHANC_DICOMWEB ORTHANC_PYTHON DCMDICTPATH
}

install_parts() {
  check_tools
  mkdir -p "$CACHE"
  exec {lock}>"$CACHE/lock"
  flock "$lock"
  part "az-$AZ_VERSION" install_az
  part "medplum-$MEDPLUM_VERSION" install_medplum
  if command -v apt-get >/dev/null; then
    part debian install_debian
  elif ! [[ -e /usr/sbin/Orthanc && -e /usr/lib/apache2/modules/mod_auth_openidc.so ]]; then
    cannot "needs what Debian has as ${DEBIAN_PACKAGES[*]}"
  fi
  part loopback install_loopback
  if [[ -n ${WITH_HELIOS:-} ]]; then
    part "helios-$HELIOS_VERSION" install_helios
  fi
  exec {lock}>&-
  locate_parts
}
