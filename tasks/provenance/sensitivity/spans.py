"""What every detector of personal data and secrets gives, and where detectors need to look.

Detectors work on UTF-8 bytes: offsets are then byte offsets, and all that they look for is ASCII.
numpy finds the few places worth a regular expression, so that a page of prose costs little.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]
MIN_RUN_DIGITS = 7
_MAX_GAP = 3
"""Separators between two digits of one number."""
_MIN_TOKEN = 20
_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_BREAKS = bytes(code not in _WORD for code in range(256))


class Found(NamedTuple):
    """A span [start, end) of bytes with its kind; of overlapping spans the lower rank wins."""

    rank: int
    start: int
    end: int
    kind: str


def words_before(words: str, reach: int) -> re.Pattern[bytes]:
    """Compile a pattern for one of some words on the line, at most reach bytes before the end."""
    return re.compile(rf"(?:{words})[^\n]{{0,{reach}}}\s*\Z".encode(), re.IGNORECASE)


def settle(found: Iterable[Found]) -> list[Found]:
    """Keep the best of overlapping spans, in order of place; at equal rank the longer wins."""
    ranked = sorted(set(found), key=lambda span: (span.rank, span.start - span.end, span.start))
    kept: list[Found] = []
    taken: list[tuple[int, int]] = []
    for span in ranked:
        at = bisect_left(taken, (span.start, span.start))
        before = at > 0 and taken[at - 1][1] > span.start
        after = at < len(taken) and taken[at][0] < span.end
        if not before and not after:
            taken.insert(at, (span.start, span.end))
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)


def digit_places(data: bytes) -> Places:
    """Give the digits that are followed closely by six more."""
    octets = np.frombuffer(data, np.uint8)
    digits = np.flatnonzero((octets - np.uint8(ord("0"))) < 10)
    reach = MIN_RUN_DIGITS - 1
    close = digits[reach:] - digits[:-reach] <= reach * (1 + _MAX_GAP)
    return digits[:-reach][close]


def token_places(data: bytes) -> Places:
    """Give the starts of runs of at least 20 letters, digits, "_" and "-"."""
    breaks = np.flatnonzero(np.frombuffer(data.translate(_BREAKS), np.bool_))
    edges = np.concatenate(([-1], breaks, [len(data)]))
    return edges[:-1][np.diff(edges) > _MIN_TOKEN] + 1
