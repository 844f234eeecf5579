#!/usr/bin/env bash
# Tests: `unit` = unit and property; `all` = those, then integration. DIST and INTEGRATION_DIST are
# the numbers of processes, 2 by default; 0 is this one. Integration hands out whole files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} DO_NOT_TRACK=1 PREFECT_LOGGING_LEVEL=${PREFECT_LOGGING_LEVEL:-WARNING}
# Hundreds of processes start here; without byte code on disk each would compile all it imports.
unset PYTHONDONTWRITEBYTECODE
SUYUAN_HOME=$(mktemp -d)
export SUYUAN_HOME
trap 'rm -rf "$SUYUAN_HOME"' EXIT
.venv/bin/python -m pytest -q -n "${DIST:-2}" tests/unit tests/property tests/golden
[ "${1:-all}" = unit ] || .venv/bin/python -m pytest -q -n "${INTEGRATION_DIST:-2}" --dist loadfile \
  --no-loadscope-reorder tests/integration
