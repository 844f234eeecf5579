"""Decide what has to be computed, and in which batches.

Plans are deterministic: equal tables give equal batches with equal keys, so that a run finds the
parts that a killed run with the same work left behind.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from storage.digest import canonical_json, sha256_hex

T = TypeVar("T")

KEY_CHARS = 32
BATCHES_AIM = 64
"""Number of batches that a large plan is cut into, sizes permitting."""


@dataclass(frozen=True, slots=True)
class PendingDocument:
    """A live document without chunks. Source and uri name it in the quarantine."""

    doc_id: str
    text_id: str
    layout_id: str
    num_bytes: int
    source: str
    uri: str


@dataclass(frozen=True, slots=True)
class PendingText:
    """A passage by place: bytes [start, end) of the text blob, and the hash they must have."""

    text_sha: str
    text_id: str
    start: int
    end: int
    num_tokens: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the size of one batch, in the unit of its weights."""

    least: int
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchSizes:
    """Bounds of one batch: some seconds of work, and a bounded share of a worker's memory."""

    chunk_bytes: Limits = Limits(1 << 18, 1 << 23)
    embed_tokens: Limits = Limits(1 << 13, 1 << 18)
    count_tokens: Limits = Limits(1 << 16, 1 << 21)


def live_documents(documents: pl.LazyFrame) -> pl.LazyFrame:
    """Select one row per live content with text: the most trusted one, then the first by name."""
    live = documents.filter((pl.col("status") == "live") & (pl.col("text_bytes") > 0))
    ordered = live.sort(["trust", "source", "uri"], descending=[True, False, False])
    return ordered.unique(["doc_id", "text_id"], keep="first", maintain_order=True)


def pending_documents(documents: pl.LazyFrame, chunks: pl.LazyFrame) -> list[PendingDocument]:
    """Give the live documents that have no chunks yet, by id."""
    todo = (
        live_documents(documents)
        .join(chunks.select("doc_id", "text_id"), on=["doc_id", "text_id"], how="anti")
        .select("doc_id", "text_id", "layout_id", "text_bytes", "source", "uri")
        .sort("doc_id", "text_id")
        .collect()
    )
    return [PendingDocument(*row) for row in todo.iter_rows()]


def live_chunks(documents: pl.LazyFrame, chunks: pl.LazyFrame) -> pl.LazyFrame:
    """Select the chunks of live documents."""
    keys = live_documents(documents).select("doc_id", "text_id")
    return chunks.join(keys, on=["doc_id", "text_id"], how="semi")


def pending_texts(chunks: pl.LazyFrame, done: pl.LazyFrame) -> list[PendingText]:
    """Give each distinct text of chunks that `done` does not hold, in order of its first place."""
    todo = (
        chunks.select("text_sha", "text_id", "start", "end", "n_tokens")
        .join(done.select("text_sha"), on="text_sha", how="anti")
        .sort("text_id", "start", "end")
        .unique("text_sha", keep="first", maintain_order=True)
        .collect()
    )
    return [PendingText(*row) for row in todo.iter_rows()]


def even_batches(
    items: Sequence[T], weight: Callable[[T], int], limits: Limits
) -> list[tuple[T, ...]]:
    """Cut items into runs of about equal weight, heaviest first; each keeps the given order.

    A batch weighs at most `limits.most`, unless it is one item.
    """
    total = sum(weight(item) for item in items)
    size = min(max(total // BATCHES_AIM, limits.least), limits.most)
    # the same weight for all, instead of a small rest at the end
    size = -(-total // max(1, -(-total // size)))
    batches: list[tuple[int, tuple[T, ...]]] = []
    batch: list[T] = []
    filled = 0
    for item in items:
        if batch and filled + weight(item) > size:
            batches.append((filled, tuple(batch)))
            batch, filled = [], 0
        batch.append(item)
        filled += weight(item)
    if batch:
        batches.append((filled, tuple(batch)))
    return [members for _, members in sorted(batches, key=lambda pair: -pair[0])]


def batch_key(spec: str, ids: Iterable[str]) -> str:
    """Name a batch by the settings of the computation and what it computes on."""
    return sha256_hex(canonical_json([spec, *ids]))[:KEY_CHARS]
