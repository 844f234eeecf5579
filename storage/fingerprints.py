"""Fingerprints of bytes that must be gone: found again in any file, without being kept.

Every `stride` bytes a window of `WINDOW` bytes is hashed with a random key, so that any copy of
`WINDOW + stride - 1` bytes holds a whole window wherever it begins. A window of few distinct
bytes, such as a ruled line, says nothing about its origin and is left out. The hash is 64 bits
wide: among a million windows, one place in 10^13 would be taken for one by chance.
"""

import html
import io
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

WINDOW = 24
STRIDE = 8
MOST_WINDOWS = 1 << 22
"""Above this the stride grows, so that memory stays below some 100 MB."""

_LEAST_DISTINCT = 9
_FILTER_BITS = 24
_BLOCK = 1 << 18
"""Positions hashed at a time: the passes then stay in the processor's cache."""
_U = np.uint64


@dataclass(frozen=True)
class Fingerprints:
    """Keyed hashes of windows, ascending. Nothing of what they stand for can be read from them."""

    key: Words
    """Four odd random numbers."""
    hashes: Words
    prefixes: npt.NDArray[np.uint32]
    """Short keyed hashes of the first eight bytes of each window: most places fail on these."""
    stride: int = STRIDE

    def __len__(self) -> int:
        """Count the windows."""
        return int(self.hashes.size)

    @property
    def least_bytes(self) -> int:
        """Length from which any copy is found."""
        return WINDOW + self.stride - 1

    def found(self, data: bytes) -> Words:
        """Give the fingerprints that occur in some bytes, each once."""
        pieces = list(self._pieces(data))
        return np.unique(np.concatenate(pieces)) if pieces else np.empty(0, np.uint64)

    def within(self, data: bytes) -> bool:
        """Say whether any window occurs in some bytes."""
        return any(piece.size for piece in self._pieces(data))

    def without(self, others: Words) -> "Fingerprints":
        """Leave out some fingerprints: what may stay, because something else holds it too."""
        return replace(self, hashes=np.setdiff1d(self.hashes, others))

    def joined(self, other: "Fingerprints") -> "Fingerprints":
        """Join fingerprints that were taken with the same key."""
        if not np.array_equal(self.key, other.key):
            raise ValueError("fingerprints of two keys cannot be joined")
        prefixes = np.union1d(self.prefixes, other.prefixes)
        hashes = np.union1d(self.hashes, other.hashes)
        return Fingerprints(self.key, hashes, prefixes, max(self.stride, other.stride))

    def to_bytes(self) -> bytes:
        """Serialise."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            key=self.key,
            hashes=self.hashes,
            prefixes=self.prefixes,
            stride=np.int64(self.stride),
        )
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> "Fingerprints":
        """Read what to_bytes wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            stride = int(arrays["stride"])
            return Fingerprints(arrays["key"], arrays["hashes"], arrays["prefixes"], stride)

    @cached_property
    def _likely(self) -> npt.NDArray[np.bool_]:
        marks = np.zeros(1 << _FILTER_BITS, np.bool_)
        marks[self.prefixes] = True
        return marks

    def _pieces(self, data: bytes) -> Iterator[Words]:
        for start in range(0, max(len(data) - WINDOW + 1, 0), _BLOCK):
            yield self._found(data[start : start + _BLOCK + WINDOW - 1])

    def _found(self, block: bytes) -> Words:
        words = _eight_bytes(block)
        likely = np.flatnonzero(self._likely[_prefix(words[: 8 - WINDOW], self.key)])
        hashes = _hash(words, likely, self.key)
        at = np.searchsorted(self.hashes, hashes)
        known = at < self.hashes.size
        at, hashes = at[known], hashes[known]
        return hashes[self.hashes[at] == hashes]


def fingerprint(
    pieces: Iterable[bytes], stride: int = STRIDE, key: Words | None = None
) -> Fingerprints:
    """Hash the windows of some texts or other bytes, each taken as it is."""
    drawn = [secrets.randbits(64) | 1 for _ in range(4)]
    key = np.array(drawn, np.uint64) if key is None else key
    hashes, prefixes = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    for piece in pieces:
        if len(piece) >= WINDOW:
            words, starts = _eight_bytes(piece), _starts(piece, stride)
            hashes.append(_hash(words, starts, key))
            prefixes.append(_prefix(words[starts], key))
    unique = np.unique(np.concatenate(hashes))
    return Fingerprints(key, unique, np.unique(np.concatenate(prefixes)), stride)


def stride_for(n_bytes: int) -> int:
    """Give the stride at which so many bytes make no more windows than memory allows."""
    return max(STRIDE, -(-n_bytes // MOST_WINDOWS))


def spellings(text: bytes) -> Iterator[bytes]:
    """Give a text as it may stand in other files: as it is, and inside JSON and HTML."""
    yield text
    try:
        plain = text.decode()
    except UnicodeDecodeError:
        return
    others = {json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1]}
    others |= {html.escape(plain), html.escape(plain, quote=False)}
    yield from (other.encode() for other in sorted(others - {plain}))


def _starts(piece: bytes, stride: int) -> npt.NDArray[np.intp]:
    """Give where windows begin: every stride, and one that ends with the piece."""
    last = len(piece) - WINDOW
    starts = np.unique(np.append(np.arange(0, last + 1, stride), last))
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(piece, np.uint8), WINDOW)
    ordered = np.sort(windows[starts], axis=1)
    distinct = 1 + np.count_nonzero(ordered[:, 1:] != ordered[:, :-1], axis=1)
    return starts[distinct >= _LEAST_DISTINCT].astype(np.intp)


def _eight_bytes(block: bytes) -> Words:
    """View the eight bytes from each byte on as a number, without a copy."""
    return np.ndarray((len(block) - 7,), np.dtype("<u8"), block, strides=(1,))


def _prefix(words: Words, key: Words) -> npt.NDArray[np.uint32]:
    return ((words * key[3]) >> _U(64 - _FILTER_BITS)).astype(np.uint32)


def _hash(words: Words, starts: npt.NDArray[np.intp], key: Words) -> Words:
    """Hash the three words of the window at each start, one after the other."""
    state = np.zeros(starts.size, np.uint64)
    for number in range(3):
        state = _mix((state ^ words[starts + 8 * number]) * key[number])
    return state


def _mix(values: Words) -> Words:
    """Spread the bits of each value (the finaliser of SplitMix64)."""
    values = (values ^ (values >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> _U(27))) * _U(0x94D049BB133111EB)
    return values ^ (values >> _U(31))
