"""Copy benchmark figures into the documents, so that no figure is ever typed.

`<!-- figures:retrieval -->` … `<!-- /figures -->` in a document is filled with the table of
benchmarks/results/retrieval.json; `figures:retrieval bars` takes only rows with a bar. `--check` changes nothing and fails when a document differs.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from benchmarks.report import RESULTS, table

ROOT = RESULTS.parent.parent
DOCUMENTS = ("*.md", "docs/**/*.md")
_BLOCK = re.compile(
    r"(?P<open><!-- figures:(?P<noun>[a-z_]+)(?P<bars> bars)? -->\n).*?(?P<close>^<!-- /figures -->)",
    re.DOTALL | re.MULTILINE,
)


def render(noun: str, results: Path = RESULTS, *, bars: bool = False) -> str:
    """Give the text of one block: where and when it was measured, and the table."""
    path = results / f"{noun}.json"
    if not path.is_file():
        raise SystemExit(f"no {path.name}: run `python -m benchmarks.{noun}` first")
    found = json.loads(path.read_text("utf-8"))
    env = found["env"]
    size = "a shortened run" if env.get("quick") else "a full run"
    head = (
        f"Made by `{env['command']}` ({size}) on {env['date'][:10]}, "
        f"{env['cores']} cores of {env['cpu']}, load {env['load'][0]}."
    )
    rows = [row for row in found["results"] if row["bar"] or not bars]
    return f"{head}\n\n{table(rows)}\n"


def fill(text: str, results: Path = RESULTS) -> str:
    """Replace the inside of every block."""
    return _BLOCK.sub(
        lambda block: (
            block["open"]
            + render(block["noun"], results, bars=bool(block["bars"]))
            + block["close"]
        ),
        text,
    )


def update(root: Path, results: Path, *, check: bool) -> list[Path]:
    """Fill the documents below root; return those that were not in step."""
    changed = []
    for path in sorted({path for glob in DOCUMENTS for path in root.glob(glob)}):
        text = path.read_text("utf-8")
        filled = fill(text, results)
        if filled != text:
            changed.append(path)
            if not check:
                path.write_text(filled, "utf-8")
    return changed


def main() -> int:
    """Fill the documents, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    check = parser.parse_args().check
    changed = update(ROOT, RESULTS, check=check)
    for path in changed:
        print(f"{'differs' if check else 'filled'}: {path.relative_to(ROOT)}", file=sys.stderr)
    if check and changed:
        print("run `python -m benchmarks.copy_figures`", file=sys.stderr)
    return 1 if check and changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
