"""Laws of influence: byte offsets, the bigram gradient, the LDS, weights and totals."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.provenance.influence import lexical
from tasks.provenance.influence.calibrate import (
    Retrained,
    bootstrap,
    draw_subsets,
    lds_per_query,
    predict,
)
from tasks.provenance.influence.combine import fit_weights, standardise
from tasks.provenance.influence.samples import PAD, encode_texts, train_tokenizer
from tasks.provenance.influence.totals import totals

few = settings(max_examples=25, deadline=None)
TOKENIZER = train_tokenizer(["the ship 船 sails to the harbour 港口 é"] * 3, 300)
values = st.floats(-5, 5, allow_nan=False).map(lambda x: round(x, 3))
scores_qn = arrays(np.float64, (4, 12), elements=values)
losses_mq = arrays(np.float64, (6, 4), elements=values)
tokens = arrays(np.int32, st.tuples(st.integers(1, 5), st.just(5)), elements=st.integers(0, 4))
MASKS = draw_subsets([f"d{at // 2}" for at in range(12)], 6, seed=0)


@few
@given(st.text(min_size=1, max_size=60), st.integers(2, 9))
def test_windows_tile_the_bytes_of_any_text(text, window):
    size = len(text.encode())
    ids = TOKENIZER.encode(text).ids
    if len(ids) < 2:
        return
    rows = encode_texts({"x": text}, TOKENIZER.to_str(), window).rows
    starts, ends = rows["start"].to_list(), rows["end"].to_list()
    assert starts == [0, *ends[:-1]]
    single = len(ids) % window == 1  # a last token alone predicts nothing
    assert (ends[-1] < size) if single else (ends[-1] == size)


def likelihood(train, sample_weights, query, size):
    """Log-likelihood of a query when samples count more or less; denominators stay as they are."""
    words, pairs, contexts, total = Counter(), Counter(), Counter(), 0
    for row, weight in zip(train.tolist(), sample_weights, strict=True):
        for context, word in pairwise(row):
            words[word] += weight
            pairs[context, word] += weight
            contexts[context] += 1
            total += 1
    share = lexical.BIGRAM_SHARE
    return sum(
        math.log(
            share * pairs[context, word] / (contexts[context] + 2)
            + (1 - share) * (words[word] + 0.5) / (total + 0.5 * size)
        )
        for context, word in pairwise(query)
    )


@settings(max_examples=15, deadline=None)
@given(tokens, tokens)
def test_the_bigram_score_is_the_gradient_of_the_likelihood(train, queries):
    found = lexical.score_bigrams(train, queries)
    step, size = 1e-5, int(max(train.max(), queries.max())) + 1
    for q, query in enumerate(queries.tolist()):
        for n in range(len(train)):
            up, down = (np.eye(len(train))[n] * sign * step + 1 for sign in (1, -1))
            rise = likelihood(train, up, query, size) - likelihood(train, down, query, size)
            slope = rise / (2 * step)
            assert found[q, n] == pytest.approx(slope, rel=1e-4, abs=1e-7)


@few
@given(tokens, tokens)
def test_cosines_lie_between_minus_one_and_one_and_padding_changes_nothing(train, queries):
    pad = np.full((len(train), 2), PAD, np.int32)
    for score in (lexical.score_tfidf, lexical.score_bigrams):
        plain = score(train, queries)
        assert score(np.hstack([train, pad]), queries) == pytest.approx(plain)
    assert np.abs(lexical.score_tfidf(train, queries)).max() <= 1 + 1e-9


@few
@given(scores_qn, losses_mq, st.floats(0.1, 10), st.floats(-9, 9))
def test_the_lds_is_a_correlation_of_ranks(scores, losses, scale, shift):
    retrained = Retrained(masks=MASKS, losses=losses)
    found = lds_per_query(scores, retrained)
    assert (np.abs(found) <= 1 + 1e-9).all()
    higher = Retrained(masks=MASKS, losses=np.exp(losses))
    assert lds_per_query(scores, higher) == pytest.approx(found)
    assert lds_per_query(-scores, retrained) == pytest.approx(-found)
    low, high = bootstrap(found)
    assert low <= found.mean() <= high


@few
@given(scores_qn, scores_qn, losses_mq)
def test_fitted_weights_are_the_non_negative_least_squares_solution(one, other, losses):
    """By the Karush-Kuhn-Tucker conditions: no part that is used, and none that is not, helps more."""
    parts, retrained = {"one": one, "other": other}, Retrained(masks=MASKS, losses=losses)
    weights = np.array(list(fit_weights(parts, retrained).values()))
    assert weights.min() >= 0
    assert weights.max() == 1
    predicted = [predict(standardise(part), MASKS) for part in parts.values()]
    columns = np.stack([(p - p.mean(1, keepdims=True)).ravel() for p in predicted], axis=1)
    target = standardise(-losses.T).ravel()
    mixed = columns @ weights
    scale = max(0.0, mixed @ target / (mixed @ mixed)) if mixed @ mixed > 0 else 0.0
    slope = columns.T @ (target - scale * mixed)
    bound = 1e-3 * (1 + np.linalg.norm(columns, axis=0) * np.linalg.norm(target))
    assert (slope <= bound).all()
    if scale > 0:
        assert (np.abs(slope[weights > 0.01]) <= bound[weights > 0.01]).all()


@few
@given(scores_qn)
def test_totals_of_any_grouping_sum_to_all_scores(scores):
    rows = pl.DataFrame(
        {"doc_id": [f"d{at // 3}" for at in range(12)], "source": ["a"] * 5 + ["b"] * 7}
    )
    for by in ("doc_id", "source"):
        summed = sum(total.score.value for total in totals(scores, rows, by))
        assert summed == pytest.approx(scores.sum(axis=1).mean(), abs=1e-9)
