"""Why an answer says what it says: each sentence down to document, source and licence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from storage.errors import SuyuanError
from storage.home import Home
from storage.ledger import Edge
from storage.records import Answer, Citation, Grade
from storage.snapshots import newest_only
from tasks.provenance.lineage.explanation import (
    CitedDocument,
    CitedSource,
    Evidence,
    Explanation,
    Sentence,
)
from tasks.provenance.lineage.grades import GradedSentence, grade_answer
from tasks.provenance.lineage.tree import render

__all__ = ["explain", "render"]

Headings = Mapping[str, tuple[str, ...]]


def explain(answer_id: str, home: Home) -> Explanation:
    """Gather the whole chain behind an answer; NotFoundError without the answer."""
    answer = home.ledger.answer(answer_id)
    headings = _headings(home, answer)
    node = f"answer:{answer.answer_id}"
    edges = newest_only(node, home.ledger.up(node))
    made_by = tuple(edge for edge in edges if not edge.dst.startswith("doc:"))
    return Explanation(
        answer_id=answer.answer_id,
        question=answer.question,
        status=answer.status,
        state=answer.state,
        stale_reason=answer.stale_reason,
        generator=answer.generator,
        created_at=answer.created_at.isoformat(timespec="seconds"),
        sentences=tuple(
            _sentence(home, answer, graded, headings) for graded in grade_answer(home, answer)
        ),
        made_by=tuple(edge for edge in made_by if not edge.src.startswith("doc:")),
        runs=tuple(_runs(home, made_by)),
    )


def _sentence(home: Home, answer: Answer, graded: GradedSentence, headings: Headings) -> Sentence:
    mine = (graded.start, graded.end)
    grades = {one.ordinal: one.grade for one in graded.evidence if one.ordinal is not None}
    return Sentence(
        start=graded.start,
        end=graded.end,
        text=graded.text,
        grade=graded.grade,
        evidence=tuple(
            _evidence(home, (ordinal + 1, citation), grades.get(ordinal, "none"), headings)
            for ordinal, citation in enumerate(answer.citations)
            if (citation.a_start, citation.a_end) == mine
        ),
        found=tuple(one for one in graded.evidence if one.ordinal is None),
        notes=graded.notes,
    )


def _evidence(
    home: Home, numbered: tuple[int, Citation], grade: Grade, headings: Headings
) -> Evidence:
    number, citation = numbered
    return Evidence(
        number=number,
        grade=grade,
        score=citation.score,
        chunk_id=citation.chunk_id,
        heading=headings.get(citation.chunk_id, ()),
        origin=citation.origin,
        start=citation.start,
        end=citation.end,
        src_start=citation.src_start,
        src_end=citation.src_end,
        passage=_passage(home, citation),
        document=_document(home, citation),
        source=_source(home, citation),
    )


def _passage(home: Home, citation: Citation) -> str:
    try:
        text = home.blobs.get(citation.text_id)
    except SuyuanError:
        return ""  # `verify` says what is wrong with the blob
    return text[citation.start : citation.end].decode("utf-8", "replace")


def _document(home: Home, citation: Citation) -> CitedDocument:
    row = _row(home, "doc_source", (citation.doc_id, citation.source, citation.uri))
    return CitedDocument(
        doc_id=citation.doc_id,
        uri=citation.uri,
        title=row.get("title", ""),
        version=row.get("version", 0),
        status=row.get("status", ""),
        mime=row.get("mime", ""),
        language=row.get("language", ""),
        fetched_at=row.get("fetched_at", ""),
        run_id=row.get("run_id", ""),
        licence=citation.licence,
        licence_evidence=row.get("licence_evidence", "none"),
    )


def _source(home: Home, citation: Citation) -> CitedSource:
    row = _row(home, "source", (citation.source,))
    standing = home.trust_records.effective(citation.source) if row else None
    decided = standing.override if standing else None
    return CitedSource(
        name=citation.source,
        uri=row.get("uri", ""),
        publisher=row.get("publisher", ""),
        trust=standing.trust if standing else 0.0,
        status=row.get("status", ""),
        trust_by=standing.by if standing else "declared",
        trust_why=f"{decided.who}: {decided.why}" if decided else "",
    )


def _row(home: Home, kind: str, key: tuple[str, ...]) -> dict[str, Any]:
    return home.ledger.get(kind, "|".join(part.replace("|", "%7C") for part in key)) or {}


def _headings(home: Home, answer: Answer) -> dict[str, tuple[str, ...]]:
    ids = [citation.chunk_id for citation in answer.citations]
    rows = home.table("chunks").scan().filter(pl.col("chunk_id").is_in(ids))
    found = rows.select("chunk_id", "heading").collect()
    return {chunk_id: tuple(heading or ()) for chunk_id, heading in found.iter_rows()}


def _runs(home: Home, edges: Sequence[Edge]) -> Iterator[tuple[str, str, str]]:
    for node in sorted({edge.src for edge in edges if edge.src.startswith("run:")}):
        row = home.ledger.get("run", node.removeprefix("run:")) or {}
        yield node, str(row.get("flow", "")), str(row.get("mlflow_run_id", ""))
