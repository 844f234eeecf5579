"""The result of a verification as metrics and as Markdown."""

from tasks.provenance.report import VerifyReport

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
    verdict = "everything is proven" if report.ok else f"{len(report.problems)} problems"
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
