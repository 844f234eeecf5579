"""Laws of plans, statistics, counts and fusion."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tasks.features.counts import count_terms
from tasks.features.plan import Limits, batch_key, even_batches
from tasks.features.search import fuse
from tasks.features.statistics import EMPTY, Statistics, count_frequencies, parquet_bytes
from tasks.shared.text import analyse

WEIGHTS = st.lists(st.integers(0, 50), max_size=60)
LIMITS = st.tuples(st.integers(1, 30), st.integers(0, 60)).map(lambda t: Limits(t[0], t[0] + t[1]))
TEXTS = st.lists(st.text("ab c中文。", max_size=12), max_size=12)
SCORES = st.integers(1, 20).flatmap(
    lambda n: st.tuples(*[st.lists(st.floats(0, 9, width=32), min_size=n, max_size=n)] * 2)
)


def counted(texts: list[str]) -> pl.DataFrame:
    """Make the counts of texts."""
    pairs = [count_terms(text) for text in texts]
    schema = {"terms": pl.List(pl.String), "n_terms": pl.Int32}
    data = {"terms": [terms for terms, _ in pairs], "n_terms": [sum(n) for _, n in pairs]}
    return pl.DataFrame(data, schema=schema)


def same(left: Statistics, right: Statistics) -> bool:
    """Compare statistics by their stored bytes."""
    return parquet_bytes(left)[1] == parquet_bytes(right)[1]


@given(WEIGHTS, LIMITS)
def test_a_plan_holds_every_item_once_in_batches_within_the_limit(weights, limits):
    items = list(enumerate(weights))
    batches = even_batches(items, lambda item: item[1], limits)
    assert sorted(item for batch in batches for item in batch) == items
    assert all(sum(w for _, w in b) <= limits.most or len(b) == 1 for b in batches)


@given(WEIGHTS, LIMITS)
def test_a_plan_is_deterministic_and_starts_with_the_heaviest(weights, limits):
    items = list(enumerate(weights))
    batches = even_batches(items, lambda item: item[1], limits)
    totals = [sum(w for _, w in batch) for batch in batches]
    assert totals == sorted(totals, reverse=True)
    assert batches == even_batches(items, lambda item: item[1], limits)


@given(st.lists(st.text(max_size=5), unique=True, min_size=2, max_size=6))
def test_batch_keys_differ_when_settings_or_items_differ(ids):
    keys = {
        batch_key("a", ids),
        batch_key("b", ids),
        batch_key("a", ids[1:]),
        batch_key("a", ids[::-1]),
    }
    assert len(keys) == 4


@given(TEXTS, st.integers(0, 12))
def test_statistics_of_parts_add_up_to_those_of_the_whole(texts, cut):
    whole = count_frequencies(counted(texts))
    parts = count_frequencies(counted(texts[:cut])) + count_frequencies(counted(texts[cut:]))
    assert same(parts, whole)
    assert same(whole + EMPTY, whole)


@given(TEXTS, TEXTS, TEXTS)
def test_statistics_add_up_in_any_grouping(one, two, three):
    a, b, c = (count_frequencies(counted(texts)) for texts in (one, two, three))
    assert same((a + b) + c, a + (b + c))
    assert same(a + b, b + a)


@given(st.text(max_size=60))
def test_counts_are_the_bag_of_the_terms(text):
    terms, frequencies = count_terms(text)
    assert terms == sorted(set(analyse(text)))
    assert sum(frequencies) == len(analyse(text))


@given(SCORES)
def test_fused_scores_lie_in_the_unit_range_and_keep_an_order_both_agree_on(scores):
    bm25, cosines = (np.array(values, dtype=np.float32) for values in scores)
    fused = fuse(bm25, cosines)
    assert ((fused >= 0) & (fused <= 1)).all()
    best = np.flatnonzero((bm25 == bm25.max()) & (cosines == cosines.max()))
    assert all(fused[at] == fused.max() for at in best)
