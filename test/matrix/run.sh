#!/usr/bin/env bash
# The same behaviour on every supported major: installs the majors that `npm ci` leaves out, then runs the suites of cycles and privileges on each.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d test/matrix/node_modules/postgres-14 ] || npm install --prefix test/matrix --no-package-lock --no-audit --no-fund
for major in ${MAJORS:-14 15 16 17 18}; do
  echo "PostgreSQL $major"
  PG_MAJOR=$major vitest run --project quick --project triggers test/cycle test/privileges test/triggers
done
