"""Keep the span index equal to the live texts: add what is new, forget what is no longer live.

A kill at any point leaves work that the next call completes: the index leaves out what it has,
and the ledger is compared with the segments as they are.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

import polars as pl

from storage.errors import MissingError, SuyuanError
from storage.home import Home
from storage.snapshots import record_snapshot
from storage.spans.index import Passage

KIND = "spans"
DERIVED = "wasDerivedFrom"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class SpanUpdate:
    """What an update of the span index did, and what the index holds now."""

    added: int
    """Texts that were new."""
    removed: int
    """Texts that no live document has any more."""
    unreadable: int
    """Texts left out because their bytes are missing or damaged; `suyuan verify --all` names them."""
    documents: int
    """Texts in the index; several documents may share one."""
    segments: int
    units: int
    n_bytes: int
    """Size of the index on disk."""
    seconds: float

    def fields(self) -> dict[str, float]:
        """Give the numbers under the names that reports use."""
        return {f"span_{name}": value for name, value in asdict(self).items()}


def update_span_index(home: Home, run_id: str, progress: Progress | None = None) -> SpanUpdate:
    """Bring the index up to the newest version of the documents table and record its segments."""
    started = time.monotonic()
    snapshot = record_snapshot(home, "documents", run_id)
    if not snapshot.node:
        raise MissingError("there are no documents", way_out="Run `suyuan ingest` first")
    index, wanted = home.spans, live_text_ids(home)
    known = index.live()
    gone = known.difference(wanted)
    if gone:
        index.tombstone(gone)
    new = [text_id for text_id in wanted if text_id not in known]
    unreadable: list[str] = []
    if new:
        index.add(_passages(home, new, unreadable, progress), run_id)
    index.compact()
    record_segments(home, run_id, snapshot.node)
    return SpanUpdate(
        added=len(new) - len(unreadable),
        unreadable=len(unreadable),
        removed=len(gone),
        documents=index.n_documents(),
        segments=len(index.segments()),
        units=index.n_units(),
        n_bytes=index.n_bytes(),
        seconds=time.monotonic() - started,
    )


def live_text_ids(home: Home) -> list[str]:
    """Give the texts of live documents of active sources, sorted, each once."""
    documents = home.table("documents").scan()
    live = documents.filter((pl.col("status") == "live") & (pl.col("text_id") != ""))
    revoked = _revoked_sources(home, live)
    if revoked:
        live = live.filter(~pl.col("source").is_in(revoked))
    found: list[str] = live.select(pl.col("text_id").unique().sort()).collect()["text_id"].to_list()
    return found


def record_segments(home: Home, run_id: str, snapshot: str = "") -> None:
    """Make the ledger say which segments there are; those that were replaced become purged."""
    index, ledger = home.spans, home.ledger
    recorded = {str(row["node"]): row for row in ledger.artifacts(KIND)}
    current = {f"{KIND}:{entry.name}": entry for entry in index.segments()}
    for node in sorted(current.keys() - recorded.keys()):
        entry = current[node]
        if snapshot:
            ledger.derive(node, [snapshot], DERIVED)
        facts = {name: getattr(entry, name) for name in ("documents", "units", "text_bytes")}
        path = str(index.folder / entry.name)
        ledger.add_artifact(node, KIND, path, entry.sha256, run_id, facts)
    for node in sorted(recorded.keys() - current.keys()):
        row = recorded[node]
        if row["status"] != "purged":
            path, sha, made_by = (str(row[name]) for name in ("path", "sha256", "run_id"))
            facts = json.loads(str(row["params"]))
            ledger.add_artifact(node, KIND, path, sha, made_by, facts, status="purged")


def _passages(
    home: Home, text_ids: Sequence[str], unreadable: list[str], progress: Progress | None
) -> Iterator[Passage]:
    """Read the texts; one that cannot be read is left for the next call, and `verify` names it."""
    for done, text_id in enumerate(text_ids, start=1):
        try:
            yield Passage(text_id, home.blobs.get(text_id))
        except SuyuanError:
            unreadable.append(text_id)
        if progress is not None:
            progress("index spans", done, len(text_ids))


def _revoked_sources(home: Home, live: pl.LazyFrame) -> Collection[str]:
    names = live.select(pl.col("source").unique()).collect()["source"].to_list()
    rows = {name: home.ledger.get("source", name.replace("|", "%7C")) for name in names}
    return [name for name, row in rows.items() if row is not None and row["status"] == "revoked"]
