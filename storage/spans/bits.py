"""Kernels for arrays of integers of any width and for bit sets, in words of 64 bits."""

import numpy as np

from storage.spans.jit import Int, kernel

U1, U6, U63 = np.uint64(1), np.uint64(6), np.uint64(63)
WORD = np.uint64(64)
_ODD = np.uint64(0x5555555555555555)
_PAIRS = np.uint64(0x3333333333333333)
_NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
_BYTES = np.uint64(0x0101010101010101)


@kernel
def packed_words(size: Int, width: Int) -> Int:
    """Say how many words hold `size` integers: one more than needed, so that reads may run over."""
    return (size * width + 63) // 64 + 1


@kernel
def put(words: np.ndarray, width: Int, at: Int, value: Int) -> None:
    """Set an integer of a packed array that is still zero there."""
    bit = np.uint64(at) * np.uint64(width)
    word, shift = bit >> U6, bit & U63
    words[word] |= np.uint64(value) << shift
    if shift + np.uint64(width) > WORD:
        words[word + U1] |= np.uint64(value) >> (WORD - shift)


@kernel
def get(words: np.ndarray, width: Int, at: Int) -> Int:
    """Read an integer of a packed array."""
    bit = np.uint64(at) * np.uint64(width)
    word, shift = bit >> U6, bit & U63
    low = words[word] >> shift
    high = (words[word + U1] << U1) << (U63 - shift)
    return np.int64((low | high) & ((U1 << np.uint64(width)) - U1))


@kernel
def pack(values: np.ndarray, width: Int) -> np.ndarray:
    """Pack integers below 2 ** width."""
    words = np.zeros(packed_words(values.size, width), np.uint64)
    current, filled, at = np.uint64(0), np.uint64(0), 0
    for value in values:
        current |= np.uint64(value) << filled
        filled += np.uint64(width)
        if filled >= WORD:
            words[at] = current
            at += 1
            filled -= WORD
            current = np.uint64(value) >> (np.uint64(width) - filled) if filled else np.uint64(0)
    words[at] = current
    return words


@kernel
def unpack(words: np.ndarray, width: Int, size: Int) -> np.ndarray:
    """Read a packed array whole."""
    values = np.empty(size, np.int32)
    for at in range(size):
        values[at] = get(words, width, at)
    return values


@kernel
def has_bit(words: np.ndarray, at: Int) -> bool:
    """Say whether a bit set holds `at`."""
    return (words[np.uint64(at) >> U6] >> (np.uint64(at) & U63)) & U1 != np.uint64(0)


@kernel
def set_bit(words: np.ndarray, at: Int) -> None:
    """Put `at` into a bit set."""
    words[np.uint64(at) >> U6] |= U1 << (np.uint64(at) & U63)


@kernel
def ones(word: Int) -> Int:
    """Count the bits of one word."""
    x = np.uint64(word)
    x -= (x >> U1) & _ODD
    x = (x & _PAIRS) + ((x >> np.uint64(2)) & _PAIRS)
    x = (x + (x >> np.uint64(4))) & _NIBBLES
    return np.int64((x * _BYTES) >> np.uint64(56))


@kernel
def count_bits(words: np.ndarray, start: Int, end: Int) -> Int:
    """Count the bits of a set in [start, end)."""
    if start >= end:
        return 0
    first, last = start >> 6, (end - 1) >> 6
    head = (words[first] >> (np.uint64(start) & U63)) << (np.uint64(start) & U63)
    tail_shift = U63 - (np.uint64(end - 1) & U63)
    if first == last:
        return ones((head << tail_shift) >> tail_shift)
    total = ones(head) + ones((words[last] << tail_shift) >> tail_shift)
    for word in range(first + 1, last):
        total += ones(words[word])
    return total


@kernel
def block_ranks(words: np.ndarray) -> np.ndarray:
    """Count the bits before each word of a set, so that `rank_of` takes one look."""
    ranks = np.empty(words.size, np.int32)
    total = 0
    for word in range(words.size):
        ranks[word] = total
        total += ones(words[word])
    return ranks


@kernel
def rank_of(words: np.ndarray, ranks: np.ndarray, at: Int) -> Int:
    """Count the bits of a set before `at`."""
    word, shift = np.uint64(at) >> U6, np.uint64(at) & U63
    return ranks[word] + ones(words[word] & ((U1 << shift) - U1))


@kernel
def bit_below(words: np.ndarray, at: Int) -> Int:
    """Give the greatest number up to `at` that is not in the set, or -1."""
    while at >= 0:
        free = ~words[at >> 6] << (U63 - (np.uint64(at) & U63))
        if free == np.uint64(0):
            at = ((at >> 6) << 6) - 1
            continue
        while free >> U63 == np.uint64(0):
            free <<= U1
            at -= 1
        return at
    return -1


@kernel
def bit_above(words: np.ndarray, at: Int, size: Int) -> Int:
    """Give the least number from `at` on that is not in the set, or `size`."""
    while at < size:
        free = ~words[at >> 6] >> (np.uint64(at) & U63)
        if free == np.uint64(0):
            at = ((at >> 6) + 1) << 6
            continue
        while free & U1 == np.uint64(0):
            free >>= U1
            at += 1
        return min(at, size)
    return size


@kernel
def unpack_wide(words: np.ndarray, width: Int, size: Int) -> np.ndarray:
    """Read a packed array of integers that need more than 31 bits."""
    values = np.empty(size, np.uint64)
    for at in range(size):
        values[at] = np.uint64(get(words, width, at))
    return values
