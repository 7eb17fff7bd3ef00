#!/usr/bin/env bash
# The logins of other programs by the connection Secret. Their drivers are fetched first, once, into the user's cache; what is not at hand is skipped, and said.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/pgsteward/clients"
mkdir -p "$cache"
say() { echo "clients: $*"; }
have() { command -v "$1" >/dev/null; }

# Debian's psql is a script that takes longer to find the program than the program runs.
CLIENT_PSQL="$(ls /usr/lib/postgresql/*/bin/psql 2>/dev/null | tail -n 1 || true)"
[ -n "$CLIENT_PSQL" ] || CLIENT_PSQL="$(command -v psql || true)"
[ -n "$CLIENT_PSQL" ] || say 'psql is not here; its 2 tests are skipped'

version="$(sed -n 's#.*<version>\(.*\..*\)</version>.*#\1#p' test/clients/jdbc/pom.xml)"
CLIENT_JDBC="$cache/postgresql-$version.jar"
if ! have java || ! java --list-modules | grep -q '^jdk.compiler'; then
  CLIENT_JDBC=; say 'a JDK is not here; the test of JDBC is skipped'
elif [ ! -e "$CLIENT_JDBC" ]; then
  if ! have mvn; then
    CLIENT_JDBC=; say 'Maven is not here to fetch the driver; the test of JDBC is skipped'
  elif ! mvn -q -B -f test/clients/jdbc/pom.xml dependency:copy-dependencies -DexcludeTransitive=true -DoutputDirectory="$cache" >"$cache/mvn.log" 2>&1; then
    CLIENT_JDBC=; say "Maven could not fetch the driver ($cache/mvn.log says why); the test of JDBC is skipped"
  fi
fi

export PATH="$PATH:/usr/local/go/bin"
CLIENT_PGX="$cache/pgx-$(cat test/clients/pgx/* | sha256sum | cut -c1-16)"
if [ ! -x "$CLIENT_PGX" ]; then
  if ! have go; then
    CLIENT_PGX=; say 'Go is not here; its test is skipped'
  elif ! (cd test/clients/pgx && go mod download) >"$cache/go.log" 2>&1; then
    CLIENT_PGX=; say "Go could not fetch pgx ($cache/go.log says why); its test is skipped"
  else
    (cd test/clients/pgx && CGO_ENABLED=0 go build -o "$CLIENT_PGX.$$" . && mv "$CLIENT_PGX.$$" "$CLIENT_PGX")
  fi
fi
export CLIENT_PSQL CLIENT_JDBC CLIENT_PGX
exec vitest run --project clients "$@"
