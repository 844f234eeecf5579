"""The validation report as one HTML page.

Great Expectations' own page loads style sheets, scripts and a logo from seven hosts; this one
loads nothing, and says so in its content security policy.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;"
    "overflow-wrap:anywhere}"
    ".failed td{background:#fdecea}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}"
    ".failed td{background:#4a1512}}"
)


@dataclass(frozen=True, kw_only=True)
class Check:
    """Outcome of one expectation."""

    column: str
    expectation: str
    checked: int
    failed: int
    examples: tuple[str, ...]

    def row(self) -> dict[str, object]:
        """Give the outcome as a row of a table."""
        return {**asdict(self), "examples": ", ".join(self.examples)}


def render(title: str, n_rows: int, checks: Sequence[Check]) -> str:
    """Write the page: failed expectations first."""
    failed = sum(check.failed > 0 for check in checks)
    outcome = f"{failed} of {len(checks)} expectations failed" if failed else "all expectations met"
    body = "\n".join(_line(check) for check in sorted(checks, key=lambda check: not check.failed))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>{n_rows} rows, {outcome}.</p>
<table>
<tr><th>column</th><th>expectation</th><th>checked</th><th>failed</th><th>examples</th></tr>
{body}
</table>
</body>
</html>
"""


def _line(check: Check) -> str:
    mark = ' class="failed"' if check.failed else ""
    examples = "<br>".join(escape(example) for example in check.examples)
    return (
        f"<tr{mark}><td>{escape(check.column)}</td><td>{escape(check.expectation)}</td>"
        f'<td class="n">{check.checked}</td><td class="n">{check.failed}</td>'
        f"<td>{examples}</td></tr>"
    )
