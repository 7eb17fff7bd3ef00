#!/usr/bin/env bash
# The steps of the Dockerfile without Docker: the program alone, in an empty folder with no package beside it, must start and explain itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
node="$PWD/node_modules/.bin/node"
example="$PWD/manifests/example/users.yaml"
work="$(mktemp -d)"; trap 'rm -rf "$work"' EXIT
npm run build
cp package.json "$work/"; mv dist "$work/dist"; cp -r bin "$work/bin"
read -r -a flags <<<"$(sed -n 's/^CMD \[\(.*\)\]$/\1/p' Dockerfile | tr -d '",')"
cd "$work"
# Only packages of the image are within, none of the tools, each with its licence, and told to scanners.
for package in pg zod yaml fastify @kubernetes/client-node; do
  grep -q "^$package [0-9.]*: " dist/licences.txt && grep -qF "pkg:npm/${package/@/%40}@" dist/packages.cdx.json || { echo "nothing tells that $package is within"; exit 1; }
done
for tool in vitest typescript embedded-postgres node fast-check knip rolldown; do
  if grep -q "^$tool [0-9.]*: " dist/licences.txt; then echo "the image would hold $tool"; exit 1; fi
done
chmod -R a-w bin dist
# A bad setting must end it with our message: every module that starts was found. Then a start with the Kubernetes client loaded.
if output="$(DB_PORT=many "$node" "${flags[@]}" 2>&1)"; then echo 'a bad setting was accepted'; exit 1; fi
grep -q 'DB_PORT=many' <<<"$output"
KUBECONFIG=/nowhere DB_HOST=127.0.0.1 DB_PORT=1 HTTP_HOST=127.0.0.1 HTTP_PORT=0 STATE_FILE="$work/state.json" timeout -s TERM 4 "$node" "${flags[@]}" >"$work/log" 2>&1 || true
grep -q 'pgsteward started' "$work/log" && grep -q 'pgsteward stopped' "$work/log"
# The verbs, by their name from elsewhere. What is large is read in the thread, whose program must be found as well.
{ echo 'users:'; for user in $(seq 1000); do echo "- {username: user-$user, comment: a document of some length}"; done; } >"$work/large.yaml"
(cd / && PATH="$work/bin:$(dirname "$node"):$PATH" && pgsteward --version && pgsteward validate "$example" "$work/large.yaml" && pgsteward schema >/dev/null)
du -sh dist
