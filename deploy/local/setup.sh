#!/bin/sh
# Brings what the commands need: the npm packages with their Node 24, the runner in few files (functions/build.ts),
# and PostgreSQL's server and client.
#   sh deploy/local/setup.sh          everything
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

# Debian and Homebrew keep the server's programs off the PATH.
has() {
  command -v "$1" >/dev/null 2>&1 && return 0
  for path in "$prefix"/usr/lib/postgresql/*/bin/"$1" "$prefix"/usr/pgsql-*/bin/"$1" \
    "$prefix"/opt/homebrew/opt/postgresql*/bin/"$1" "$prefix"/usr/local/opt/postgresql*/bin/"$1"; do
    [ -x "$path" ] && return 0
  done
  return 1
}

install_postgres() {
  if [ "$(uname -s)" = Darwin ]; then
    fail "PostgreSQL's server and client are needed. Type: brew install postgresql@17"
  elif ! command -v apt-get >/dev/null 2>&1; then
    fail "PostgreSQL's server and client are needed (postgres, initdb, pg_dump, psql). Install them from your system's packages."
  elif [ "$(id -u)" != 0 ]; then
    fail "PostgreSQL's server and client are needed. Type: sudo apt-get update && sudo apt-get install -y --no-install-recommends postgresql postgresql-client"
  fi
  say "Installing PostgreSQL's server and client (apt-get install postgresql postgresql-client)"
  # Debian would make a database of the system's own and start it; nobody asked for that.
  no_cluster=$prefix/etc/postgresql-common/createcluster.d/keepsake-setup.conf
  mkdir -p "${no_cluster%/*}"
  echo 'create_main_cluster = false' >"$no_cluster"
  trap 'rm -f "$no_cluster"' EXIT
  trap 'exit 130' INT # without these Debian's sh ends without a word to EXIT
  trap 'exit 143' TERM HUP
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >&2 || fail "apt-get update failed; what it says stands above."
  apt-get install -q -y --no-install-recommends postgresql postgresql-client >&2 ||
    fail "apt-get install failed; what it says stands above."
}

if [ ! -x "$node" ] || ! cmp -s package-lock.json "$stamp"; then install_packages; fi
[ "${1:-}" = tools ] && exit 0
"$node" functions/build.ts || say "Runs begin more slowly: the runner could not be bundled."
for program in postgres initdb pg_dump psql; do
  if ! has "$program"; then
    install_postgres
    break
  fi
done
