"""Proof of citations: of one answer, and of all that are stored."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from storage.answer_stream import stored_answers
from storage.digest import sha256_hex
from storage.errors import SuyuanError
from storage.home import Home
from storage.records import Answer, Citation
from tasks.provenance.verification.passages import (
    CHUNK_COLUMNS,
    DocumentBytes,
    chunk_reason,
    range_reason,
    read_document,
)
from tasks.provenance.verification.report import Tally

Chunks = Mapping[str, Mapping[str, Any]]
Owner = tuple[str, str]
"""Document and text."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What of the tables is sound, for the proof of all answers."""

    chunk_files: Sequence[str]
    complete: bool
    """Whether no file of documents and chunks is damaged; else nothing follows from a missing row."""
    layouts: Mapping[Owner, str]
    left_out: frozenset[str]
    """Documents that are not to be read."""


def check_citations(home: Home, answer: Answer, tally: Tally) -> None:
    """Prove every citation; name what fails `answer:<id>#<number of the citation, from 1>`."""
    read: dict[Owner, DocumentBytes | None] = {}
    chunks = _cited_chunks(home, answer, tally)
    for number, citation in enumerate(answer.citations, 1):
        owner = (citation.doc_id, citation.text_id)
        if owner not in read:
            read[owner] = _read_cited(home, citation, tally)
        document = read[owner]
        reasons = ["its document cannot be read"]
        if document is not None:
            reasons = list(_reasons(answer, citation, document, chunks))
        _count(tally, answer, number, reasons)


def check_all_citations(home: Home, tables: Tables, tally: Tally) -> None:
    """Prove the citations of every stored answer that is live; count the others.

    One document is in memory at a time. A citation whose document or chunk lies in a damaged file is
    counted but not named: the file is named already.
    """
    for answers, problems in stored_answers(home.ledger_url):
        tally.extend(problems)
        live = [answer for answer in answers if answer.state == "live"]
        tally.add("answers_checked", len(live))
        tally.add("answers_not_live", len(answers) - len(live))
        ids = {citation.chunk_id for answer in live for citation in answer.citations}
        rows = home.table("chunks").scan_files(tables.chunk_files)
        chunks = _chunk_rows(rows, sorted(ids))
        for owner, cited in groupby(_by_owner(live, tables), key=itemgetter(0)):
            _check_owner(home, owner, cited, chunks, tables, tally)


Cited = tuple[Owner, Answer, int]


def _by_owner(answers: Iterable[Answer], tables: Tables) -> list[Cited]:
    cited = [
        ((citation.doc_id, citation.text_id), answer, number)
        for answer in answers
        for number, citation in enumerate(answer.citations, 1)
        if citation.doc_id not in tables.left_out
    ]
    return sorted(cited, key=lambda one: (one[0], one[1].answer_id, one[2]))


def _check_owner(
    home: Home,
    owner: Owner,
    cited: Iterable[Cited],
    chunks: Chunks,
    tables: Tables,
    tally: Tally,
) -> None:
    layout_id = tables.layouts.get(owner)
    document = None
    if layout_id is not None:
        try:
            document = read_document(home.blobs, *owner, layout_id)
            tally.add("n_bytes", document.n_bytes)
        except SuyuanError as error:
            tally.error(error, f"blob:{owner[1]}")
    for _, answer, number in cited:
        citation = answer.citations[number - 1]
        if document is not None and (tables.complete or citation.chunk_id in chunks):
            reasons = list(_reasons(answer, citation, document, chunks))
            _count(tally, answer, number, reasons)
            continue
        tally.add("citations_checked")
        if layout_id is None and tables.complete:
            reason = "the documents table does not have this text of its document"
            tally.problem(f"answer:{answer.answer_id}#{number}", reason)


def _count(tally: Tally, answer: Answer, number: int, reasons: Sequence[str]) -> None:
    tally.add("citations_checked")
    tally.add("citations_ok", int(not reasons))
    for reason in reasons:
        tally.problem(f"answer:{answer.answer_id}#{number}", reason)


def _cited_chunks(home: Home, answer: Answer, tally: Tally) -> Chunks:
    ids = [citation.chunk_id for citation in answer.citations]
    try:
        return _chunk_rows(home.table("chunks").scan(), ids)
    except (SuyuanError, pl.exceptions.PolarsError, OSError) as error:
        tally.problem("table:chunks", f"cannot be read ({error})")
        return {}


def _chunk_rows(rows: pl.LazyFrame, ids: Sequence[str]) -> Chunks:
    if not ids:
        return {}
    found = rows.filter(pl.col("chunk_id").is_in(ids)).select(CHUNK_COLUMNS).collect()
    return {row["chunk_id"]: row for row in found.iter_rows(named=True)}


def _read_cited(home: Home, citation: Citation, tally: Tally) -> DocumentBytes | None:
    """Read the bytes behind a citation; what is not recorded or cannot be read is a problem."""
    node = f"doc:{citation.doc_id}"
    same = (pl.col("doc_id") == citation.doc_id) & (pl.col("text_id") == citation.text_id)
    try:
        rows = home.table("documents").scan().filter(same).select("layout_id").collect()
        if rows.is_empty():
            tally.problem(node, "the documents table does not have this text of it")
            return None
        layout_id = rows["layout_id"][0]
        document = read_document(home.blobs, citation.doc_id, citation.text_id, layout_id)
    except SuyuanError as error:
        tally.error(error, node)
        return None
    except (pl.exceptions.PolarsError, OSError) as error:
        tally.problem("table:documents", f"cannot be read ({error})")
        return None
    tally.add("blobs_checked", len(document.blobs))
    tally.add("n_bytes", document.n_bytes)
    return document


def _reasons(
    answer: Answer, citation: Citation, document: DocumentBytes, chunks: Chunks
) -> Iterator[str]:
    """Say everything that is wrong with a citation."""
    quote = document.text[citation.start : citation.end]
    if sha256_hex(quote) != citation.quote_sha256:
        yield "the cited bytes have another hash than the one recorded"
    written = answer.text.encode()[citation.a_start : citation.a_end]
    if sha256_hex(written) != citation.a_sha256:
        yield "the sentence has another hash than the one recorded"
    if citation.grade == "quoted" and written != quote:
        yield "graded as quoted, but the sentence is not the cited bytes"
    source = (citation.src_start, citation.src_end)
    if reason := range_reason(document, citation.start, citation.end, source):
        yield reason
    chunk = chunks.get(citation.chunk_id)
    if chunk is None:
        yield f"chunk:{citation.chunk_id} is not in the chunks table"
    elif reason := _outside(citation, chunk) or chunk_reason(document, chunk):
        yield f"chunk:{citation.chunk_id}: {reason}"


def _outside(citation: Citation, chunk: Mapping[str, Any]) -> str:
    if (chunk["doc_id"], chunk["text_id"]) != (citation.doc_id, citation.text_id):
        return "belongs to another document"
    inside = chunk["start"] <= citation.start <= citation.end <= chunk["end"]
    return "" if inside else "does not contain the cited bytes"
