"""What every detector of personal data and secrets gives, and how overlaps are settled."""

from collections.abc import Iterable
from typing import NamedTuple


class Found(NamedTuple):
    """A span [start, end) of chars with its kind; of overlapping spans the lower rank wins."""

    rank: int
    start: int
    end: int
    kind: str


def settle(found: Iterable[Found]) -> list[Found]:
    """Keep the best of overlapping spans, in order of position; at equal rank the longer wins."""
    kept: list[Found] = []
    for span in sorted(set(found), key=lambda s: (s.rank, s.start - s.end, s.start)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda s: s.start)
