#!/usr/bin/env bash
# Runs the programs of benchmarks/ that measure: all, or those named.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/test/prepare.sh bench
names=("$@")
if [ ${#names[@]} = 0 ]; then
    mapfile -t names < <(grep -l '__main__' benchmarks/*.py | xargs -n1 basename | sed 's/\.py$//')
fi
for name in "${names[@]}"; do
    echo "== $name"
    .venv/bin/python -m "benchmarks.$name"
done
