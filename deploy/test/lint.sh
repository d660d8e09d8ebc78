#!/usr/bin/env bash
# Checks style, types, layers, templates and migrations; goes on after a failure, to show them all.
set -uo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.venv/bin:$PATH"
failed=()

check() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

# The type checker and the migrations check read the settings; neither uses a database.
export DATABASE_URL=postgresql://nobody@/nothing SLIPWAY_SECRET_KEY=only-to-read-the-settings
export SLIPWAY_ENCRYPTION_KEYS=MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=

check "style" ruff check .
check "format" ruff format --check .
check "layers" lint-imports --no-logo
check "types" mypy .
check "templates" djlint --quiet --lint templates
check "migrations" python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

if [ ${#failed[@]} -gt 0 ]; then
    echo "Failed: ${failed[*]}" >&2
    exit 1
fi
