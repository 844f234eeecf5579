"""Proof of the citations of one answer."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from storage.digest import sha256_hex
from storage.errors import SuyuanError
from storage.home import Home
from storage.records import Answer, Citation
from tasks.provenance.proof import (
    CHUNK_COLUMNS,
    DocumentBytes,
    chunk_reason,
    range_reason,
    read_document,
)
from tasks.provenance.report import Tally

Chunks = Mapping[str, Mapping[str, Any]]


def check_citations(home: Home, answer: Answer, tally: Tally) -> None:
    """Prove every citation; name what fails `answer:<id>#<number of the citation, from 1>`."""
    read: dict[tuple[str, str], DocumentBytes | None] = {}
    chunks = _cited_chunks(home, answer, tally)
    for number, citation in enumerate(answer.citations, 1):
        owner = (citation.doc_id, citation.text_id)
        if owner not in read:
            read[owner] = _read_cited(home, citation, tally)
        document = read[owner]
        reasons = ["its document cannot be read"]
        if document is not None:
            reasons = list(_reasons(answer, citation, document, chunks))
        tally.add("citations_checked")
        tally.add("citations_ok", int(not reasons))
        for reason in reasons:
            tally.problem(f"answer:{answer.answer_id}#{number}", reason)


def _cited_chunks(home: Home, answer: Answer, tally: Tally) -> Chunks:
    ids = [citation.chunk_id for citation in answer.citations]
    try:
        rows = home.table("chunks").scan().filter(pl.col("chunk_id").is_in(ids))
        found = rows.select(CHUNK_COLUMNS).collect()
    except (SuyuanError, pl.exceptions.PolarsError, OSError) as error:
        tally.problem("table:chunks", f"cannot be read ({error})")
        return {}
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
