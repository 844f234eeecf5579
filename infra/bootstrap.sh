#!/usr/bin/env bash
# Creates .venv with the locked dependencies and the project (editable). Run by make when needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
"$python" - <<'PY' || { echo "Suyuan needs Python 3.11 or newer; set PYTHON=/path/to/python3.11 and try again." >&2; exit 3; }
import sys
sys.exit(sys.version_info < (3, 11))
PY

# uv reads UV_FIND_LINKS only; folders that pip is told of count for us as well.
find_links=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
export UV_FIND_LINKS="${find_links// /,}" UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180}

started=$SECONDS
[ -x .venv/bin/python ] || "$python" -m venv .venv
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
.venv/bin/uv pip install --quiet --python .venv/bin/python -e . --group dev \
  --constraints infra/constraints.txt --overrides infra/overrides.txt
touch .venv/.stamp
echo "Environment ready in $((SECONDS - started)) s." >&2
