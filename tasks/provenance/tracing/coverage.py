"""How much of a text lies in byte ranges of it."""

import re
from collections.abc import Iterator, Sequence

_SPACE = re.compile(
    rb"[\t-\r\x1c- ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f"
    rb"|\xe3\x80\x80"
)
"""White space of Unicode in UTF-8."""


def coverage(text: bytes, ranges: Sequence[tuple[int, int]]) -> float:
    """Give the share of the bytes of a text, white space left out, that lie in byte ranges."""
    total = len(text) - _num_space(text)
    covered = sum(end - start - _num_space(text[start:end]) for start, end in _united(ranges))
    return round(covered / total, 6) if total else 0.0


def _united(ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Give the union of ranges, as ranges that do not touch each other."""
    position = 0
    for start, end in sorted(ranges):
        if end > position:
            yield max(start, position), end
            position = end


def _num_space(text: bytes) -> int:
    return sum(len(one) for one in _SPACE.findall(text))
