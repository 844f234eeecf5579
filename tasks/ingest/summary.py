"""Count what a source holds now: by licence, language, sensitivity, near-duplicate cluster."""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from storage.records import UNKNOWN_LICENCE


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Figures over the live documents of one source."""

    documents: int
    duplicates: int
    """Documents whose near-duplicate cluster was opened by another one."""
    unknown_licences: int
    licences: dict[str, int]
    evidence: dict[str, int]
    languages: dict[str, int]
    sensitive: dict[str, int]
    """Number of spans by kind."""


def summarise(documents: pl.LazyFrame, source: str) -> Summary:
    """Summarise the live documents of a source."""
    live = documents.filter((pl.col("source") == source) & (pl.col("status") == "live")).collect()
    kinds = Counter(span["kind"] for spans in live["sensitivity"].to_list() for span in spans or ())
    licences = _counts(live, "licence")
    return Summary(
        documents=live.height,
        duplicates=live.height - live["cluster"].n_unique(),
        unknown_licences=licences.get(UNKNOWN_LICENCE, 0),
        licences={name: n for name, n in licences.items() if name != UNKNOWN_LICENCE},
        evidence=_counts(live, "licence_evidence"),
        languages=_counts(live, "language"),
        sensitive=dict(kinds.most_common()),
    )


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    pairs = frame.group_by(column).len().sort(["len", column], descending=[True, False])
    return {str(name): int(number) for name, number in pairs.iter_rows()}
