"""The three stages of feature extraction: what is new is planned, computed, committed, recorded.

A stage that finds nothing to do writes nothing. A stage that was killed after some jobs finds
their parts again; one that was killed after its commit catches up in the ledger.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from storage.digest import spec_digest
from storage.errors import MissingError
from storage.files import Files
from storage.home import Home
from storage.records import Reject
from storage.snapshots import Snapshot, record_snapshot
from tasks.features.chunking import CHUNKER, ChunkOptions
from tasks.features.jobs import (
    ChunkJob,
    Failure,
    LoadEncoder,
    Result,
    TextEncoder,
    TextJob,
    chunk_batch,
    count_batch,
    embed_batch,
)
from tasks.features.plan import (
    BatchSizes,
    Limits,
    PendingText,
    batch_key,
    even_batches,
    live_chunks,
    live_documents,
    pending_documents,
    pending_texts,
)
from tasks.features.statistics import Statistics, count_frequencies, parquet_bytes
from tasks.shared.engine import Engine
from tasks.shared.quarantine import keep_rejects
from tasks.shared.text import ANALYSER

DERIVED = "wasDerivedFrom"


@dataclass(frozen=True, kw_only=True)
class Specs:
    """Digests of the settings of each feature; rows of tables carry them."""

    chunks: str
    counts: str
    vectors: str
    options: ChunkOptions


@dataclass(frozen=True, kw_only=True)
class FeatureRun:
    """Where features are computed, with what, and for which run."""

    home: Home
    run_id: str
    encoder: Path
    load: LoadEncoder
    specs: Specs
    sizes: BatchSizes = field(default_factory=BatchSizes)


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """What one stage did."""

    planned: int
    """Documents or texts that had no feature yet."""
    rows: int
    """Rows that the stage added to its table."""
    reused_parts: int
    num_tokens: int
    failures: tuple[Failure, ...]
    quarantined_new: int
    seconds: float
    source: Snapshot
    """The version that the stage read."""
    snapshot: Snapshot
    """The version that holds its result."""


@dataclass(frozen=True, kw_only=True)
class StoredStatistics:
    """Where the statistics of the live corpus lie, and their totals."""

    node: str
    path: str
    statistics: Statistics
    written: bool
    seconds: float


def specs_of(encoder: TextEncoder, options: ChunkOptions) -> Specs:
    """Name the settings of all features; chunks are kept to what the encoder can read."""
    fitting = options.within(encoder.max_text_tokens)
    return Specs(
        chunks=spec_digest(chunker=CHUNKER, tokenizer=encoder.tokenizer_spec, **asdict(fitting)),
        counts=spec_digest(analyser=ANALYSER),
        vectors=encoder.spec,
        options=fitting,
    )


def chunk_documents(run: FeatureRun, engine: Engine) -> StageResult:
    """Chunk the live documents that have no chunks under the current settings."""
    started = time.monotonic()
    documents = run.home.table("documents").scan()
    source = record_snapshot(run.home, "documents", run.run_id)
    if not source.node:
        raise MissingError("there are no documents", way_out="Run `suyuan ingest` first")
    todo = pending_documents(documents, stored(run.home, "chunks", run.specs.chunks))
    jobs = [
        ChunkJob(
            home=run.home,
            spec=run.specs.chunks,
            key=batch_key(run.specs.chunks, [f"{one.doc_id}/{one.text_id}" for one in batch]),
            documents=batch,
            options=run.specs.options,
            encoder=run.encoder,
            load=run.load,
        )
        for batch in even_batches(todo, lambda one: one.num_bytes, run.sizes.chunk_bytes)
    ]
    results = engine.map(chunk_batch, jobs, label="chunk")
    return _publish(run, "chunks", source, results, (len(todo), started))


def count_texts(run: FeatureRun, engine: Engine) -> StageResult:
    """Count the terms of the live chunks' texts that have not been counted."""
    return _text_stage(
        run, engine, ("counts", run.specs.counts), count_batch, run.sizes.count_tokens
    )


def embed_texts(run: FeatureRun, engine: Engine) -> StageResult:
    """Embed the live chunks' texts that have no vector from the current encoder."""
    return _text_stage(
        run, engine, ("vectors", run.specs.vectors), embed_batch, run.sizes.embed_tokens
    )


