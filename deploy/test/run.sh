#!/usr/bin/env bash
# All checks and all tests; goes on after a failure, to show them all, and says what was skipped.
set -uo pipefail
cd "$(dirname "$0")/../.."
began=$SECONDS
failed=()

deploy/test/prepare.sh || failed+=("preparation")
deploy/test/lint.sh || failed+=("lint")

export SLIPWAY_RUNTIME_BASE_IMAGE=${SLIPWAY_RUNTIME_BASE_IMAGE:-slipway-test-base}
echo "== tests without real servers, in parallel"
.venv/bin/python -m pytest -m "not real" --numprocesses "$(nproc)" --quiet ||
    failed+=("tests")
echo "== real tests: Docker, Envoy, a browser and killed processes"
# Each file stays with one process: its tests share a running product.
.venv/bin/python -m pytest -m real --numprocesses 2 --dist loadfile --durations 15 --quiet ||
    failed+=("real tests")

echo "Took $((SECONDS - began)) s"
if [ ${#failed[@]} -gt 0 ]; then
    echo "Failed: ${failed[*]}" >&2
    exit 1
fi
