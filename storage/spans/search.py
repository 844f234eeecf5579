"""Kernels that find the maximal spans of a query in a suffix array.

A span is a stretch q[l:r] of the query that occurs in the corpus; it is maximal when neither
q[l-1:r] nor q[l:r+1] occurs. Why `trace` finds all of length >= L, in order, with few searches:

1. Let r(l) be the end of the longest match that starts at l. r never decreases, because a
   substring of what occurs occurs. So [l, r(l)) is maximal exactly where r(l) > r(l-1).
2. Let `last` be the end of the furthest match so far. A further maximal span ends beyond it, so it
   starts at or beyond `last`, or it contains token `last`. "q[x:last+1] occurs" is monotone in x.
   The least such x, found by bisection, starts the next span: O(log) searches a span, not one a
   token. Only x <= last+1-L matter while the window at l ends inside the last match; later starts
   come after it.
3. All L-G+1 grams of G <= L tokens at the start of a span of length >= L are in the corpus. A Bloom
   filter of the corpus's grams, three bits in one word, rejects most starts with a single load; the
   last of those grams is asked first, for without it no start up to there is possible.

Tombstones: `dead` is a set of ranks. The longest live match at l is the longer common prefix with
the nearest live suffix below and above the insertion point, since the common prefix only shrinks
with the distance. All three arguments then hold for the corpus without the dead documents.
"""

from typing import NamedTuple

import numpy as np

from storage.spans.bits import U6, U63, bit_above, bit_below, count_bits, get
from storage.spans.jit import Int, kernel
from storage.spans.sorting import MOST_TOKENS

