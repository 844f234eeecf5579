#!/usr/bin/env bash
# The gate before every commit: each tool reports, the first failure's status is returned at the end.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0
run() { echo "== $*" >&2; ".venv/bin/$@" || status=1; }
run ruff format --check --quiet .
run ruff check --quiet .
run lint-imports --no-logo
run mypy
run codespell
run python -m deptry . 
run python -m benchmarks.copy_figures --check
exit "$status"
