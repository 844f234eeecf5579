"""The first half of a revocation: out of sight at once, then out of everything made from it."""

import contextlib
import json
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from storage.errors import CorruptError, NotFoundError
from storage.files import Files
from storage.fingerprints import WINDOW, Fingerprints, fingerprint, spellings, stride_for
from storage.purging import purge_rows
from storage.revoked import answer_texts, answers_taken, live_artifacts, places_taken
from storage.schemas import VECTOR_DIM
from storage.snapshots import record_purge, record_snapshot
from tasks.provenance.revocation.kept import explained_by, kept_blobs, kept_words
from tasks.provenance.revocation.work import Detail, Work
from tasks.provenance.tracing.span_index import record_segments

DOCUMENT_TABLES = ("documents", "chunks", "counts", "vectors", "quarantine")
"""In this order: what begins meanwhile finds no document to compute anything from."""

DOCUMENT_FLOWS = ("ingest",)
"""Their parameters name sources and places, and are kept."""

_SPELLINGS = 4
_VECTOR_PLACES = (0, 512, 1024)
"""Bytes of a vector where a window of it is taken."""
_VECTOR_ROWS = 4096


def tombstone(work: Work) -> Detail:
    """Take the documents out of every search at once, before anything is rewritten."""
    plan, home = work.plan, work.home
    if plan.scope.startswith("source:"):
        home.ledger.set_source_status(plan.scope.removeprefix("source:"), "revoked")
    home.ledger.erase_documents(plan.pairs, work.node)
    home.index_store.tombstone(plan.documents)
    return {
        "spans": home.spans.tombstone(plan.texts) if plan.spans else 0,
        "documents": len(plan.documents),
        "ledger_rows": places_taken(home.ledger_url, work.node),
    }


def take_fingerprints(work: Work) -> Detail:
    """Hash the windows of what must be gone, less those that something else holds too.

    What an attempt before took is kept: by now the bytes may be erased.
    """
    pieces = [*_removed_bytes(work), *_vector_windows(work)]
    before = work.fingerprints()
    stride = before.stride if before else stride_for(_SPELLINGS * sum(map(len, pieces)))
    forms = (form for piece in pieces for form in _forms(piece))
    wanted = fingerprint(forms, stride, before.key if before else None)
    wanted = _without_kept(work, wanted.joined(before) if before else wanted)
    work.keep_fingerprints(wanted)
    return {"windows": len(wanted), "least_bytes": wanted.least_bytes}


def purge_caches(work: Work) -> Detail:
    """Empty the caches that people are answered from."""
    wanted = work.wanted()
    return {
        cache.name: cache.purge(work.plan.documents, wanted, work.note)
        for cache in work.tools.caches
    }


def retract_answers(work: Work) -> Detail:
    """Mark the answers that rest on it as stale, and erase those that hold its bytes."""
    ledger, plan, wanted = work.home.ledger, work.plan, work.wanted()
    holding = {
        answer_id
        for answer_id, words in answer_texts(work.home.ledger_url)
        if wanted.within(words.encode())
    }
    ledger.mark_answers(sorted(set(plan.cited) - holding), "stale", work.node)
    ledger.erase_answers(sorted(holding.union(plan.quoted)), work.node)
    return dict(answers_taken(work.home.ledger_url, work.node))


def rewrite_tables(work: Work) -> Detail:
    """Rewrite the tables without the rows, and delete every older version of them."""
    detail: dict[str, object] = {"clusters": _rename_clusters(work)}
    keys = work.plan.keys()
    for number, name in enumerate(DOCUMENT_TABLES):
        work.tools.progress("tables", number, len(DOCUMENT_TABLES))
        detail[name] = _purge_table(work, name, keys[name])
    detail["statistics"] = _drop_statistics(work)
    return detail


def compact_spans(work: Work) -> Detail:
    """Rewrite the segments of the span index without the texts."""
    if not work.home.spans.segments():
        return {"purged": 0}
    report = work.home.spans.compact(purge=True)
    record_segments(
        work.home, work.run_id, f"snap:documents@{work.home.table('documents').version()}"
    )
    return {"purged": report.purged, "segments": report.segments_after}