GUIDED = 256
"""Every how many ranks there is a guide."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_U1, _U12, _U32 = np.uint64(1), np.uint64(12), np.uint64(32)


class Arrays(NamedTuple):
    """What a search reads. `tokens` and `suffixes` are packed; no `dead` at all: an empty array."""

    tokens: np.ndarray
    token_bits: int
    suffixes: np.ndarray
    suffix_bits: int
    size: int
    buckets: np.ndarray
    guides: np.ndarray
    grams: np.ndarray
    gram: int
    dead: np.ndarray


@kernel
def extended(a: Arrays, place: Int, q: np.ndarray, start: Int, end: Int, known: Int) -> Int:
    """Give the common prefix of the suffix at `place` and q[start:end], of which some is known."""
    length, most = known, min(end - start, a.size - place)
    while length < most and get(a.tokens, a.token_bits, place + length) == q[start + length]:
        length += 1
    return length


@kernel
def below(a: Arrays, place: Int, q: np.ndarray, at: Int, end: Int, length: Int) -> bool:
    """Say whether a suffix with this common prefix sorts before q[at:end]."""
    if at + length >= end:
        return False
    rest = place + length
    return rest >= a.size or get(a.tokens, a.token_bits, rest) < q[at + length]


@kernel
def guided(
    a: Arrays, q: np.ndarray, start: Int, end: Int, ranks: tuple[Int, Int]
) -> tuple[Int, Int]:
    """Narrow a range of ranks by the guides, which lie close together, as far as they differ.

    Both guides that bound the result stay in it, so that its search meets the same neighbours.
    """
    low, high = ranks
    if start + 2 >= end or not 0 < q[start + 1] < MOST_TOKENS or not 0 < q[start + 2] < MOST_TOKENS:
        return low, high
    sought = guide(q[start + 1], q[start + 2], 0)
    while high - low > GUIDED:
        at = ((low + high) >> 1) // GUIDED
        if at * GUIDED <= low:
            break
        if a.guides[at] < sought:
            low = at * GUIDED
        elif a.guides[at] > sought:
            high = at * GUIDED + 1
        else:
            break
    return low, high


@kernel
def guide(second: Int, third: Int, separator: Int) -> Int:
    """Give the order of a suffix among those of the same first token, in one number.

    What lies behind a separator is not sorted, so it counts nothing.
    """
    return 0 if second == separator else (np.int64(second) << 32) | np.int64(third)


@kernel
def guides_of(tokens: np.ndarray, suffixes: np.ndarray, width: Int, separator: Int) -> np.ndarray:
    """Give the guide of every suffix whose rank is a multiple of `GUIDED`."""
    guides = np.zeros((tokens.size - 1) // GUIDED + 1, np.int64)
    for at in range(guides.size):
        place = get(suffixes, width, at * GUIDED)
        if place + 1 < tokens.size:
            third = tokens[place + 2] if place + 2 < tokens.size else 0
            guides[at] = guide(tokens[place + 1], third, separator)
    return guides


@kernel
def insertion(a: Arrays, q: np.ndarray, start: Int, end: Int) -> tuple[Int, Int]:
    """Give the first rank not below q[start:end], and the longest common prefix with any suffix."""
    first = q[start]
    if first + 1 >= a.buckets.size:
        return a.size, 0
    low, high = np.int64(a.buckets[first]), np.int64(a.buckets[first + 1])
    if low == high:
        return low, 0
    best, left, right = 1, 1, 1
    low, high = guided(a, q, start, end, (low, high))
    while low < high:
        middle = (low + high) >> 1
        place = get(a.suffixes, a.suffix_bits, middle)
        length = extended(a, place, q, start, end, min(left, right))
        best = max(best, length)
        if below(a, place, q, start, end, length):
            low, left = middle + 1, length
        else:
            high, right = middle, length
    return low, best


@kernel
def longest(a: Arrays, q: np.ndarray, start: Int, end: Int) -> tuple[Int, Int]:
    """Give a rank next to the matches, and the length of the longest live match of q[start:end]."""
    rank, best = insertion(a, q, start, end)
    if a.dead.size == 0 or best == 0:
        return rank, best
    best = 0
    under = bit_below(a.dead, rank - 1)
    if under >= 0:
        best = extended(a, get(a.suffixes, a.suffix_bits, under), q, start, end, 0)
    over = bit_above(a.dead, rank, a.size)
    if over < a.size:
        best = max(best, extended(a, get(a.suffixes, a.suffix_bits, over), q, start, end, 0))
    return rank, best


@kernel
def matches(a: Arrays, rank: Int, q: np.ndarray, start: Int, end: Int) -> bool:
    """Say whether the suffix of a rank begins with q[start:end]."""
    place = get(a.suffixes, a.suffix_bits, rank)
    return extended(a, place, q, start, end, 0) == end - start


@kernel
def extent(a: Arrays, rank: Int, q: np.ndarray, start: Int, end: Int) -> tuple[Int, Int]:
    """Give the ranks [low, high) of all suffixes that begin with q[start:end].

    `rank` is the insertion point of a string that begins with it. Gallops: most ranges are short.
    """
    step, inside = 1, rank
    while inside + step <= a.size and matches(a, inside + step - 1, q, start, end):
        inside += step
        step *= 2
    high, stop = inside, min(inside + step - 1, a.size)
    while high < stop:
        middle = (high + stop) >> 1
        if matches(a, middle, q, start, end):
            high = middle + 1
        else:
            stop = middle
    step, inside = 1, rank
    while inside - step >= 0 and matches(a, inside - step, q, start, end):
        inside -= step
        step *= 2
    low, start_rank = max(inside - step + 1, 0), inside
    while low < start_rank:
        middle = (low + start_rank) >> 1
        if matches(a, middle, q, start, end):
            start_rank = middle
        else:
            low = middle + 1
    return start_rank, high


@kernel
def find(a: Arrays, q: np.ndarray, start: Int, end: Int) -> tuple[Int, Int, Int]:
    """Give the ranks [low, high) that begin with q[start:end], and how many of them are live."""
    rank, length = insertion(a, q, start, end)
    if length < end - start:
        return 0, 0, 0
    low, high = extent(a, rank, q, start, end)
    return low, high, live(a, low, high)


@kernel
def live(a: Arrays, low: Int, high: Int) -> Int:
    """Count the live ranks of a range."""
    return high - low - (count_bits(a.dead, low, high) if a.dead.size else 0)


@kernel
def gram_power(gram: Int) -> Int:
    """Give the weight of the oldest token in a rolling hash of `gram` tokens."""
    power = _U1
    for _ in range(gram - 1):
        power *= _BASE
    return power


@kernel
def in_filter(grams: np.ndarray, state: Int) -> bool:
    """Say whether a gram may be in the corpus; False is certain."""
    h = (state ^ (state >> _U32)) * _MIX
    h ^= h >> _U32
    word = grams[((h >> _U32) * np.uint64(grams.size)) >> _U32]
    return (word >> (h & U63)) & (word >> ((h >> U6) & U63)) & (word >> ((h >> _U12) & U63)) & (
        _U1
    ) != np.uint64(0)


@kernel
def fill_filter(tokens: np.ndarray, separator: Int, gram: Int, grams: np.ndarray) -> None:
    """Put every gram of tokens between two separators into the filter."""
    power, state, run = gram_power(gram), np.uint64(0), 0
    for at in range(tokens.size):
        if tokens[at] == separator:
            state, run = np.uint64(0), 0
            continue
        if run >= gram:
            state -= np.uint64(tokens[at - gram]) * power
        state = state * _BASE + np.uint64(tokens[at])
        run += 1
        if run >= gram:
            h = (state ^ (state >> _U32)) * _MIX
            h ^= h >> _U32
            mask = (_U1 << (h & U63)) | (_U1 << ((h >> U6) & U63)) | (_U1 << ((h >> _U12) & U63))
            grams[((h >> _U32) * np.uint64(grams.size)) >> _U32] |= mask


@kernel
def gram_states(q: np.ndarray, gram: Int) -> np.ndarray:
    """Give the rolling hash of the gram that begins at each place of a query."""
    states = np.empty(max(q.size - gram + 1, 0), np.uint64)
    power, state = gram_power(gram), np.uint64(0)
    for at in range(q.size):
        if at >= gram:
            state -= np.uint64(q[at - gram]) * power
        state = state * _BASE + np.uint64(q[at])
        if at >= gram - 1:
            states[at - gram + 1] = state
    return states


@kernel
def refused(a: Arrays, states: np.ndarray, low: Int, high: Int) -> Int:
    """Give the last place in [low, high) whose gram is not in the corpus; low - 1 if there is none.

    Places are asked only where the answer is needed: each is a cache miss.
    """
    place = high - 1
    while place >= low and in_filter(a.grams, states[place]):
        place -= 1
    return place


@kernel
def next_match(
    a: Arrays, q: np.ndarray, states: np.ndarray, low: Int, bounds: tuple[Int, Int]
) -> tuple[Int, Int, Int]:
    """Give the least x from `low` to `latest` for which q[x:last+1] occurs, and its longest match.

    `bounds` is (latest, last). Result: x, or latest + 1 where there is none; rank; length. Every
    start from x on must pass the filter, so the least that does is tried first.
    """
    latest, last = bounds
    first = refused(a, states, low, latest) + 1 if states.size else low
    rank, length = longest(a, q, first, q.size)
    if first + length > last:
        return first, rank, length
    low, end = first + 1, latest + 1
    rank, length = 0, 0
    while low < end:
        middle = (low + end) >> 1
        found, size = longest(a, q, middle, q.size)
        if middle + size > last:
            end, rank, length = middle, found, size
        else:
            low = middle + 1
    return low, rank, length


@kernel
def trace(a: Arrays, q: np.ndarray, shortest: Int, spans: np.ndarray) -> Int:
    """Write start, end, low and high rank, live count of each maximal span; give their number.

    `spans` is an int64 array of as many rows as the query has tokens, and five columns.
    """
    states = gram_states(q, a.gram if shortest >= a.gram else q.size + 1)
    count, last, at = 0, 0, 0
    while at + shortest <= q.size:
        latest = last + 1 - shortest
        if at < latest and last >= q.size:
            break
        if states.size:
            first = max(at, latest)
            unknown = refused(a, states, first, first + shortest - a.gram + 1)
            if unknown >= first:
                at = unknown + 1
                continue
        if at < latest:
            start, rank, length = next_match(a, q, states, at, (latest, last))
            if start > latest:
                at = start
                continue
        else:
            start = at
            rank, length = longest(a, q, start, q.size)
        at = start + 1
        if length >= shortest and start + length > last:
            last = start + length
            low, high = extent(a, rank, q, start, last)
            spans[count, 0], spans[count, 1], spans[count, 2] = start, last, low
            spans[count, 3], spans[count, 4] = high, live(a, low, high)
            count += 1
    return count


@kernel
def earliest(a: Arrays, low: Int, high: Int, limit: Int) -> np.ndarray:
    """Give the `limit` least places among the live suffixes of a range of ranks, in order."""
    found = np.empty(min(limit, high - low), np.int64)
    count = 0
    for rank in range(low, high):
        place = get(a.suffixes, a.suffix_bits, rank)
        if a.dead.size and (a.dead[rank >> 6] >> (np.uint64(rank) & U63)) & _U1 != np.uint64(0):
            continue
        if count < found.size:
            count += 1
        elif found.size == 0 or place >= found[count - 1]:
            continue
        at = count - 1
        while at > 0 and found[at - 1] > place:
            found[at] = found[at - 1]
            at -= 1
        found[at] = place
    return found[:count]
