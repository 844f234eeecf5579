#!/usr/bin/env bash
# Tests: `unit` = unit and property, many processes; `all` = those, then integration in one process.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} DO_NOT_TRACK=1 PREFECT_LOGGING_LEVEL=${PREFECT_LOGGING_LEVEL:-WARNING}
SUYUAN_HOME=$(mktemp -d)
export SUYUAN_HOME
trap 'rm -rf "$SUYUAN_HOME"' EXIT
.venv/bin/python -m pytest -q -n "${DIST:-2}" tests/unit tests/property tests/golden
[ "${1:-all}" = unit ] || .venv/bin/python -m pytest -q tests/integration
