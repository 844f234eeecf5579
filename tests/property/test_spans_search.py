"""The suffix array finds what a naive search finds, with and without dead documents."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.spans.bits import get, pack, unpack
from storage.spans.search import find
from storage.spans.sorting import dead_ranks, encode
from storage.spans.suffixes import SuffixArray, bits_for, trace_arrays

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed):
    """Draw documents, and a query of pieces of them and tokens that none of them holds."""
    rng = random.Random(seed)
    symbols = rng.randint(2, 4)
    documents = [
        [rng.randint(1, symbols) for _ in range(rng.randrange(26))]
        for _ in range(rng.randint(1, 6))
    ]
    query = []
    for _ in range(rng.randint(0, 5)):
        source, at = rng.choice(documents), rng.randrange(20)
        query += source[at : at + rng.randint(1, 9)] + rng.choices([[], [symbols + 1]], [3, 1])[0]
    return documents, query


def tokens_of(documents):
    return np.array([token for ids in documents for token in (0, *ids)], np.int32)


def occurrences(documents, span):
    n = len(span)
    return [
        (number, at)
        for number, ids in enumerate(documents)
        for at in range(len(ids) - n + 1)
        if ids[at : at + n] == span
    ]


def naive_spans(documents, query, least):
    """Start, end and count of each maximal span, by trying every stretch of the query."""
    spans, last = [], 0
    for start in range(len(query)):
        end = start
        while end < len(query) and occurrences(documents, query[start : end + 1]):
            end += 1
        if end - start >= least and end > last:
            spans.append((start, end, len(occurrences(documents, query[start:end]))))
        last = max(last, end)
    return spans


def rows(spans):
    return list(zip(*(a.tolist() for a in (spans.starts, spans.ends, spans.counts)), strict=True))


@settings(max_examples=80)
@given(SEEDS, st.integers(1, 5), st.integers(1, 4))
def test_maximal_spans_and_counts_are_those_of_a_naive_search(seed, least, gram):
    documents, query = drawn(seed)
    array = SuffixArray.build(tokens_of(documents), gram=gram)
    assert rows(array.trace(np.array(query, np.int64), least)) == naive_spans(
        documents, query, least
    )


@settings(max_examples=60)
@given(SEEDS, st.integers(1, 4), st.integers(0, 63))
def test_tombstones_answer_like_a_corpus_without_the_documents(seed, least, chosen):
    documents, query = drawn(seed)
    marks = np.array([chosen >> number & 1 == 1 for number in range(len(documents))])
    array = SuffixArray.build(tokens_of(documents), gram=2).arrays
    firsts = np.cumsum([0, *(len(ids) + 1 for ids in documents)]).astype(np.uint32)
    ranks = dead_ranks(array.suffixes, array.suffix_bits, array.size, firsts, marks)
    ranks.flags.writeable = False
    kept = [ids for ids, dead in zip(documents, marks, strict=True) if not dead]
    found = trace_arrays(array._replace(dead=ranks), np.array(query, np.int64), least)
    assert rows(found) == naive_spans(kept, query, least)


@settings(max_examples=40)
@given(SEEDS, st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(1, 5))
def test_places_are_the_first_occurrences_in_order(seed, span, limit):
    documents, _ = drawn(seed)
    tokens = tokens_of(documents)
    array = SuffixArray.build(tokens)
    firsts = np.cumsum([0, *(len(ids) + 1 for ids in documents)])
    places = [int(firsts[number]) + 1 + at for number, at in occurrences(documents, span)]
    low, high, count = find(array.arrays, np.array(span, np.int64), 0, len(span))
    assert count == len(places)
    assert array.places(low, high, limit).tolist() == places[:limit]


@given(st.lists(st.integers(0, 2**28 - 1), min_size=1, max_size=8), st.data())
def test_the_byte_code_keeps_the_order_of_token_strings(tokens, data):
    other = data.draw(
        st.lists(st.sampled_from([*tokens, 127, 128, 16511, 16512, 3162239, 3162240]))
    )
    ours, theirs = (bytes(encode(np.array(t, np.int32))[0]) for t in (tokens, other))
    assert (ours < theirs) == (tokens < other)


@given(st.integers(1, 31), st.data())
def test_packed_integers_come_back(width, data):
    values = data.draw(st.lists(st.integers(0, 2**width - 1), max_size=80))
    packed = pack(np.array(values, np.int64), width)
    assert unpack(packed, width, len(values)).tolist() == values
    assert [get(packed, width, at) for at in range(len(values))] == values


def test_bits_hold_each_number_below_a_count():
    assert [bits_for(count) for count in (1, 2, 3, 4, 5, 256, 257)] == [1, 1, 2, 2, 3, 8, 9]
