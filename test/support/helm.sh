#!/usr/bin/env bash
# Prints where Helm of a major version is, and builds it from its Go module first where it is not there yet: `helm.sh 4`, `helm.sh 3`.
# `helm.sh 4 --there` builds nothing, and ends with 1 where there is none.
# HELM4 and HELM3 name a binary that is there already; else it is kept in the user's cache, once for all checkouts.
set -euo pipefail
major=${1:?which major version: 3 or 4}
case $major in
  4) version=4.3.1 ;;
  3) version=3.22.0 ;;
  *) echo "helm: there is 3 and 4, and not $major" >&2; exit 1 ;;
esac
given="HELM$major"
if [ -n "${!given:-}" ]; then
  [ -x "${!given}" ] || { echo "helm: $given=${!given} cannot be run" >&2; exit 1; }
  echo "${!given}"; exit 0
fi
cache="${XDG_CACHE_HOME:-$HOME/.cache}/pgsteward/helm-$version"
if [ -x "$cache/helm" ]; then echo "$cache/helm"; exit 0; fi
[ "${2:-}" != --there ] || exit 1
export PATH="$PATH:/usr/local/go/bin"
command -v go >/dev/null || { echo "helm: Go is needed to build Helm; install it, or set $given" >&2; exit 1; }
# Beside its destination, so that the move at the end is a rename: nobody ever sees half a binary.
mkdir -p "$cache"
work="$(mktemp -d "$cache/build.XXXXXX")"; trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" GOBIN="$work"
go install -trimpath -ldflags "-s -w -X helm.sh/helm/v$major/internal/version.version=v$version" "helm.sh/helm/v$major/cmd/helm@v$version" >&2
mv "$work/helm" "$cache/helm"
echo "$cache/helm"
