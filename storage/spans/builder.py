"""From documents to a segment, and from segments to fewer: thinned out, or joined."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from storage.errors import InputError
from storage.spans.bits import pack, packed_words, unpack, unpack_wide
from storage.spans.layout import keep_documents, write_units
from storage.spans.scan import HASH_BITS, number, rehash
from storage.spans.segment import Segment, layout_of, marks_of, readonly
from storage.spans.sorting import keep_suffixes, kept_tokens, places_of
from storage.spans.suffixes import GRAM, bits_for, derived, sort_suffixes
from storage.spans.units import Scanner

SEPARATOR = 0
MOST_BYTES = 2**31 - 1
"""Bytes of text in a segment: positions are 32-bit."""

_WIDE_BYTES = 10
_LEAST = 1024


class Vocabulary:
    """Numbers hashes from 1 in the order of their first appearance."""

    def __init__(self) -> None:
        self._keys, self._values = np.zeros(_LEAST, np.uint64), np.zeros(_LEAST, np.int32)
        self._next = 1

    def number(self, hashes: np.ndarray, out: np.ndarray) -> None:
        """Write the number of each hash."""
        needed = 2 * (self._next + hashes.size)
        if needed > self._keys.size:
            slots = 1 << needed.bit_length()
            self._keys, self._values = rehash(self._keys, self._values, slots)
        self._next = number(hashes, self._keys, self._values, self._next, out)

    def hashes(self) -> np.ndarray:
        """Give the hash of each number; number 0 has none."""
        taken = self._keys != 0
        result = np.zeros(self._next, np.uint64)
        result[self._values[taken]] = self._keys[taken]
        return result


class Growing:
    """An array that grows by doubling."""

    def __init__(self, kind: type) -> None:
        self._array: np.ndarray = np.empty(_LEAST, kind)
        self.size = 0

    def room(self, count: int) -> np.ndarray:
        """Give a view of the next free places."""
        if self.size + count > self._array.size:
            larger = np.empty(max(2 * self._array.size, self.size + count), self._array.dtype)
            larger[: self.size] = self._array[: self.size]
            self._array = larger
        return self._array[self.size : self.size + count]

    def append(self, values: np.ndarray) -> None:
        """Add values at the end."""
        self.room(values.size)[:] = values
        self.size += values.size

    def values(self) -> np.ndarray:
        """Give what was added."""
        return self._array[: self.size]


@dataclass(frozen=True)
class Documents:
    """Documents on their way into a segment. Tokens are numbers of a vocabulary."""

    tokens: np.ndarray
    hashes: np.ndarray
    units: np.ndarray
    wide: np.ndarray
    firsts: np.ndarray
    bases: np.ndarray
    names: bytes


class Builder:
    """Collects documents and makes a segment of them."""

    def __init__(self, scanner: Scanner, rule: str) -> None:
        """Start without documents. `rule` names the rule of the scanner."""
        self._scanner, self._rule = scanner, rule
        self._vocabulary = Vocabulary()
        self._tokens, self._units, self._wide = (
            Growing(np.int32),
            Growing(np.uint8),
            Growing(np.uint8),
        )
        self._firsts, self._bases = [0], [0]
        self._names: list[str] = []

    @property
    def n_documents(self) -> int:
        """Count the documents added so far."""
        return len(self._names)

    @property
    def size(self) -> int:
        """Count units and documents added so far."""
        return self._firsts[-1]

    @property
    def n_bytes(self) -> int:
        """Count the bytes of text added so far."""
        return self._bases[-1]

    def add(self, doc_id: str, text: bytes) -> None:
        """Add one document."""
        if not doc_id or "\n" in doc_id:
            raise InputError("a document needs a name of one line", item=repr(doc_id))
        if len(text) > MOST_BYTES:
            raise InputError(
                f"has {len(text)} bytes, a span index takes {MOST_BYTES}",
                item=doc_id,
                way_out="Split the document",
            )
        units = self._scanner.units(text)
        count = units.hashes.size + 1
        tokens = self._tokens.room(count)
        tokens[0] = SEPARATOR
        self._vocabulary.number(units.hashes, tokens[1:])
        self._tokens.size += count
        wide = self._wide.room(_WIDE_BYTES * count)
        self._wide.size += write_units(units.starts, units.ends, self._units.room(count), wide, 0)
        self._units.size += count
        self._firsts.append(self._firsts[-1] + count)
        self._bases.append(self._bases[-1] + len(text))
        self._names.append(doc_id)

    def finish(self) -> Segment:
        """Sort the suffixes and give the segment."""
        documents = Documents(
            tokens=self._tokens.values(),
            hashes=self._vocabulary.hashes(),
            units=self._units.values().copy(),
            wide=self._wide.values().copy(),
            firsts=np.array(self._firsts, np.uint32),
            bases=np.array(self._bases, np.uint32),
            names="".join(f"{name}\n" for name in self._names).encode(),
        )
        return assemble(documents, self._rule)


def assemble(documents: Documents, rule: str) -> Segment:
    """Number words by frequency, sort the suffixes, and complete a segment."""
    n_words = documents.hashes.size - 1
    counts = np.bincount(documents.tokens, minlength=n_words + 1)
    order = np.lexsort((documents.hashes[1:], -counts[1:])) + 1
    new_ids = np.zeros(n_words + 1, np.int32)
    new_ids[order] = np.arange(1, n_words + 1, dtype=np.int32)
    tokens = new_ids[documents.tokens]
    arrays = derived(tokens, sort_suffixes(tokens), SEPARATOR, GRAM)
    by_hash = np.argsort(documents.hashes[1:]) + 1
    return Segment(
        arrays=arrays,
        words=readonly(pack(documents.hashes[by_hash], HASH_BITS)),
        ids=readonly(pack(new_ids[by_hash], arrays.token_bits)),
        n_words=n_words,
        layout=layout_of(documents.units, documents.wide, documents.firsts, documents.bases),
        names=readonly(np.frombuffer(documents.names, np.uint8)),
        rule=rule,
    )


def thinned(segment: Segment, dead: Collection[int]) -> Segment:
    """Drop documents in linear passes over the arrays; nothing of them remains.

    The suffixes that stay keep their order: queries hold no separator, so what lies behind one
    decides only ties. Ids of words that no document uses any more are closed up.
    """
    marks = marks_of(dead, segment.n_documents)
    old, layout = segment.arrays, segment.layout
    used = np.zeros(segment.n_words + 1, np.bool_)
    tokens = kept_tokens(old.tokens, old.token_bits, layout.firsts, ~marks, used)
    new_ids = np.cumsum(used, dtype=np.int32) - np.int32(1)
    tokens = new_ids[tokens]
    width = bits_for(tokens.size)
    suffixes = np.zeros(packed_words(tokens.size, width), np.uint64)
    kept = places_of(layout.firsts, ~marks, old.size)
    keep_suffixes(old.suffixes, old.suffix_bits, old.size, kept, suffixes, width)
    arrays = derived(tokens, suffixes, SEPARATOR, old.gram)
    ids = unpack(segment.ids, old.token_bits, segment.n_words)
    alive = used[ids]
    units, wide = keep_documents(layout.units, layout.wide, layout.firsts, marks)
    hashes = unpack_wide(segment.words, HASH_BITS, segment.n_words)[alive]
    return Segment(
        arrays=arrays,
        words=readonly(pack(hashes, HASH_BITS)),
        ids=readonly(pack(new_ids[ids[alive]], arrays.token_bits)),
        n_words=hashes.size,
        layout=layout_of(units, wide, _totals(layout.firsts, marks), _totals(layout.bases, marks)),
        names=readonly(_kept_names(segment.doc_ids, marks)),
        rule=segment.rule,
    )


def joined(segments: Sequence[Segment]) -> Segment:
    """Join segments, in their order, into one; the suffixes are sorted again."""
    vocabulary = Vocabulary()
    tokens = []
    for segment in segments:
        numbers = np.zeros(segment.n_words + 1, np.int32)
        ids = unpack(segment.ids, segment.arrays.token_bits, segment.n_words)
        own = np.empty(segment.n_words, np.int32)
        vocabulary.number(unpack_wide(segment.words, HASH_BITS, segment.n_words), own)
        numbers[ids] = own
        a = segment.arrays
        tokens.append(numbers[unpack(a.tokens, a.token_bits, a.size)])
    layouts = [segment.layout for segment in segments]
    documents = Documents(
        tokens=np.concatenate(tokens),
        hashes=vocabulary.hashes(),
        units=np.concatenate([layout.units for layout in layouts]),
        wide=np.concatenate([layout.wide for layout in layouts]),
        firsts=_chained([layout.firsts for layout in layouts]),
        bases=_chained([layout.bases for layout in layouts]),
        names=b"".join(segment.names.tobytes() for segment in segments),
    )
    return assemble(documents, segments[0].rule)


def _totals(table: np.ndarray, marks: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.diff(table)[~marks])]).astype(np.uint32)


def _chained(tables: Sequence[np.ndarray]) -> np.ndarray:
    steps = np.concatenate([np.diff(table) for table in tables])
    return np.concatenate([[0], np.cumsum(steps)]).astype(np.uint32)


def _kept_names(names: Sequence[str], marks: np.ndarray) -> np.ndarray:
    kept = "".join(f"{name}\n" for name, dead in zip(names, marks, strict=True) if not dead)
    return np.frombuffer(kept.encode(), np.uint8)
