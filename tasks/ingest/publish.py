"""Decide what a batch of read documents changes in the documents table.

A source is a set of URIs; each URI has versions, of which at most one is live. Pure functions on
frames: nothing here writes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl
import pyarrow as pa

from storage.records import UNKNOWN_LICENCE, Reject
from storage.schemas import DOCUMENTS

Row = Mapping[str, object]


class Clusters(Protocol):
    """Groups near-duplicates: gives the doc_id of the first similar document seen."""

    def assign(self, doc_id: str, signature: bytes) -> str:
        """Name the cluster of a document; a new one is its own cluster."""
        ...


@dataclass(frozen=True, kw_only=True)
class Change:
    """Rows to upsert, and how many of them are first versions, new versions and returns."""

    rows: pa.Table
    fresh: bool
    """No row of the table changes: the batch can simply be appended."""
    new: int = 0
    changed: int = 0
    returned: int = 0


def known_documents(
    documents: pl.LazyFrame, source: str, refusal: Callable[[str], str] | None = None
) -> dict[str, str]:
    """Map each live URI of a source to its document id.

    What today's policy on licences refuses is left out, so that it is looked at again.
    """
    live = documents.filter((pl.col("source") == source) & (pl.col("status") == "live"))
    frame = live.select("uri", "doc_id", pl.col("licence").fill_null(UNKNOWN_LICENCE)).collect()
    if refusal is not None:
        denied = [licence for licence in frame["licence"].unique() if refusal(licence)]
        frame = frame.filter(~pl.col("licence").is_in(denied))
    return dict(frame.select("uri", "doc_id").iter_rows())


def plan_change(
    documents: pl.LazyFrame, rows: Sequence[Row], clusters: Clusters, run_id: str
) -> Change:
    """Give versions, status and cluster to newly read rows, and retire the versions they replace.

    The order of rows decides the near-duplicate clusters; the last row of a repeated key wins.
    """
    unique = {(row["source"], row["uri"]): row for row in rows}
    earlier = _earlier_versions(documents, unique)
    upserts: list[dict[str, object]] = []
    tally = {"new": 0, "changed": 0, "returned": 0}
    for key, row in unique.items():
        versions = earlier.get(key, [])
        tally[_kind(row, versions)] += 1
        upserts.append(_live_row(row, versions, clusters, run_id))
        upserts += [
            {**old, "status": "superseded"}
            for old in versions
            if old["status"] == "live" and old["doc_id"] != row["doc_id"]
        ]
    return Change(
        rows=pa.Table.from_pylist(upserts, schema=DOCUMENTS.schema), fresh=not earlier, **tally
    )


def plan_gone(
    documents: pl.LazyFrame,
    source: str,
    *,
    seen: Iterable[str],
    rejected: Iterable[str],
    in_scope: Callable[[str], bool],
) -> pa.Table:
    """Mark as gone the live documents of a source that a complete listing no longer contains.

    What lies below a rejected item is left alone: it may only be unreadable today.
    """
    present = set(seen)
    unreadable = _unreadable(rejected)
    live = documents.filter((pl.col("source") == source) & (pl.col("status") == "live")).collect()
    keep = [uri not in present and in_scope(uri) and not unreadable(uri) for uri in live["uri"]]
    gone = live.filter(pl.Series(keep, dtype=pl.Boolean)).with_columns(status=pl.lit("gone"))
    return gone.to_arrow().cast(DOCUMENTS.schema)


def rejects_of(
    failures: Iterable[tuple[int, str, str, object]], rows: Sequence[Row]
) -> list[Reject]:
    """Turn failed expectations (row, expectation, column, value) into rejects of those rows."""
    return [
        Reject(
            source=str(rows[index]["source"]),
            uri=str(rows[index]["uri"]),
            reason="quality.failed",
            expectation=expectation,
            detail=f"{column} = {str(value)[:200]!r} does not meet {expectation}; "
            "mend the source or the connector's field mapping and ingest again",
            blob_id=str(rows[index]["doc_id"]),
        )
        for index, expectation, column, value in failures
    ]


def _unreadable(rejected: Iterable[str]) -> Callable[[str], bool]:
    """Test whether a URI is a rejected item, lies in one, or below a folder that was not listed."""
    items = set(rejected)
    folders = tuple(uri.rstrip("/") + "/" for uri in items)
    unlisted = any(uri.startswith("source:") for uri in items)

    def unreadable(uri: str) -> bool:
        item = uri.partition("#")[0]
        return unlisted or uri in items or item in items or item.startswith(folders)

    return unreadable


def _kind(row: Row, versions: Sequence[Row]) -> str:
    if any(old["doc_id"] == row["doc_id"] for old in versions):
        return "returned"
    return "changed" if versions else "new"


def _live_row(
    row: Row, versions: Sequence[Row], clusters: Clusters, run_id: str
) -> dict[str, object]:
    newest = max((int(str(old["version"])) for old in versions), default=0)
    same = next((old for old in versions if old["doc_id"] == row["doc_id"]), None)
    version = newest if same and same["version"] == newest else newest + 1
    signature = row.get("signature") or b""
    doc_id = str(row["doc_id"])
    cluster = clusters.assign(doc_id, signature) if isinstance(signature, bytes) else doc_id
    return {**row, "version": version, "status": "live", "cluster": cluster, "run_id": run_id}


def _earlier_versions(
    documents: pl.LazyFrame, unique: Mapping[tuple[object, object], Row]
) -> dict[tuple[object, object], list[dict[str, object]]]:
    uris = sorted({str(uri) for _, uri in unique})
    found = documents.filter(pl.col("uri").is_in(uris)).collect()
    earlier: dict[tuple[object, object], list[dict[str, object]]] = {}
    for old in found.to_dicts():
        key = (old["source"], old["uri"])
        if key in unique:
            earlier.setdefault(key, []).append(old)
    return earlier
