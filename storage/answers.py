"""Answers as rows of the ledger, and back; pure."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from storage.digest import canonical_json, new_salt, sha256_hex
from storage.ledger_schema import Row
from storage.records import Answer, Citation

_RENAMED = {"start": "d_start", "end": "d_end"}
_CITATION_FIELDS = tuple(Citation.__dataclass_fields__)


def answer_row(answer: Answer) -> Row:
    """Give the row of an answer without its citations."""
    if "\0" in answer.text or "\0" in answer.question:
        raise ValueError("an answer holds a NUL character, which PostgreSQL cannot store")
    return {
        "answer_id": answer.answer_id,
        "question": answer.question,
        "status": answer.status,
        "text": answer.text,
        "generator": answer.generator,
        "index_digest": answer.index_digest,
        "run_id": answer.run_id,
        "signals": canonical_json({k: float(v) for k, v in answer.signals.items()}).decode(),
        "created_at": answer.created_at.isoformat(),
        "state": answer.state,
        "stale_reason": answer.stale_reason,
        "salt": answer.salt or new_salt(),
    }


def span_rows(answer: Answer) -> list[Row]:
    """Give one row per citation, in order; the hash of its sentence is taken from the answer."""
    text = answer.text.encode()
    return [
        {"answer_id": answer.answer_id, "ordinal": ordinal, **_span(citation, text)}
        for ordinal, citation in enumerate(answer.citations)
    ]


def read_answer(row: Mapping[str, Any], spans: Sequence[Mapping[str, Any]]) -> Answer:
    """Give the answer that the rows hold; spans in their order."""
    values = {name: row[name] for name in ("answer_id", "question", "status", "text")}
    values |= {name: row[name] for name in ("generator", "index_digest", "run_id")}
    values |= {name: row[name] for name in ("state", "stale_reason", "salt")}
    return Answer(
        **values,
        created_at=datetime.fromisoformat(row["created_at"]),
        signals=json.loads(row["signals"]),
        citations=tuple(_citation(span) for span in spans),
    )


def edges(answer: Answer) -> list[tuple[str, str, str]]:
    """Give what the answer rests on: (node, source node, relation)."""
    node = f"answer:{answer.answer_id}"
    found: set[tuple[str, str, str]] = {
        (node, f"doc:{c.doc_id}", c.grade) for c in answer.citations
    }
    if answer.index_digest:
        found.add((node, f"index:{answer.index_digest}", "used"))
    if answer.run_id:
        found.add((node, f"run:{answer.run_id}", "generated"))
    return sorted(found)


def _span(citation: Citation, text: bytes) -> Row:
    row: Row = {_RENAMED.get(name, name): getattr(citation, name) for name in _CITATION_FIELDS}
    row["score"] = float(citation.score)
    row["a_sha256"] = sha256_hex(text[citation.a_start : citation.a_end])
    row["salt"] = citation.salt or new_salt()
    return row


def _citation(span: Mapping[str, Any]) -> Citation:
    values = {name: span[_RENAMED.get(name, name)] for name in _CITATION_FIELDS}
    return Citation(**values)
