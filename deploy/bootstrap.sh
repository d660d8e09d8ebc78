#!/usr/bin/env bash
# Makes .venv from uv.lock. First argument: `product`, or `development` for the tests' packages too.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "slipway: $*" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed: install it and run again."
}

make_environment() {
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        fail "$python has no venv: install it (Debian, Ubuntu: apt install python3-venv) and run again."
    fi
    echo "Creating .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv || fail "$python -m venv failed, see above: check that $PWD can be written."
}

pinned_uv() {
    awk '$0 == "name = \"uv\"" {getline; gsub(/version = |"/, ""); print; exit}' uv.lock
}

groups=()
if [ "${1:-development}" = product ]; then
    # Packages of the tests that are there already stay.
    groups=(--no-group dev)
fi

.venv/bin/python -c '' 2>/dev/null || make_environment
if [ ! -x .venv/bin/uv ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(pinned_uv)" ||
        fail "uv could not be installed: check the connection to the package index and run again."
fi
UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never \
    .venv/bin/uv sync --quiet --frozen --inexact "${groups[@]}" ||
    fail "The locked packages could not be installed: check the connection to the package index and run again."
