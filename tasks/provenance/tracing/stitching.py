"""Near-verbatim passages: join the spans that a text shares with one document, and show the edits.

Positions are units (words, or characters of scripts without spaces) on both sides, so that white
space, case and markup count for nothing. Joining is greedy from left to right: a span goes on
with the passage whose end is nearest, when at most `max_gap` units lie between them on both sides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from storage.spans.units import Units

MAX_GAP = 3
"""Units between two spans of one passage, on either side."""

MAX_GAP_BYTES = 512
"""A longer gap is not looked into: it may be white space, but no reader calls that one passage."""

Change = Literal["kept", "replaced", "inserted", "deleted"]


@dataclass(frozen=True, slots=True)
class Match:
    """Bytes [start, end) of a text say the same as bytes [doc_start, doc_end) of a document."""

    start: int
    end: int
    doc_start: int
    doc_end: int


@dataclass(frozen=True, slots=True)
class Edit:
    """How bytes [start, end) of a text relate to bytes [doc_start, doc_end) of a document.

    kept: the same units; replaced: others; inserted: only the text has them; deleted: only the
    document has them. An empty range stands between the neighbours' ranges.
    """

    kind: Change
    start: int
    end: int
    doc_start: int
    doc_end: int


@dataclass(frozen=True, slots=True)
class Stitch:
    """A near-verbatim passage; its edits tile the ranges of both sides, kept ones at the ends."""

    start: int
    end: int
    doc_start: int
    doc_end: int
    kept: int
    """Units that are the same."""
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Units [at, at + size) of the text are units [doc_at, doc_at + size) of the document."""

    at: int
    doc_at: int
    size: int

    def gap(self, after: "_Piece") -> tuple[int, int]:
        """Count the units between this piece and a later one; negative when they overlap."""
        return after.at - self.at - self.size, after.doc_at - self.doc_at - self.size

    def without_first(self, count: int) -> "_Piece":
        """Leave out the first units, on both sides."""
        return _Piece(self.at + count, self.doc_at + count, self.size - count)


def may_join(matches: Iterable[Match], max_bytes: int = MAX_GAP_BYTES) -> bool:
    """Say by the offsets alone whether two of the matches with one document may be neighbours."""
    ordered = sorted(matches, key=lambda one: (one.start, one.doc_start))
    for at, left in enumerate(ordered):
        for right in ordered[at + 1 :]:
            if right.start > left.end + max_bytes:
                break
            ahead = left.doc_start < right.doc_start <= left.doc_end + max_bytes
            if ahead and right.start > left.start:
                return True
    return False


def stitch(
    matches: Iterable[Match], text: Units, document: Units, max_gap: int = MAX_GAP
) -> list[Stitch]:
    """Join the matches with one document to passages; those with no neighbour are left out."""
    pieces = {piece for match in matches if (piece := _piece(match, text, document))}
    chains: list[list[_Piece]] = []
    open_chains: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda one: (one.at, one.doc_at, one.size)):
        open_chains = [c for c in open_chains if c[-1].gap(piece)[0] <= max_gap]
        chain, rest = _best(open_chains, piece, max_gap)
        if chain is None:
            chain = []
            chains.append(chain)
            open_chains.append(chain)
        chain.append(rest)
    return [_stitched(chain, text, document) for chain in chains if len(chain) > 1]


def _piece(match: Match, text: Units, document: Units) -> _Piece | None:
    """Count a match in units; None when the units of both sides are not the same."""
    first, last = map(int, np.searchsorted(text.starts, (match.start, match.end)))
    places = (match.doc_start, match.doc_end)
    doc_first, doc_last = map(int, np.searchsorted(document.starts, places))
    same = last > first and np.array_equal(
        text.hashes[first:last], document.hashes[doc_first:doc_last]
    )
    return _Piece(first, doc_first, last - first) if same else None


def _best(
    chains: Sequence[list[_Piece]], piece: _Piece, max_gap: int
) -> tuple[list[_Piece] | None, _Piece]:
    """Find the chain that a piece continues most closely, and what the chain does not have of it."""
    best, best_cost, rest = None, 2 * max_gap + 1, piece
    for chain in chains:
        gap, doc_gap = chain[-1].gap(piece)
        shared = max(0, -gap, -doc_gap)
        cost = gap + doc_gap + 2 * shared
        near = max(gap, doc_gap) + shared <= max_gap and shared <= max_gap
        if near and shared < piece.size and cost < best_cost:
            best, best_cost, rest = chain, cost, piece.without_first(shared)
    return best, rest


def _stitched(chain: Sequence[_Piece], text: Units, document: Units) -> Stitch:
    edits: list[Edit] = []
    for piece in chain:
        kept = Edit(
            "kept",
            int(text.starts[piece.at]),
            int(text.ends[piece.at + piece.size - 1]),
            int(document.starts[piece.doc_at]),
            int(document.ends[piece.doc_at + piece.size - 1]),
        )
        if edits:
            before = chain[len(edits) // 2]
            edits.append(_between(edits[-1], kept, before.gap(piece)))
        edits.append(kept)
    first, last = edits[0], edits[-1]
    kept_units = sum(piece.size for piece in chain)
    places = (first.start, last.end, first.doc_start, last.doc_end)
    return Stitch(*places, kept_units, tuple(edits))


def _between(left: Edit, right: Edit, gap: tuple[int, int]) -> Edit:
    if min(gap) > 0:
        kind: Change = "replaced"
    elif gap[0] > 0:
        kind = "inserted"
    else:
        kind = "deleted" if gap[1] > 0 else "kept"
    return Edit(kind, left.end, right.start, left.doc_end, right.doc_start)
