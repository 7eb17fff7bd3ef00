#!/usr/bin/env bash
# `version.sh v1.2.3`: prints version=1.2.3 where package.json and the chart say that too, and fails where one of them says something else.
set -euo pipefail
cd "$(dirname "$0")/../.."
tag=${1:?the tag}
version="$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)"
[ "$tag" = "v$version" ] || { echo "the tag is $tag, and package.json says $version: tag v$version, or change the version" >&2; exit 1; }
for key in version appVersion; do
  grep -qx "$key: $version" manifests/helm/Chart.yaml || { echo "manifests/helm/Chart.yaml has another $key than package.json, which says $version" >&2; exit 1; }
done
grep -q "^## \[$version\] - [0-9]" CHANGELOG.md || { echo "CHANGELOG.md has no day for $version" >&2; exit 1; }
echo "version=$version"
