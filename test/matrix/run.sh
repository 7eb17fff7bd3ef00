#!/usr/bin/env bash
# The same behaviour on every supported major: installs the majors that `npm ci` leaves out, then runs the suites of cycles and privileges on each.
# MAJORS: which ones. BETWEEN: on these only what the majors themselves do differently, and not what is ours alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d test/matrix/node_modules/postgres-13 ] || npm install --prefix test/matrix --no-package-lock --no-audit --no-fund
on() { # major, files…
  echo "PostgreSQL $1"
  PG_MAJOR=$1 vitest run --project quick --project thorough --project triggers "${@:2}"
}
for major in ${MAJORS-14 15 16 17 18}; do on "$major" test/access test/cycle test/guard test/import test/privileges test/triggers; done
for major in ${BETWEEN-}; do
  on "$major" test/cycle/{admin,fingerprint,heirs,own-rights,passed-on,passwords,platforms,privileges,release,users}.test.ts \
    test/privileges/{admins,cases,handed-out,inherent,kinds,lapsed,objects-to-come,values}.test.ts test/triggers/{admins,objects,restore}.test.ts
done
# PostgreSQL 13 is not supported, and is told so.
vitest run --project thorough test/daemon/outages.test.ts
