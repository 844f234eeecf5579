"""Read a listing in waves: read, validate, cluster and commit one wave before the next begins.

A killed run keeps every wave it committed; the next one finds those documents unchanged. Waves
and batches depend on the listing alone, so near-duplicate clusters come out the same however
often a run was interrupted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from storage.digest import sha256_hex
from storage.home import Home
from storage.records import Item, Reject
from tasks.ingest.connectors import Listing
from tasks.ingest.duplicates import Clusters
from tasks.ingest.pipeline import BatchResult, IngestJob, read_batch
from tasks.ingest.publish import Change, known_documents, plan_change, rejects_of
from tasks.shared.engine import Engine

BATCH_ITEMS_MAX = 32
BATCH_BYTES_MAX = 8 << 20
BATCHES_MIN = 16
"""A short listing is cut into about as many batches, so that all workers have something to do."""
WAVE_BATCHES = 24


class Verdict(Protocol):
    """What a validation of rows has to tell."""

    @property
    def failures(self) -> Sequence[tuple[int, str, str, object]]:
        """Failed rows: (row index, expectation, column, value)."""
        ...

    @property
    def html(self) -> str:
        """The report as a page."""
        ...

    @property
    def table_rows(self) -> Sequence[Mapping[str, object]]:
        """The report as rows: one per expectation."""
        ...


Validate = Callable[[pl.DataFrame], Verdict]


@dataclass(kw_only=True)
class Outcome:
    """What reading a source came to; filled wave by wave."""

    new: int = 0
    changed: int = 0
    returned: int = 0
    unchanged: int = 0
    gone: int = 0
    commits: int = 0
    n_bytes: int = 0
    seen: set[str] = field(default_factory=set)
    rejects: list[Reject] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def count(self, change: Change) -> None:
        """Add a committed change."""
        self.new += change.new
        self.changed += change.changed
        self.returned += change.returned
        self.commits += 1

    def note(self, result: BatchResult) -> None:
        """Add what one batch found."""
        self.unchanged += len(result.unchanged)
        self.seen.update(uri for uri, _ in result.unchanged)
        self.seen.update(str(row["uri"]) for row in result.rows)
        self.n_bytes += sum(int(str(row["n_bytes"])) for row in result.rows)
        self.rejects += result.rejects


def ingest_waves(
    home: Home,
    listing: Listing,
    job: IngestJob,
    engine: Engine,
    validate: Validate,
    run_id: str,
) -> Outcome:
    """Read all items of a listing into the documents table; see the module for the guarantees."""
    documents = home.table("documents")
    known = known_documents(documents.scan(), job.spec.name, job.refusal)
    clusters = Clusters(_cluster_members(documents.scan()))
    outcome = Outcome(rejects=list(listing.rejects))
    for wave in split_waves(listing.items):
        jobs = [job.for_items(batch, known) for batch in wave]
        results = engine.map(read_batch, jobs, label="read")
        for result in results:
            outcome.note(result)
        rows = _passing([row for result in results for row in result.rows], validate, outcome)
        if rows:
            change = plan_change(documents.scan(), rows, clusters, run_id)
            _commit(home, change, run_id)
            outcome.count(change)
    return outcome


def split_waves(items: Sequence[Item]) -> Iterator[list[tuple[Item, ...]]]:
    """Cut a listing into batches of bounded count and size, and these into waves."""
    batches = list(_batches(items))
    for start in range(0, len(batches), WAVE_BATCHES):
        yield batches[start : start + WAVE_BATCHES]


def _batches(items: Sequence[Item]) -> Iterator[tuple[Item, ...]]:
    items_max = max(1, min(BATCH_ITEMS_MAX, len(items) // BATCHES_MIN))
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += max(item.n_bytes, 0)
        if len(batch) >= items_max or size >= BATCH_BYTES_MAX:
            yield tuple(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)


def _passing(
    rows: list[dict[str, object]], validate: Validate, outcome: Outcome
) -> list[dict[str, object]]:
    if not rows:
        return rows
    verdict = validate(pl.from_dicts(rows, infer_schema_length=None))
    outcome.verdicts.append(verdict)
    outcome.rejects += rejects_of(verdict.failures, rows)
    failed = {failure[0] for failure in verdict.failures}
    return [row for index, row in enumerate(rows) if index not in failed]


def _commit(home: Home, change: Change, run_id: str) -> None:
    documents = home.table("documents")
    if change.fresh:
        name = sha256_hex("\n".join(change.rows["doc_id"].to_pylist()).encode())[:32]
        documents.commit([documents.write_part(f"{name}-{run_id}", change.rows)], run_id=run_id)
    else:
        documents.merge(change.rows, run_id=run_id)


def _cluster_members(documents: pl.LazyFrame) -> list[tuple[str, bytes, str]]:
    members = documents.select("doc_id", "signature", "cluster").unique().sort("doc_id").collect()
    return members.rows()
