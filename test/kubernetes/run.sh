#!/usr/bin/env bash
# The suite against a real kube-apiserver with etcd and RBAC; builds both first where KUBEBUILDER_ASSETS and the cache have none.
set -euo pipefail
cd "$(dirname "$0")/../.."
KUBEBUILDER_ASSETS="$(bash test/support/kube-assets.sh)"
export KUBEBUILDER_ASSETS
exec vitest run --project kubernetes "$@"
