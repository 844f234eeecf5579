"""Kernels that cut bytes into units and number the words.

What a character means comes from a table in pages of 256 code points that `units.py` fills when a
text first needs them: `value & 7` is one of the kinds below, `value >> 3` its operand.
"""

from typing import NamedTuple

import numpy as np

from storage.spans.bits import get
from storage.spans.jit import Int, kernel

BREAK, THROUGH, LETTER, LETTERS, ALONE = 0, 1, 2, 3, 4
"""Ends a word; passes inside a word; one letter; several letters of the pool; a unit of its own."""

PAGE_BITS = 8
HASH_BITS = 48
NO_PAGE = -1
_SEED = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_KEPT = np.uint64(0xFFFFFFFFFFFF)
_U32 = np.uint64(32)
_INVALID = -1


class Table(NamedTuple):
    """Meaning of characters: of ASCII, the row of each page or `NO_PAGE`, the rows, the letters."""

    ascii: np.ndarray
    pages: np.ndarray
    rows: np.ndarray
    pool: np.ndarray


@kernel
def finished(state: Int) -> Int:
    """Turn the running FNV-1a state into the hash of a unit: 48 bits, never zero."""
    h = (state ^ (state >> _U32)) * _MIX
    h = (h ^ (h >> _U32)) & _KEPT
    return h if h != np.uint64(0) else np.uint64(1)


@kernel
def decode(text: np.ndarray, at: Int) -> tuple[Int, Int]:
    """Read one UTF-8 character that is not ASCII: code point (-1 where invalid) and its bytes."""
    first = text[at]
    if first < 0xC2 or first > 0xF4:
        return _INVALID, 1
    width = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
    if at + width > text.size:
        return _INVALID, 1
    code = np.int64(first) & (0x7F >> width)
    for follow in range(at + 1, at + width):
        if text[follow] & 0xC0 != 0x80:
            return _INVALID, 1
        code = (code << 6) | (np.int64(text[follow]) & 0x3F)
    return (code if code <= 0x10FFFF else _INVALID), width


@kernel
def meaning(text: np.ndarray, at: Int, table: Table) -> tuple[Int, Int]:
    """Give what the table says of a character, and its bytes; -1 - p where page p is missing."""
    byte = text[at]
    if byte < 0x80:
        return np.int64(table.ascii[byte]), 1
    code, width = decode(text, at)
    if code < 0:
        return BREAK, width
    page = table.pages[code >> PAGE_BITS]
    if page == NO_PAGE:
        return -1 - (code >> PAGE_BITS), width
    return np.int64(table.rows[page, code & 0xFF]), width


@kernel
def word(text: np.ndarray, at: Int, table: Table) -> tuple[Int, Int, Int]:
    """Read the word at a place: the place behind it, its end, its hash.

    The place is behind the characters that pass inside a word, the end behind the last letter.
    Where a page is missing, the place is -1 - p.
    """
    state, end = _SEED, at
    while at < text.size:
        value, width = meaning(text, at, table)
        if value < 0:
            return value, end, state
        kind = value & 7
        if kind == LETTER:
            state = (state ^ np.uint64(value >> 3)) * _PRIME
            end = at + width
        elif kind == LETTERS:
            state, end = absorbed(state, value >> 3, table.pool), at + width
        elif kind != THROUGH:
            break
        at += width
    return at, end, finished(state)


@kernel
def scan(
    text: np.ndarray, table: Table, hashes: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> Int:
    """Write hash, first and past-the-end byte of each unit; give their number.

    When the text needs page p of the table and it is not there, the result is -1 - p: fill the
    page and scan again.
    """
    count, at = 0, 0
    while at < text.size:
        value, width = meaning(text, at, table)
        kind, first = value & 7, at
        at += width
        if value < 0:
            return value
        if kind <= THROUGH:
            continue
        end, key = at, np.uint64(0)
        if kind == ALONE:
            key = finished((_SEED ^ np.uint64(value >> 3)) * _PRIME)
        else:
            at, end, key = word(text, first, table)
            if at < 0:
                return at
        hashes[count], starts[count], ends[count] = key, first, end
        count += 1
    return count


@kernel
def absorbed(state: Int, operand: Int, pool: np.ndarray) -> Int:
    """Add the letters of one folded character to the running hash of a word."""
    for at in range(operand + 1, operand + 1 + pool[operand]):
        state = (state ^ np.uint64(pool[at])) * _PRIME
    return state


@kernel
def slot_of(keys: np.ndarray, key: Int) -> Int:
    """Find a key, or the free slot for it, in an open hash table of 2 ** k slots; 0 is free."""
    mask = np.uint64(keys.size - 1)
    slot = (key * _MIX >> _U32) & mask
    while keys[slot] != key and keys[slot] != np.uint64(0):
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel
def number(
    hashes: np.ndarray, keys: np.ndarray, values: np.ndarray, count: Int, out: np.ndarray
) -> Int:
    """Number words from `count` on in the order of their first appearance; give the new count."""
    for at in range(hashes.size):
        slot = slot_of(keys, hashes[at])
        if keys[slot] == np.uint64(0):
            keys[slot], values[slot] = hashes[at], count
            count += 1
        out[at] = values[slot]
    return count


@kernel
def rehash(keys: np.ndarray, values: np.ndarray, slots: Int) -> tuple[np.ndarray, np.ndarray]:
    """Move a hash table into one of more slots."""
    new_keys, new_values = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
    for at in range(keys.size):
        if keys[at] != np.uint64(0):
            slot = slot_of(new_keys, keys[at])
            new_keys[slot], new_values[slot] = keys[at], values[at]
    return new_keys, new_values


@kernel
def lookup(
    hashes: np.ndarray, words: np.ndarray, ids: np.ndarray, id_bits: Int, size: Int
) -> np.ndarray:
    """Give the id of each hash among `size` sorted words; unknown words get `size + 1`.

    Hashes are uniform, so the place of one is guessed by its value and corrected by a gallop.
    """
    found = np.empty(hashes.size, np.int64)
    scale = size / 2.0**HASH_BITS
    for at in range(hashes.size):
        key = np.int64(hashes[at])
        place = search_sorted(words, size, key, int(key * scale))
        known = place < size and get(words, HASH_BITS, place) == key
        found[at] = get(ids, id_bits, place) if known else size + 1
    return found


@kernel
def search_sorted(words: np.ndarray, size: Int, key: Int, guess: Int) -> Int:
    """Give the first place whose word is not below the key, starting from a guess."""
    if size == 0:
        return 0
    low, high, step = 0, size, 8
    guess = min(guess, size - 1)
    if get(words, HASH_BITS, guess) < key:
        low = guess + 1
        while guess + step < size and get(words, HASH_BITS, guess + step) < key:
            low = guess + step + 1
            step *= 2
        high = min(size, guess + step)
    else:
        high = guess
        while guess - step >= 0 and get(words, HASH_BITS, guess - step) >= key:
            high = guess - step
            step *= 2
        low = max(0, guess - step)
    while low < high:
        middle = (low + high) >> 1
        if get(words, HASH_BITS, middle) < key:
            low = middle + 1
        else:
            high = middle
    return low
