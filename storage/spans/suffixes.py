"""A suffix array over any tokens: build it, and find the maximal spans of a query."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from storage.spans.bits import pack, packed_words
from storage.spans.search import Arrays, earliest, fill_filter, find, guides_of, trace
from storage.spans.sorting import MOST_TOKENS, count_tokens, encode, pack_order

GRAM = 5
"""Tokens in a gram of the filter; spans shorter than this are searched without it."""

FILTER_BITS_PER_TOKEN = 4
_NO_DEAD = np.zeros(0, np.uint64)
_NO_DEAD.flags.writeable = False


class Spans(NamedTuple):
    """Maximal spans of a query: tokens [starts, ends), ranks [lows, highs), live occurrences."""

    starts: np.ndarray
    ends: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class SuffixArray:
    """Suffix array with its packed tokens, first-token buckets and filter of grams."""

    arrays: Arrays

    @staticmethod
    def build(tokens: np.ndarray, *, separator: int = 0, gram: int = GRAM) -> "SuffixArray":
        """Sort the suffixes of non-negative tokens; no span contains a separator."""
        values = np.ascontiguousarray(tokens, np.int32)
        if not 0 < values.size < 2**31 or values.min() < 0 or values.max() >= MOST_TOKENS:
            raise ValueError("tokens must be 1 to 2 ** 31 numbers from 0 to 2 ** 28")
        return SuffixArray(derived(values, sort_suffixes(values), separator, gram))

    def trace(self, query: np.ndarray, min_len: int, max_count: int | None = None) -> Spans:
        """Find all maximal spans of at least `min_len` tokens; leave out those that occur too often.

        Tokens that the corpus does not hold match nothing.
        """
        return trace_arrays(self.arrays, query, min_len, max_count)

    def count(self, query: np.ndarray) -> int:
        """Count the live occurrences of a whole query."""
        values = np.ascontiguousarray(query, np.int64)
        return int(find(self.arrays, values, 0, values.size)[2]) if values.size else 0

    def places(self, low: int, high: int, limit: int) -> np.ndarray:
        """Give the first live occurrences, by place in the corpus, of a range of ranks."""
        return earliest(self.arrays, low, high, limit)


def trace_arrays(
    arrays: Arrays, query: np.ndarray, min_len: int, max_count: int | None = None
) -> Spans:
    """Find all maximal spans of at least `min_len` tokens."""
    if min_len < 1:
        raise ValueError("min_len must be 1 or more")
    values = np.ascontiguousarray(query, np.int64)
    rows = np.empty((values.size, len(Spans._fields)), np.int64)
    found = rows[: trace(arrays, values, min_len, rows)]
    if max_count is not None:
        found = found[found[:, -1] <= max_count]
    return Spans(*found.T)


def sort_suffixes(tokens: np.ndarray) -> np.ndarray:
    """Sort the suffixes of tokens; the result is packed with `bits_for(tokens.size)`."""
    from pydivsufsort import divsufsort

    data, firsts = encode(tokens)
    order = divsufsort(data)
    width = bits_for(tokens.size)
    words = np.zeros(packed_words(tokens.size, width), np.uint64)
    pack_order(order, firsts, words, width)
    return words


def derived(tokens: np.ndarray, suffixes: np.ndarray, separator: int, gram: int) -> Arrays:
    """Complete tokens and their sorted suffixes with what follows from them."""
    vocabulary = int(tokens.max()) + 1
    token_bits = bits_for(vocabulary)
    grams = np.zeros(max(1, tokens.size * FILTER_BITS_PER_TOKEN // 64), np.uint64)
    fill_filter(tokens, separator, gram, grams)
    return arrays_of(
        Arrays(
            tokens=pack(tokens, token_bits),
            token_bits=token_bits,
            suffixes=suffixes,
            suffix_bits=bits_for(tokens.size),
            size=tokens.size,
            buckets=count_tokens(tokens, vocabulary),
            guides=guides_of(tokens, suffixes, bits_for(tokens.size), separator),
            grams=grams,
            gram=gram,
            dead=_NO_DEAD,
        )
    )


def arrays_of(arrays: Arrays) -> Arrays:
    """Make all arrays read-only, as mapped files are: the kernels are compiled for one type."""
    views: list[Any] = [v.view() if isinstance(v, np.ndarray) else v for v in arrays]
    for view in views:
        if isinstance(view, np.ndarray):
            view.flags.writeable = False
    return Arrays(*views)


def bits_for(count: int) -> int:
    """Say how many bits hold each number below `count`."""
    return max(1, (count - 1).bit_length())
