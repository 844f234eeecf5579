"""The second half of a revocation: check what was derived, erase the bytes, mark models, scrub records."""

import contextlib
from collections.abc import Iterator

from storage.byte_search import search_file
from storage.errors import CorruptError, GateError, NotFoundError
from storage.files import Files
from storage.purging import matching_rows
from storage.revoked import places_taken
from tasks.provenance.revocation.kept import kept_blobs
from tasks.provenance.revocation.work import Detail, Work

_PROBE_CHARS = 600
_PROBES = 100


def trace_absence(work: Work) -> Detail:
    """Look for the removed texts in everything made from them, while their bytes can still be read."""
    found = [*_spans(work), *_tables(work), *_index(work)]
    if found:
        raise not_absent(work, found)
    positions, shared = _trace(work)
    return {"positions": positions, "spans_that_others_carry": shared}


def erase_bytes(work: Work) -> Detail:
    """Delete the blobs, and what killed runs left of them; take titles and salts out of the ledger."""
    for sha in work.plan.blobs:
        work.home.blobs.delete(sha)
    work.home.ledger.erase_documents(work.plan.pairs, work.node)
    return {
        "blobs": len(work.plan.blobs),
        "leftovers": _delete_leftovers(work),
        "ledger_rows": places_taken(work.home.ledger_url, work.node),
    }


def mark_models(work: Work) -> Detail:
    """Say of each model that was trained on it that it was; queue its training when asked to."""
    for node in work.plan.models:
        work.home.models.mark(node, "exposed")
    queued = ""
    if work.plan.models and work.tools.retrain:
        queued = work.tools.retrain(work.plan.models)
    return {"models": list(work.plan.models), "retraining": queued}


def scrub_records(work: Work) -> Detail:
    """Take the bytes out of logs and run records; rewrite the ledger's file without old rows."""
    wanted = work.wanted()
    detail = {
        purger.name: purger.purge(work.plan.documents, wanted, work.note)
        for purger in work.tools.records
    }
    work.home.ledger.shrink()
    return detail


def not_absent(work: Work, places: list[str]) -> GateError:
    """Make the error that names where something was found."""
    shown = ", ".join(places[:20]) + (f" and {len(places) - 20} more" if len(places) > 20 else "")
    return GateError(
        f"what was revoked is still in {len(places)} places: {shown}",
        item=work.node,
        way_out="Stop what writes there, then run the same revocation again; it goes on from here",
    )


def _spans(work: Work) -> Iterator[str]:
    live = work.home.spans.live()
    yield from (f"span:{text}" for text in work.plan.texts if text in live)


def _tables(work: Work) -> Iterator[str]:
    for name, keys in work.plan.keys().items():
        table = work.home.table(name)
        if table.exists() and (count := matching_rows(table, keys)):
            yield f"table:{name} ({count} rows)"


def _index(work: Work) -> Iterator[str]:
    if not work.home.index_store.names():
        return
    texts = [text for text, _ in zip(_words(work), range(_PROBES), strict=False)]
    hits = work.tools.probe(texts) if texts else set()
    yield from (f"index:doc:{doc}" for doc in sorted(hits.intersection(work.plan.documents)))


def _words(work: Work) -> Iterator[str]:
    for data in _texts(work):
        text = data.decode("utf-8", "replace")
        for start in range(0, len(text), _PROBE_CHARS):
            piece = text[start : start + _PROBE_CHARS].strip()
            if piece:
                yield piece


def _trace(work: Work) -> tuple[int, int]:
    """Trace each removed text; only documents that stay may answer."""
    spans, positions, shared = work.home.spans, 0, 0
    gone = set(work.plan.texts)
    for data in _texts(work):
        positions += len(data)
        for match in spans.trace(data) if spans.segments() else ():
            shared += 1
            if any(hit.doc_id in gone for hit in match.hits):
                raise not_absent(work, [f"span:{hit.doc_id}" for hit in match.hits])
    return positions, shared


def _texts(work: Work) -> Iterator[bytes]:
    for text_id in work.plan.texts:
        try:
            yield work.home.blobs.get(text_id)
        except NotFoundError:
            continue  # erased by the attempt before, after it was traced


def _delete_leftovers(work: Work) -> int:
    """Delete blobs that no row names, and temporary files, when they hold removed bytes."""
    wanted, kept, count = work.wanted(), kept_blobs(work), 0
    blobs = work.home.blobs
    for sha in [sha for sha in blobs.ids() if sha not in kept]:
        with contextlib.suppress(CorruptError):  # its bytes are searched as they lie, by the proof
            if wanted.within(blobs.get(sha)):
                blobs.delete(sha)
                count += 1
    for url in (work.home.blobs_url, work.home.tables_url):
        folder = Files(url).local
        for path in sorted(folder.rglob("*.tmp")) if folder else ():
            if search_file(path, wanted)[1].size:
                path.unlink(missing_ok=True)
                count += 1
    return count
