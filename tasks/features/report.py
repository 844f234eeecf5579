"""What the flows of this noun tell: counts, data versions, times."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from tasks.features.index import Built
from tasks.features.stages import StageResult, StoredStatistics


class FeaturesReport(BaseModel):
    """What was computed, what was there already, and which data versions hold it."""

    documents: int
    """Documents that had no chunks."""
    chunks_new: int
    counts_new: int
    vectors_new: int
    tokens: int
    """Tokens that were embedded."""
    reused: int
    """Parts that an interrupted run had left."""
    chunks: int
    vectors: int
    quarantined: int
    quarantined_new: int
    terms: int
    mean_terms: float
    statistics: str
    """File of document frequencies and IDF."""
    versions: dict[str, int]
    roots: dict[str, str]
    seconds: dict[str, float]
    rewritten: bool
    """False when everything was there already and nothing was written."""

    def metrics(self) -> dict[str, float]:
        """Give the plain counts and the seconds, for a tracker."""
        names = ("documents", "chunks_new", "counts_new", "vectors_new", "tokens", "reused")
        counts = {name: float(getattr(self, name)) for name in (*names, "chunks", "quarantined")}
        return counts | {f"seconds_{name}": value for name, value in self.seconds.items()}

    def markdown(self) -> str:
        """Summarise the run for the Prefect page."""
        changes = "a new version was published" if self.rewritten else "nothing was rewritten"
        rows = "".join(
            f"| {name} | `snap:{name}@{self.versions[name]}` | `{self.roots[name][:16]}` "
            f"| {self.seconds[name]:.1f} |\n"
            for name in ("chunks", "counts", "vectors")
        )
        return (
            f"## Features: {changes}\n\n"
            f"{self.documents} documents gave {self.chunks_new} chunks; {self.vectors_new} texts "
            f"of {self.tokens} tokens were embedded; {self.reused} parts of an interrupted run "
            f"were taken over; {self.quarantined} inputs could not be computed.\n\n"
            f"| table | version | root | seconds |\n|---|---|---|---|\n{rows}\n"
            f"{self.terms} distinct terms; statistics in `{self.statistics}`.\n"
        )


class IndexReport(BaseModel):
    """Which index is published, what it holds and what was measured."""

    index: str
    """Digest; the name of the index."""
    rebuilt: bool
    """False when the published index was made of the same inputs."""
    passages: int
    documents: int
    left_out: int
    factory: str
    nprobe: int
    recall: float
    recall_k: int
    queries: int
    terms: int
    seconds: float
    span_documents: int = 0
    """Texts in the span index, by which any text is traced."""
    span_added: int = 0
    span_removed: int = 0
    span_unreadable: int = 0
    """Texts whose bytes are missing or damaged."""
    span_segments: int = 0
    span_units: int = 0
    """Words, and characters of scripts without spaces."""
    span_n_bytes: int = 0
    """Size of the span index on disk."""
    span_seconds: float = 0.0

    def metrics(self) -> dict[str, float]:
        """Give the numbers, for a tracker."""
        names = ("passages", "documents", "left_out", "nprobe", "recall", "terms", "seconds")
        spans = (name for name in type(self).model_fields if name.startswith("span_"))
        return {name: float(getattr(self, name)) for name in (*names, *spans)}

    def markdown(self) -> str:
        """Summarise the index for the Prefect page."""
        state = "built and published" if self.rebuilt else "unchanged: the inputs are the same"
        return (
            f"## Index `{self.index[:12]}`: {state}\n\n"
            f"{self.passages} passages of {self.documents} documents, {self.left_out} left out. "
            f"`{self.factory}`, nprobe {self.nprobe}: recall@{self.recall_k} {self.recall:.3f} "
            f"against exact search over {self.queries} sampled passages. BM25 over {self.terms} "
            f"terms.\n\n"
            f"Span index: {self.span_documents} texts of {self.span_units} units in "
            f"{self.span_segments} segments, {self.span_n_bytes} bytes; {self.span_added} texts "
            f"added, {self.span_removed} removed, {self.span_unreadable} unreadable.\n"
        )


def report_features(
    chunks: StageResult, counts: StageResult, vectors: StageResult, statistics: StoredStatistics
) -> FeaturesReport:
    """Put the results of the stages together."""
    stages = {"chunks": chunks, "counts": counts, "vectors": vectors}
    seconds = {name: round(stage.seconds, 3) for name, stage in stages.items()}
    return FeaturesReport(
        documents=chunks.planned,
        chunks_new=chunks.rows,
        counts_new=counts.rows,
        vectors_new=vectors.rows,
        tokens=vectors.num_tokens,
        reused=sum(stage.reused_parts for stage in stages.values()),
        chunks=statistics.statistics.num_texts,
        vectors=vectors.snapshot.n_rows,
        quarantined=sum(len(stage.failures) for stage in stages.values()),
        quarantined_new=sum(stage.quarantined_new for stage in stages.values()),
        terms=statistics.statistics.frequencies.height,
        mean_terms=round(statistics.statistics.mean_terms, 3),
        statistics=statistics.path,
        versions={name: stage.snapshot.version for name, stage in stages.items()},
        roots={name: stage.snapshot.root for name, stage in stages.items()},
        seconds=seconds | {"statistics": round(statistics.seconds, 3)},
        rewritten=any(stage.rows for stage in stages.values()) or statistics.written,
    )


def report_index(built: Built, spans: Mapping[str, float] | None = None) -> IndexReport:
    """Say what the published index is; `spans` gives the fields of the span index."""
    manifest: dict[str, Any] = dict(built.manifest)
    dense = manifest["dense"]
    return IndexReport(
        index=built.digest,
        rebuilt=built.rebuilt,
        passages=manifest["rows"],
        documents=manifest["documents"],
        left_out=built.left_out,
        factory=dense["factory"],
        nprobe=dense["nprobe"],
        recall=dense["recall"],
        recall_k=dense["k"],
        queries=dense["num_queries"],
        terms=manifest["bm25"]["num_terms"],
        seconds=round(built.seconds, 3),
        **{name: _plain(value) for name, value in (spans or {}).items()},
    )


def _plain(value: float) -> Any:
    return round(value, 3) if isinstance(value, float) else value
