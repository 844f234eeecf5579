"""Rows of the ledger from records and from table rows, and back; pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from storage.digest import canonical_json, new_salt
from storage.ledger_schema import Row
from storage.records import Part

BATCH_ROWS = 5_000

T = TypeVar("T")

_DOC_TEXTS = (
    "doc_id",
    "source",
    "uri",
    "status",
    "title",
    "mime",
    "language",
    "text_id",
    "layout_id",
    "origin",
    "licence",
    "licence_evidence",
    "run_id",
)


def now() -> str:
    """Give the time as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat()


def json_text(value: Mapping[str, object]) -> str:
    """Give a mapping as canonical JSON; what JSON cannot hold becomes its string."""
    return canonical_json(json.loads(json.dumps(value, default=str))).decode()


def batches(rows: Iterable[T], size: int = BATCH_ROWS) -> Iterator[list[T]]:
    """Cut rows into lists that are written in one transaction each."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def doc_source_row(row: Mapping[str, object]) -> Row:
    """Give what a row of the documents table says about a document at one place."""
    fetched = row.get("fetched_at")
    return {
        **{name: _text(row.get(name)) for name in _DOC_TEXTS},
        "status_reason": "",
        "version": int(str(row.get("version") or 1)),
        "trust": float(str(row.get("trust") or 0.0)),
        "fetched_at": fetched.isoformat() if isinstance(fetched, datetime) else _text(fetched),
        "salt": new_salt(),
    }


def edge_rows(edges: Iterable[Sequence[str]]) -> list[Row]:
    """Give rows for (node, source node, relation)."""
    return [{"dst": dst, "src": src, "rel": rel} for dst, src, rel in edges]


def part_row(table: str, part: Part, run_id: str) -> Row:
    """Give the row of one file of a table."""
    return {
        "node": f"part:{table}/{part.path}",
        "table_name": table,
        "path": part.path,
        "n_bytes": part.n_bytes,
        "n_rows": part.n_rows,
        "sha256": part.sha256,
        "partition": json_text(part.partition),
        "run_id": run_id,
    }


def read_part(row: Mapping[str, Any]) -> Part:
    """Give the file that a row holds."""
    return Part(
        path=row["path"],
        n_bytes=int(row["n_bytes"]),
        n_rows=int(row["n_rows"]),
        sha256=row["sha256"],
        partition=json.loads(row["partition"]),
    )


def _text(value: object) -> str:
    """PostgreSQL stores no NUL, so metadata shows it as the replacement character."""
    return "" if value is None else str(value).replace("\0", "\ufffd")
