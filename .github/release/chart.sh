#!/usr/bin/env bash
# `chart.sh IMAGE DIGEST FOLDER`: packages the chart with this image as its default, by its digest, and prints the package. HELM names the binary.
set -euo pipefail
cd "$(dirname "$0")/../.."
image=${1:?the image} digest=${2:?its digest} folder=${3:?where the package goes}
[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "«$digest» is no digest" >&2; exit 1; }
[[ $image =~ ^[a-z0-9][-a-z0-9._/:]*$ ]] || { echo "«$image» is no name of an image" >&2; exit 1; }
work="$(mktemp -d)"; trap 'rm -rf "$work"' EXIT
cp -r manifests/helm "$work/pgsteward"
sed -i -e "s|^  repository: pgsteward\$|  repository: $image|" -e "s|^  digest: \"\"\$|  digest: $digest|" "$work/pgsteward/values.yaml"
grep -qx "  repository: $image" "$work/pgsteward/values.yaml" && grep -qx "  digest: $digest" "$work/pgsteward/values.yaml" || { echo 'values.yaml has no place for the image' >&2; exit 1; }
mkdir -p "$folder"
"${HELM:-helm}" package "$work/pgsteward" --destination "$folder" >&2
ls "$folder"/pgsteward-*.tgz
