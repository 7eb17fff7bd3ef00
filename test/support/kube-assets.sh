#!/usr/bin/env bash
# Prints a folder with kube-apiserver and etcd, and builds them from their Go modules first where they are not there yet.
# KUBEBUILDER_ASSETS names a folder that has them already; else they are kept in the user's cache, once for all checkouts.
set -euo pipefail
KUBERNETES=1.36.1
ETCD=3.6.8
have() { [ -x "$1/kube-apiserver" ] && [ -x "$1/etcd" ]; }
if [ -n "${KUBEBUILDER_ASSETS:-}" ] && have "$KUBEBUILDER_ASSETS"; then echo "$KUBEBUILDER_ASSETS"; exit 0; fi
cache="${XDG_CACHE_HOME:-$HOME/.cache}/pgsteward/kube-$KUBERNETES-etcd-$ETCD"
if have "$cache"; then echo "$cache"; exit 0; fi
export PATH="$PATH:/usr/local/go/bin"
command -v go >/dev/null || { echo "kube-assets: Go is needed to build kube-apiserver and etcd; install it, or set KUBEBUILDER_ASSETS" >&2; exit 1; }
# Beside its destination, so that the moves at the end are renames: nobody ever sees half a binary.
mkdir -p "$(dirname "$cache")"
work="$(mktemp -d "$(dirname "$cache")/build.XXXXXX")"; trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"

# A module whose own go.mod points at siblings cannot be installed by name; one that requires it can build its commands.
build() { # module version package output; further arguments are replacements
  local module=$1 version=$2 package=$3 output=$4; shift 4
  mkdir -p "$work/$output.d"; cd "$work/$output.d"
  go mod init scratch >/dev/null 2>&1
  local file; file="$(go mod download -json "$module@v$version" | sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",\{0,1\}$/\1/p')"
  [ "$module" != k8s.io/kubernetes ] || sed -nE 's#^[[:space:]]*(k8s\.io/[a-z0-9-]+) v0\.0\.0($|[[:space:]]).*#\1#p' "$file" | sort -u | while read -r sibling; do
    go mod edit -replace="$sibling=$sibling@v0.${version#1.}"
  done
  go mod edit -require="$module@v$version"
  go build -trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$KUBERNETES" -o "$work/$output" "$package" >&2
}
build go.etcd.io/etcd/server/v3 "$ETCD" go.etcd.io/etcd/server/v3 etcd
build k8s.io/kubernetes "$KUBERNETES" k8s.io/kubernetes/cmd/kube-apiserver kube-apiserver
mkdir -p "$cache"
mv "$work/etcd" "$cache/etcd"; mv "$work/kube-apiserver" "$cache/kube-apiserver"
echo "$cache"