def store_statistics(run: FeatureRun) -> StoredStatistics:
    """Compute document frequencies over the live chunks and keep them as a Parquet file."""
    started = time.monotonic()
    counts = stored(run.home, "counts", run.specs.counts).select("text_sha", "terms", "n_terms")
    texts = _live_chunks(run).select("text_sha")
    frame = texts.join(counts, on="text_sha", how="inner").collect()
    statistics = count_frequencies(frame)
    data, digest = parquet_bytes(statistics)
    files, path = Files(run.home.tables_url), f"statistics/{digest[:32]}.parquet"
    node = f"statistics:{digest[:32]}"
    known = run.home.ledger.get("artifact", node)
    if not files.exists(path):
        files.write(path, data)
    if known is None:
        sources = [f"snap:{name}@{run.home.table(name).version()}" for name in ("chunks", "counts")]
        run.home.ledger.derive(node, sources, DERIVED)
        facts = {"texts": statistics.num_texts, "terms": statistics.frequencies.height}
        run.home.ledger.add_artifact(
            node, "statistics", files.name(path), digest, run.run_id, facts
        )
    return StoredStatistics(
        node=node,
        path=files.name(path),
        statistics=statistics,
        written=known is None,
        seconds=time.monotonic() - started,
    )


def stored(home: Home, table: str, spec: str) -> pl.LazyFrame:
    """Read the rows of a feature table that were computed under a spec."""
    return home.table(table).scan().filter(pl.col("spec") == spec)


def _live_chunks(run: FeatureRun) -> pl.LazyFrame:
    documents = run.home.table("documents").scan()
    return live_chunks(documents, stored(run.home, "chunks", run.specs.chunks))


def _text_stage(
    run: FeatureRun,
    engine: Engine,
    target: tuple[str, str],
    function: Callable[[TextJob], Result],
    limits: Limits,
) -> StageResult:
    """Compute a feature of each distinct text of the live chunks that lacks it."""
    started = time.monotonic()
    table, spec = target
    todo = pending_texts(_live_chunks(run), stored(run.home, table, spec))
    jobs = [_text_job(run, spec, batch) for batch in even_batches(todo, _num_tokens, limits)]
    results = engine.map(function, jobs, label=table)
    source = record_snapshot(run.home, "chunks", run.run_id)
    return _publish(run, table, source, results, (len(todo), started))


def _text_job(run: FeatureRun, spec: str, batch: tuple[PendingText, ...]) -> TextJob:
    return TextJob(
        home=run.home,
        spec=spec,
        key=batch_key(spec, [text.text_sha for text in batch]),
        texts=batch,
        encoder=run.encoder,
        load=run.load,
    )


def _num_tokens(text: PendingText) -> int:
    return text.num_tokens


def _publish(
    run: FeatureRun,
    table: str,
    source: Snapshot,
    results: Sequence[Result],
    progress: tuple[int, float],
) -> StageResult:
    """Commit all parts as one version, record it, and quarantine what failed."""
    planned, started = progress
    parts = [result.part for result in results if result.part is not None]
    failures = tuple(failure for result in results for failure in result.failures)
    if parts:
        run.home.table(table).commit(parts, run_id=run.run_id)
    return StageResult(
        planned=planned,
        rows=sum(part.n_rows for part in parts),
        reused_parts=sum(result.reused for result in results),
        num_tokens=sum(result.num_tokens for result in results),
        failures=failures,
        quarantined_new=keep_rejects(run.home, _rejects(run, failures), run.run_id),
        source=source,
        snapshot=_record(run, table, source),
        seconds=time.monotonic() - started,
    )


def _record(run: FeatureRun, table: str, source: Snapshot) -> Snapshot:
    """Record the newest version with its origin; edges first, so that a kill loses none."""
    node = f"snap:{table}@{run.home.table(table).version()}"
    if run.home.ledger.get("artifact", node) is None:
        run.home.ledger.derive(node, [source.node], DERIVED)
    return record_snapshot(run.home, table, run.run_id)


def _rejects(run: FeatureRun, failures: Sequence[Failure]) -> list[Reject]:
    """Name the documents behind failed documents and texts."""
    if not failures:
        return []
    details = {failure.item: failure.detail for failure in failures}
    documents = live_documents(run.home.table("documents").scan())
    texts = stored(run.home, "chunks", run.specs.chunks).select("text_sha", "doc_id", "text_id")
    of_texts = texts.filter(pl.col("text_sha").is_in(list(details))).unique(
        ["text_sha", "doc_id"], maintain_order=True
    )
    by_text = of_texts.join(documents, on=["doc_id", "text_id"]).select(
        pl.col("text_sha").alias("item"), "source", "uri", "doc_id"
    )
    by_document = documents.filter(pl.col("doc_id").is_in(list(details))).select(
        pl.col("doc_id").alias("item"), "source", "uri", "doc_id"
    )
    rows = pl.concat([by_document, by_text]).sort("source", "uri", "item").collect()
    return [
        Reject(
            source=source,
            uri=uri,
            reason="features.failed",
            detail=f"{details[item]}. Mend the document, then ingest it and run features again",
            blob_id=doc_id,
        )
        for item, source, uri, doc_id in rows.iter_rows()
    ]
