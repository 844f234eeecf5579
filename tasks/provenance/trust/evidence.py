"""The evidence about sources: what the tables and the ledger say about each, by component."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from storage.home import Home
from tasks.provenance.trust.claims import Comparison, compare_claims
from tasks.provenance.trust.score import Component, Fact

HALF_LIFE_YEARS = 5.0
"""Age at which a document counts half."""
CLEAR = ("declared", "header", "file")
"""Evidence of a licence that is no guess."""
_DAYS_A_YEAR = 365.25
_COLUMNS = (
    "source",
    "uri",
    "doc_id",
    "status",
    "cluster",
    "licence_evidence",
    "fetched_at",
    "published_at",
)
_POLICY_REASONS = ("licence.", "revoked")
"""Rejects that say nothing about how well a source is kept."""

Components = dict[str, Component]


@dataclass(frozen=True, kw_only=True)
class _Judged:
    accepted: int = 0
    rejected: int = 0


def gather(home: Home, at: datetime | None = None) -> dict[str, Components]:
    """Gather the evidence about every source that has documents or rejects, as of a time."""
    at = at or datetime.now(UTC)
    documents = home.table("documents").scan().select(_COLUMNS).collect()
    rejects = home.table("quarantine").scan().select("source", "uri", "reason").collect()
    live = _with_origin(documents)
    claims = compare_claims(_passages(home, live))
    judged = _judged(home)
    names = set(documents["source"].unique()) | set(rejects["source"].unique())
    found = {}
    for name in sorted(names):
        own = live.filter(pl.col("source") == name)
        bad = rejects.filter(pl.col("source") == name)
        found[name] = {
            "duplicates": _duplicates(own),
            "contradictions": _contradictions(claims.get(name)),
            "age": _age(own, at),
            "licences": _licences(own),
            "quarantine": _quarantine(own, bad),
            "helpfulness": _helpfulness(judged.get(name, _Judged())),
        }
    return found


def _with_origin(documents: pl.DataFrame) -> pl.DataFrame:
    """Give the live documents, each with the source that held the first of its cluster first."""
    earliest = documents.sort("fetched_at", "source").group_by("doc_id", maintain_order=True)
    origin = earliest.agg(origin=pl.col("source").first()).rename({"doc_id": "cluster"})
    live = documents.filter(pl.col("status") == "live")
    filled = live.with_columns(pl.coalesce("cluster", "doc_id").alias("cluster"))
    return filled.join(origin, on="cluster", how="left")


def _duplicates(own: pl.DataFrame) -> Component:
    hits = own.filter(pl.col("origin") != pl.col("source")).height
    return _share_left(own.height, hits)


def _contradictions(found: Comparison | None) -> Component:
    if found is None or found.n == 0:
        return Component(value=None, n=0)
    facts: dict[str, Fact] = {
        "hits": found.differ,
        "n": found.n,
        "example": found.example,
        "other": found.other,
        "other_source": found.other_source,
    }
    return Component(value=round(1 - found.differ / found.n, 4), n=found.n, facts=facts)


def _age(own: pl.DataFrame, at: datetime) -> Component:
    when = pl.coalesce("published_at", "fetched_at")
    years = own.select(((pl.lit(at) - when).dt.total_seconds() / 86400 / _DAYS_A_YEAR).alias("age"))
    ages = years["age"].drop_nulls().clip(0)
    if not len(ages):
        return Component(value=None, n=0)
    freshness = (0.5 ** (ages / HALF_LIFE_YEARS)).mean()
    dated = own["published_at"].drop_nulls().len()
    facts = {"years": round(float(str(ages.median())), 1), "dated": dated, "n": len(ages)}
    return Component(value=round(float(str(freshness)), 2), n=len(ages), facts=facts)


def _licences(own: pl.DataFrame) -> Component:
    hits = own.filter(pl.col("licence_evidence").is_in(CLEAR)).height
    return _share(own.height, hits)


def _quarantine(own: pl.DataFrame, rejects: pl.DataFrame) -> Component:
    """Count items that could not be used and did not become usable since."""
    keep = [not reason.startswith(_POLICY_REASONS) for reason in rejects["reason"]]
    bad = set(rejects.filter(pl.Series(keep, dtype=pl.Boolean))["uri"]) - set(own["uri"])
    return _share_left(own.height + len(bad), len(bad))


def _helpfulness(judged: _Judged) -> Component:
    """Take the mean of a Beta(1, 1) prior with the judged answers."""
    n = judged.accepted + judged.rejected
    if n == 0:
        return Component(value=None, n=0)
    value = round((judged.accepted + 1) / (n + 2), 4)
    return Component(value=value, n=n, facts={"hits": judged.accepted, "n": n})


def _share(n: int, hits: int) -> Component:
    if n == 0:
        return Component(value=None, n=0)
    return Component(value=round(hits / n, 4), n=n, facts={"hits": hits, "n": n})


def _share_left(n: int, hits: int) -> Component:
    """Give the share that is not hit."""
    if n == 0:
        return Component(value=None, n=0)
    return Component(value=round(1 - hits / n, 4), n=n, facts={"hits": hits, "n": n})


def _passages(home: Home, live: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Give (source, text) of the chunks of documents that one source alone holds, file by file."""
    if live["source"].n_unique() < 2:
        return
    held = live.unique(["doc_id", "source"])
    alone = held.filter(pl.len().over("doc_id") == 1).select("doc_id", "source").lazy()
    chunks = home.table("chunks")
    for part in chunks.live():
        texts = chunks.scan_files([part.path]).select("doc_id", "text")
        yield texts.join(alone, on="doc_id").select("source", "text").collect()


def _judged(home: Home) -> dict[str, _Judged]:
    """Count judged answers by the sources they cite; a person's last word on an answer counts."""
    verdicts = {(f.answer_id, f.who): f.verdict for f in home.trust_records.feedbacks()}
    counts: dict[str, list[int]] = {}
    for (answer_id, _who), verdict in verdicts.items():
        for source in {cited.source for cited in home.ledger.cited(answer_id)}:
            counts.setdefault(source, [0, 0])[verdict == "rejected"] += 1
    return {name: _Judged(accepted=good, rejected=bad) for name, (good, bad) in counts.items()}
