"""Verification: re-read the stored bytes and prove an answer, or everything, against them.

Nothing is taken on trust: blobs are hashed again, files are compared with the ledger, the ledger
with its own hash chain, and passages with the original bytes through the byte map.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from storage.errors import MissingError, SuyuanError
from storage.home import Home
from storage.schemas import TABLES
from storage.transparency import Tree
from tasks.provenance.verification.citations import Tables, check_all_citations, check_citations
from tasks.provenance.verification.passages import (
    CHUNK_COLUMNS,
    DocumentBytes,
    chunk_reason,
    read_document,
)
from tasks.provenance.verification.report import Tally, VerifyReport
from tasks.provenance.verification.stored import check_table

_OWNER = ("doc_id", "text_id")


def verify_answer(answer_id: str, home: Home) -> VerifyReport:
    """Prove every citation of an answer from the original bytes; MissingError without it, or its words."""
    answer = home.ledger.answer(answer_id)
    if answer.state == "erased":
        raise MissingError(
            f"was erased ({answer.stale_reason}), so it can no longer be proven",
            item=f"answer:{answer.answer_id}",
        )
    tally = Tally(f"answer:{answer.answer_id}")
    for kind in ("answer", "answer_span"):
        tally.extend(home.ledger.check_rows(kind, answer.answer_id))
    check_citations(home, answer, tally)
    return tally.report()


def verify_all(home: Home, sample: int | None = None) -> VerifyReport:
    """Prove everything stored; with `sample`, the bytes of so many documents drawn at random.

    Ledger, tree of its log, table files and index files are always proven completely. Citations are
    proven of all answers that are live, as far as their documents are read.
    """
    tally = Tally("all")
    tally.extend(home.ledger.verify())
    tally.extend(Tree(home.ledger_url).verify())
    damaged = len(tally.problems)
    sound = {name: check_table(home, name, tally) for name in TABLES}
    scope = _scope(home, sound["documents"], sample)
    tables = Tables(
        chunk_files=sound["chunks"],
        complete=len(tally.problems) == damaged,
        layouts=scope.layouts,
        left_out=scope.left_out,
    )
    proven = _check_chunks(home, sound["chunks"], scope, tally)
    check_all_citations(home, tables, tally)
    for sha in sorted((scope.blobs | _quarantined(home, sound["quarantine"])) - proven):
        _check_blob(home, sha, tally)
    tally.extend(home.index_store.check_current())
    for name in home.index_store.names():
        tally.add("indexes_checked")
        tally.extend(home.index_store.check(name))
    tally.add("span_segments_checked", len(home.spans.segments()))
    tally.extend(home.spans.verify())
    return tally.report()


@dataclass(frozen=True)
class _Scope:
    """What of the documents is to be proven."""

    layouts: Mapping[tuple[str, str], str]
    """Layout of each (document, text) of the table."""
    left_out: frozenset[str]
    """Documents that a sample does not hold."""

    @property
    def blobs(self) -> set[str]:
        """Every blob that the table names for the documents in the scope."""
        rows = ((*owner, layout) for owner, layout in self.layouts.items())
        return {name for row in rows if row[0] not in self.left_out for name in row if name}


def _scope(home: Home, files: list[str], sample: int | None) -> _Scope:
    rows = home.table("documents").scan_files(files).select(*_OWNER, "layout_id").unique()
    layouts = {(doc, text): layout or "" for doc, text, layout in rows.collect().iter_rows()}
    documents = sorted({doc for doc, _ in layouts})
    count = len(documents) if sample is None else min(sample, len(documents))
    chosen = random.sample(documents, count)
    return _Scope(layouts=layouts, left_out=frozenset(documents).difference(chosen))


def _quarantined(home: Home, files: list[str]) -> set[str]:
    rows = home.table("quarantine").scan_files(files).select("blob_id").unique().collect()
    return set(rows["blob_id"]) - {"", None}


def _check_chunks(home: Home, files: list[str], scope: _Scope, tally: Tally) -> set[str]:
    """Prove the chunks file by file and document by document; give the blobs read on the way."""
    proven: set[str] = set()
    table = home.table("chunks")
    for path in files:
        frame = table.scan_files([path]).select(CHUNK_COLUMNS).collect().sort(_OWNER)
        rows = frame.iter_rows(named=True)
        for owner, chunks in groupby(rows, key=itemgetter(*_OWNER)):
            if owner[0] not in scope.left_out:
                document = _read_owner(home, owner, scope.layouts.get(owner), tally)
                proven |= document.blobs if document else set()
                _prove_chunks(document, chunks, tally)
    tally.add("blobs_checked", len(proven))
    return proven


def _read_owner(
    home: Home, owner: tuple[str, str], layout_id: str | None, tally: Tally
) -> DocumentBytes | None:
    if layout_id is None:
        tally.problem(f"doc:{owner[0]}", "has chunks of a text that the documents table lacks")
        return None
    try:
        document = read_document(home.blobs, *owner, layout_id)
    except SuyuanError as error:
        tally.error(error, f"blob:{layout_id}")
        return None
    tally.add("n_bytes", document.n_bytes)
    return document


def _prove_chunks(
    document: DocumentBytes | None, chunks: Iterable[Mapping[str, Any]], tally: Tally
) -> None:
    checked = sound = 0
    for chunk in chunks:
        checked += 1
        if document is None:
            continue  # the damage is named already
        if reason := chunk_reason(document, chunk):
            tally.problem(f"chunk:{chunk['chunk_id']}", reason)
        else:
            sound += 1
    tally.add("chunks_checked", checked)
    tally.add("chunks_ok", sound)
    if document is not None and document.mapped:
        tally.add("chunks_mapped", sound)


def _check_blob(home: Home, sha: str, tally: Tally) -> None:
    tally.add("blobs_checked")
    try:
        tally.add("n_bytes", len(home.blobs.get(sha)))
    except SuyuanError as error:
        tally.error(error, f"blob:{sha}")
