#!/bin/sh
# Brings what the commands need: the npm packages with their Node 24, the runner in few files (functions/build.ts),
# PostgreSQL's server and client, and nats-server.
#   sh deploy/local/setup.sh          what make demo and make up need
#   sh deploy/local/setup.sh test     and what only the tests do: chromium, and prometheus for its promtool
#   sh deploy/local/setup.sh e2e      and what the Kubernetes and the NFS export of the tests take (Debian, Ubuntu)
#   sh deploy/local/setup.sh tools    the npm packages: all that speaking to a gateway takes
# May run as often as you like; does nothing when all is there. Says what it installs.
set -eu
cd "$(dirname "$0")/../.."

node=node_modules/node/bin/node
stamp=node_modules/.keepsake-lock # the package-lock.json that node_modules was made from
prefix=${SETUP_PREFIX:-} # of the places that are looked into; for tests

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$@"
  exit 1
}

install_packages() {
  wanted='Node 20 or newer, with npm, is needed to begin with: https://nodejs.org, or your system'\''s packages.'
  command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || fail "$wanted"
  found=$(node --version)
  major=${found#v}
  [ "${major%%.*}" -ge 20 ] || fail "$wanted Found: $found."
  say "Installing the npm packages, among them Node 24 (npm ci)"
  npm ci --include=dev --no-audit --no-fund --no-update-notifier --loglevel=error >&2 || fail "npm ci failed; what it says stands above."
  [ -x "$node" ] || fail "npm did not install Node 24. Is ignore-scripts set? Try: npm rebuild node --ignore-scripts=false"
  cp package-lock.json "$stamp"
}

# Debian and Homebrew keep servers off the PATH of most users.
has() {
  command -v "$1" >/dev/null 2>&1 && return 0
  for path in "$prefix"/usr/lib/postgresql/*/bin/"$1" "$prefix"/usr/pgsql-*/bin/"$1" \
    "$prefix"/usr/sbin/"$1" "$prefix"/usr/local/sbin/"$1" "$prefix"/opt/homebrew/bin/"$1" \
    "$prefix"/opt/homebrew/opt/*/bin/"$1" "$prefix"/usr/local/opt/postgresql*/bin/"$1"; do
    [ -x "$path" ] && return 0
  done
  return 1
}

has_all() {
  for program; do has "$program" || return 1; done
}

has_browser() {
  has chromium || has chromium-browser || [ -d "$prefix/Applications/Chromium.app" ]
}

# Debian's packages start their servers, and again at each boot, and PostgreSQL's makes a database of the system's own:
# nobody asked for that.
install_packages_of_debian() {
  no_cluster=$prefix/etc/postgresql-common/createcluster.d/keepsake-setup.conf
  no_start=$prefix/usr/sbin/policy-rc.d # https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
  [ -e "$no_start" ] && no_start=
  trap 'rm -f "$no_cluster" ${no_start:+"$no_start"}' EXIT
  trap 'exit 130' INT # without these Debian's sh ends without a word to EXIT
  trap 'exit 143' TERM HUP
  mkdir -p "${no_cluster%/*}" "$prefix/usr/sbin"
  echo 'create_main_cluster = false' >"$no_cluster"
  if [ -n "$no_start" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$no_start"
    chmod 755 "$no_start"
  fi
  services=
  for package; do
    case $package in
      nats-server | prometheus) services="$services $package" ;;
      nfs-ganesha)
        services="$services $package"
        # It comes along, and opens a port.
        has rpcbind || services="$services rpcbind.socket rpcbind"
        ;;
    esac
  done
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >&2 || fail "apt-get update failed; what it says stands above."
  apt-get install -q -y --no-install-recommends "$@" >&2 || fail "apt-get install failed; what it says stands above."
  for service in $services; do
    ! command -v systemctl >/dev/null 2>&1 || systemctl --quiet disable "$service" >&2 || :
  done
}

# What is missing, as Debian calls it, as Homebrew does, and in words.
debian=
homebrew=
words=
missing() {
  debian="$debian${debian:+ }$1"
  homebrew="$homebrew${homebrew:+ && }brew install $2"
  words="$words${words:+, }$3"
}

# Whether apt-get can bring them: not every release and processor has all that Debian has.
release_has() {
  command -v apt-get >/dev/null 2>&1 || return 1
  # A fresh container knows of no package.
  apt-cache show bash >/dev/null 2>&1 || apt-get update -q >&2 || return 1
  for package; do apt-cache show "$package" >/dev/null 2>&1 || return 1; done
}

install_missing() {
  if [ "$(uname -s)" = Darwin ]; then
    fail "Needed: $words. Type: $homebrew"
  elif ! command -v apt-get >/dev/null 2>&1; then
    fail "Needed: $words. Install them from your system's packages."
  elif [ "$(id -u)" != 0 ]; then
    fail "Needed: $words. Type: sudo apt-get update && sudo apt-get install -y --no-install-recommends $debian"
  fi
  say "Installing $words (apt-get install $debian)"
  # shellcheck disable=SC2086 # names of packages
  install_packages_of_debian $debian
}

if [ ! -x "$node" ] || ! cmp -s package-lock.json "$stamp"; then install_packages; fi
[ "${1:-}" = tools ] && exit 0
"$node" functions/build.ts || say "Runs begin more slowly: the runner could not be bundled."
has_all postgres initdb pg_dump psql ||
  missing "postgresql postgresql-client" postgresql@17 "PostgreSQL's server and client (postgres, initdb, pg_dump, psql)"
has nats-server || missing nats-server nats-server nats-server
if [ "${1:-}" = test ]; then
  has_browser || missing chromium "--cask chromium" chromium
  has promtool || missing prometheus prometheus "promtool of prometheus"
fi
if [ "${1:-}" = e2e ]; then
  [ "$(uname -s)" = Linux ] || fail "The tests on Kubernetes and on NFS need Linux. make test E2E=no leaves them out."
  has go || missing golang-go go Go
  has mmdebstrap || missing mmdebstrap mmdebstrap mmdebstrap
  has_all ip iptables nsenter || missing "iproute2 iptables util-linux" iproute2 "ip, iptables and nsenter"
  has openssl || missing openssl openssl openssl
  [ -x "$prefix/bin/busybox" ] || missing busybox-static busybox busybox
  [ -x "$prefix/usr/lib/cni/bridge" ] || missing containernetworking-plugins cni "the plugins of CNI"
  if ! has_all linux.uml ganesha.nfsd; then
    if [ "$(id -u)" = 0 ] && release_has user-mode-linux nfs-ganesha-vfs; then
      missing "user-mode-linux nfs-ganesha nfs-ganesha-vfs" nfs-ganesha "an NFS server and Linux as its client (ganesha.nfsd, linux.uml)"
    else
      say "The tests on a real NFS export are skipped: they need root, and user-mode-linux and nfs-ganesha-vfs of Debian."
    fi
  fi
fi
[ -z "$debian" ] || install_missing
