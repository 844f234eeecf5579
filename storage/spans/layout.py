"""Where units lie in their documents, in about one byte a unit.

Each unit has one byte: the gap from the unit before in the high half, the length in the low half.
A byte of zero is the separator before a document. Where gap or length do not fit, the byte is
`WIDE` and both stand as variable-length numbers (7 bits a byte, low first) in a second stream.
Every `BLOCK` units a sample keeps the byte position and the place in that stream, so that one unit
is found by walking at most one block.
"""

from typing import NamedTuple

import numpy as np

from storage.spans.jit import Int, kernel

BLOCK = 128
WIDE = 0xF0
_MOST = 15


class Layout(NamedTuple):
    """Bytes of units, wide units, samples [n, 2], first unit and first byte of each document.

    `firsts` and `bases` have one entry more than there are documents: the totals.
    """

    units: np.ndarray
    wide: np.ndarray
    samples: np.ndarray
    firsts: np.ndarray
    bases: np.ndarray

    def ranges(self, places: np.ndarray, length: int) -> list[tuple[int, int, int]]:
        """Give document, first byte and end byte of runs of units that begin at these places."""
        found = []
        for place in places.tolist():
            document = int(np.searchsorted(self.firsts, place, side="right")) - 1
            start, _ = locate(self, document, place)
            _, end = locate(self, document, place + length - 1)
            found.append((document, start, end))
        return found


@kernel
def put_number(wide: np.ndarray, at: Int, value: Int) -> Int:
    """Write a number of variable length; give the place behind it."""
    while value >= 0x80:
        wide[at] = np.uint8(value & 0x7F | 0x80)
        value >>= 7
        at += 1
    wide[at] = np.uint8(value)
    return at + 1


@kernel
def get_number(wide: np.ndarray, at: Int) -> tuple[Int, Int]:
    """Read a number of variable length; give it and the place behind it."""
    value, shift = np.int64(0), 0
    while wide[at] & 0x80:
        value |= np.int64(wide[at] & 0x7F) << shift
        shift += 7
        at += 1
    return value | np.int64(wide[at]) << shift, at + 1


@kernel
def is_narrow(gap: Int, length: Int) -> bool:
    """Say whether a unit fits one byte."""
    return gap <= _MOST and length <= _MOST


@kernel
def write_units(
    starts: np.ndarray, ends: np.ndarray, units: np.ndarray, wide: np.ndarray, wide_at: Int
) -> Int:
    """Write the separator and the units of one document; give the new end of the wide stream.

    `units` has one place more than there are units, `wide` ten free bytes for each.
    """
    units[0] = 0
    before = 0
    for at in range(starts.size):
        gap, length = starts[at] - before, ends[at] - starts[at]
        if is_narrow(gap, length):
            units[at + 1] = np.uint8(gap << 4 | length)
        else:
            units[at + 1] = WIDE
            wide_at = put_number(wide, wide_at, gap)
            wide_at = put_number(wide, wide_at, length)
        before = ends[at]
    return wide_at


@kernel
def step(units: np.ndarray, wide: np.ndarray, at: Int, wide_at: Int) -> tuple[Int, Int, Int]:
    """Read gap and length of a unit; give them and the next place in the wide stream."""
    value = np.int64(units[at])
    if value != WIDE:
        return value >> 4, value & 0xF, wide_at
    gap, wide_at = get_number(wide, wide_at)
    length, wide_at = get_number(wide, wide_at)
    return gap, length, wide_at


@kernel
def sample(units: np.ndarray, wide: np.ndarray, bases: np.ndarray, size: Int) -> np.ndarray:
    """Give, for each block, the end of the unit before it and its place in the wide stream."""
    samples = np.zeros(((size + BLOCK - 1) // BLOCK, 2), np.uint32)
    position, wide_at, document = np.int64(0), 0, -1
    for at in range(size):
        if at % BLOCK == 0:
            samples[at // BLOCK, 0], samples[at // BLOCK, 1] = position, wide_at
        if units[at] == 0:
            document += 1
            position = np.int64(bases[document])
            continue
        gap, length, wide_at = step(units, wide, at, wide_at)
        position += gap + length
    return samples


@kernel
def locate(layout: Layout, document: Int, place: Int) -> tuple[Int, Int]:
    """Give the first byte and the end byte of a unit in its document."""
    block = place // BLOCK
    base = np.int64(layout.bases[document])
    position, wide_at = np.int64(layout.samples[block, 0]), np.int64(layout.samples[block, 1])
    gap, length = 0, 0
    for at in range(block * BLOCK, place + 1):
        if layout.units[at] == 0:
            position = base  # right for this document, and for one before it of no consequence
            continue
        gap, length, wide_at = step(layout.units, layout.wide, at, wide_at)
        position += gap + length
    return position - length - base, position - base


@kernel
def keep_documents(
    units: np.ndarray, wide: np.ndarray, firsts: np.ndarray, dead: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Copy the units of the documents that are not dead."""
    new_units, new_wide = np.empty(units.size, np.uint8), np.empty(wide.size, np.uint8)
    count, wide_count, wide_at = 0, 0, 0
    for document in range(dead.size):
        for at in range(firsts[document], firsts[document + 1]):
            first = wide_at
            if units[at] == WIDE:
                _, _, wide_at = step(units, wide, at, wide_at)
            if dead[document]:
                continue
            new_units[count] = units[at]
            count += 1
            for byte in range(first, wide_at):
                new_wide[wide_count] = wide[byte]
                wide_count += 1
    return new_units[:count].copy(), new_wide[:wide_count].copy()
