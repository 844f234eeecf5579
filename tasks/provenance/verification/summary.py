"""The result of a verification as metrics, as Markdown, and as an error."""

from storage.errors import CorruptError
from tasks.provenance.verification.report import VerifyReport

_SHOWN = 20


def metrics_of(report: VerifyReport) -> dict[str, float]:
    """Give the figures of a verification by name."""
    return {
        "problems": float(len(report.problems)),
        "chunks_checked": float(report.chunks_checked),
        "chunks_ok": float(report.chunks_ok),
        "chunks_mapped": float(report.chunks_mapped),
        "blobs_checked": float(report.blobs_checked),
        "parts_checked": float(report.parts_checked),
        "verified_mb": report.n_bytes / 1e6,
        "verify_mb_per_s": report.mb_per_s,
    }


def markdown_of(report: VerifyReport) -> str:
    """Say in Markdown what was proven, and list the first problems."""
    verdict = "everything is proven" if report.ok else _number(report)
    rows = {
        "chunks equal to their bytes": f"{report.chunks_ok} of {report.chunks_checked}",
        "of them down to the original": report.chunks_mapped,
        "blobs hashed": report.blobs_checked,
        "table files hashed": report.parts_checked,
        "read": f"{report.n_bytes / 1e6:.1f} MB at {report.mb_per_s:.0f} MB/s",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    problems = "\n".join(f"- `{p.node}` {p.reason}" for p in report.problems[:_SHOWN])
    return f"## Integrity: {verdict}\n\n| | |\n|---|---|\n{table}\n\n{problems}".rstrip()


def refuse_damage(report: VerifyReport) -> None:
    """Raise CorruptError about the first problem, and name how many there are, when there are any."""
    if report.ok:
        return
    first = report.problems[0]
    raise CorruptError(
        f"{first.reason} ({_number(report)} in all)",
        item=first.node,
        way_out="`suyuan verify --all` names them all; restore them from a copy",
    )


def _number(report: VerifyReport) -> str:
    count = len(report.problems)
    return "1 problem" if count == 1 else f"{count} problems"
