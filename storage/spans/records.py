"""What goes into a span index and what comes out, and its limits."""

from dataclasses import dataclass

MIN_UNITS = 8
SEGMENT_UNITS = 16_000_000
"""Units after which a new segment begins: it is sorted in 10 to 15 bytes of memory a unit."""

MOST_SEGMENTS = 8
TIER = 4
"""Neighbours within this factor in size are joined when there are so many of them."""

DEAD_SHARE = 0.1
LOCK_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Passage:
    """A document for the index: its name and its bytes."""

    doc_id: str
    text: bytes


@dataclass(frozen=True)
class SpanHit:
    """An occurrence of a span: bytes of a document's text."""

    doc_id: str
    start: int
    end: int


@dataclass(frozen=True)
class SpanMatch:
    """A maximal span: bytes of the query, live occurrences in the corpus, the first of them."""

    start: int
    end: int
    count: int
    hits: tuple[SpanHit, ...]


@dataclass(frozen=True)
class SpanReport:
    """What compaction did: segments and bytes before and after, documents dropped for good."""

    segments_before: int
    segments_after: int
    bytes_before: int
    bytes_after: int
    purged: int
