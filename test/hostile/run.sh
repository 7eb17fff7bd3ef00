#!/usr/bin/env bash
# Random hostile histories over every supported major: installs the majors that `npm ci` leaves out, then runs them.
# COUNT: histories in all (500). SEED: of all of them. ONLY: the number of one history, to see it again. VERBOSE=1: what each did.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d test/matrix/node_modules/postgres-14 ] || npm install --prefix test/matrix --no-package-lock --no-audit --no-fund
vitest run --project hostile "$@"
