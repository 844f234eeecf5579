"""Kernels that prepare tokens for the suffix sorter and make sense of what it gives back.

The sorter (divsufsort, by Yuta Mori) sorts the suffixes of a byte string. Tokens are written as
a prefix-free byte code whose order is the order of the ids: one byte for ids below 128, two for
the next 16,384, then three and four. Suffixes that begin at a code's first byte are therefore in
the order of the token suffixes. Frequent tokens have small ids, so a corpus takes about 1.6 bytes
a token, and sorting costs as much as for so many bytes.
"""

import numpy as np

from storage.spans.bits import block_ranks, get, has_bit, put, rank_of, set_bit
from storage.spans.jit import Int, kernel

ONE = 0x80
TWO = ONE + (0x40 << 8)
THREE = TWO + (0x30 << 16)
MOST_TOKENS = THREE + (0x10 << 24)


@kernel
def code_size(token: Int) -> Int:
    """Say how many bytes the code of a token takes."""
    if token < ONE:
        return 1
    if token < TWO:
        return 2
    return 3 if token < THREE else 4


@kernel
def encode(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write tokens in the byte code; give the bytes and the set of places where a code begins."""
    size = 0
    for token in tokens:
        size += code_size(token)
    data = np.empty(size, np.uint8)
    firsts = np.zeros(size // 64 + 1, np.uint64)
    at = 0
    for token in tokens:
        set_bit(firsts, at)
        width = code_size(token)
        value = np.int64(token)
        if width == 2:
            value += 0x8000 - ONE
        elif width == 3:
            value += 0xC00000 - TWO
        elif width == 4:
            value += 0xF0000000 - THREE
        for shift in range(width - 1, -1, -1):
            data[at] = (value >> (8 * shift)) & 0xFF
            at += 1
    return data, firsts


@kernel
def pack_order(order: np.ndarray, firsts: np.ndarray, words: np.ndarray, width: Int) -> None:
    """Pack the token suffixes, in order, out of the order of all byte suffixes."""
    ranks = block_ranks(firsts)
    count = 0
    for place in order:
        if has_bit(firsts, place):
            put(words, width, count, rank_of(firsts, ranks, place))
            count += 1


@kernel
def count_tokens(tokens: np.ndarray, vocabulary: Int) -> np.ndarray:
    """Count each token, as the first rank of each: bucket t is [result[t], result[t + 1])."""
    buckets = np.zeros(vocabulary + 1, np.uint32)
    for token in tokens:
        buckets[token + 1] += np.uint32(1)
    for token in range(vocabulary):
        buckets[token + 1] += buckets[token]
    return buckets


@kernel
def places_of(firsts: np.ndarray, marks: np.ndarray, size: Int) -> np.ndarray:
    """Give the set of places in marked documents."""
    places = np.zeros((size + 63) // 64, np.uint64)
    for document in range(marks.size):
        if marks[document]:
            for place in range(firsts[document], firsts[document + 1]):
                set_bit(places, place)
    return places


@kernel
def kept_tokens(
    words: np.ndarray, width: Int, firsts: np.ndarray, kept: np.ndarray, used: np.ndarray
) -> np.ndarray:
    """Read the packed tokens of kept documents, and mark each token in `used`."""
    size = np.int64(0)
    for document in range(kept.size):
        if kept[document]:
            size += np.int64(firsts[document + 1]) - np.int64(firsts[document])
    tokens = np.empty(size, np.int32)
    count = 0
    for document in range(kept.size):
        if kept[document]:
            for place in range(firsts[document], firsts[document + 1]):
                token = get(words, width, place)
                tokens[count] = token
                used[token] = True
                count += 1
    return tokens


@kernel
def dead_ranks(
    suffixes: np.ndarray, width: Int, size: Int, firsts: np.ndarray, marks: np.ndarray
) -> np.ndarray:
    """Give the set of ranks whose suffixes begin in marked documents."""
    places = places_of(firsts, marks, size)
    ranks = np.zeros((size + 63) // 64, np.uint64)
    for rank in range(size):
        if has_bit(places, get(suffixes, width, rank)):
            set_bit(ranks, rank)
    return ranks


@kernel
def keep_suffixes(
    suffixes: np.ndarray, width: Int, size: Int, kept: np.ndarray, words: np.ndarray, new_width: Int
) -> None:
    """Pack the suffixes at kept places, renumbered to the places that are left."""
    ranks = block_ranks(kept)
    count = 0
    for rank in range(size):
        place = get(suffixes, width, rank)
        if has_bit(kept, place):
            put(words, new_width, count, rank_of(kept, ranks, place))
            count += 1