def rebuild_index(work: Work) -> Detail:
    """Publish the index of what is left, and delete every other one."""
    store, plan = work.home.index_store, work.plan
    if not plan.rows:
        return {}
    digest = work.tools.rebuild() if store.names() else ""
    dropped = store.drop_others(digest)
    for row in live_artifacts(work.home.ledger_url, "index"):
        if row["node"] != f"index:{digest}":
            _mark_purged(work, row)
    store.bury(plan.documents)
    return {"index": digest, "dropped": dropped}


def _purge_table(work: Work, name: str, keys: pl.DataFrame) -> int:
    table = work.home.table(name)
    if table.version() < 0:
        return 0
    record_snapshot(work.home, name, work.run_id)
    purge = purge_rows(table, keys, run_id=work.run_id, by=work.node)
    record_purge(work.home, name, work.run_id, work.node)
    record_snapshot(work.home, name, work.run_id)
    return purge.rows


def _rename_clusters(work: Work) -> int:
    """Let near-duplicate clusters that bear the name of a removed document bear another one's."""
    documents, plan = work.home.table("documents"), work.plan
    named = documents.scan().filter(pl.col("cluster").is_in(list(plan.documents)))
    going = plan.keys()["documents"]
    orphans = named.join(going.lazy(), on=going.columns, how="anti").collect()
    if orphans.is_empty():
        return 0
    first = orphans.sort("fetched_at", "source", "uri", nulls_last=True)
    names = first.group_by("cluster", maintain_order=True).agg(new=pl.col("doc_id").first())
    renamed = orphans.join(names, on="cluster").with_columns(cluster=pl.col("new"))
    rows = renamed.select(orphans.columns).to_arrow().cast(documents.spec.schema)
    documents.merge(rows, run_id=work.run_id)
    return orphans.height


def _drop_statistics(work: Work) -> int:
    """Delete the statistics over words, which were counted with the removed texts."""
    files = Files(work.home.tables_url)
    rows = live_artifacts(work.home.ledger_url, "statistics")
    for path in list(files.walk("statistics")):
        files.delete(path)
    for row in rows:
        _mark_purged(work, row)
    return len(rows)


def _mark_purged(work: Work, row: dict[str, object]) -> None:
    params = {**json.loads(str(row["params"])), "purged_by": work.node}
    names = ("node", "kind", "path", "sha256", "run_id")
    node, kind, path, sha256, run_id = (str(row[name]) for name in names)
    work.home.ledger.add_artifact(node, kind, path, sha256, run_id, params, status="purged")


def _removed_bytes(work: Work) -> Iterator[bytes]:
    for sha in work.plan.blobs:
        try:
            yield work.home.blobs.get(sha)
        except NotFoundError:
            continue  # erased by the attempt before, whose fingerprints are kept


def _forms(piece: bytes) -> Iterable[bytes]:
    return [piece] if len(piece) == WINDOW else spellings(piece)


def _vector_windows(work: Work) -> Iterator[bytes]:
    mine = pl.col("text_sha").is_in(list(work.plan.passages))
    for block in _vector_blocks(work, mine):
        for vector in np.frombuffer(block, np.uint8).reshape(-1, 4 * VECTOR_DIM):
            yield from (vector[at : at + WINDOW].tobytes() for at in _VECTOR_PLACES)


def _vector_blocks(work: Work, which: pl.Expr) -> Iterator[bytes]:
    frame = work.home.table("vectors").scan().filter(which).select("vector").collect()
    for block in frame.iter_slices(_VECTOR_ROWS):
        yield block["vector"].explode().to_numpy().astype(np.float32).tobytes()


def _without_kept(work: Work, wanted: Fingerprints) -> Fingerprints:
    """Leave out the windows of stored texts and vectors that stay."""
    for sha in sorted(kept_blobs(work)):
        with contextlib.suppress(NotFoundError, CorruptError):  # `verify --all` names it
            wanted = wanted.without(explained_by(wanted, work.home.blobs.get(sha)))
    for words in kept_words(work, DOCUMENT_FLOWS):
        wanted = wanted.without(explained_by(wanted, words))
    others = ~pl.col("text_sha").is_in(list(work.plan.passages))
    for block in _vector_blocks(work, others):
        wanted = wanted.without(wanted.found(block))
    return wanted
