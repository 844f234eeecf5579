"""Laws of the ranking metrics."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate import metrics

PASSAGES = [f"p{i}" for i in range(30)]
rankings = st.permutations(PASSAGES)
judgements = st.dictionaries(st.sampled_from(PASSAGES), st.integers(1, 3), min_size=1, max_size=12)
cuts = st.integers(1, 30)


def judged(ranking, grades):
    return metrics.judge([ranking], [grades], len(PASSAGES))


@given(rankings, judgements)
def test_every_metric_lies_between_zero_and_one(ranking, grades):
    values = metrics.per_query(judged(ranking, grades))
    assert all(0 <= value[0] <= 1 + 1e-12 for value in values.values())


@given(rankings, judgements, cuts, st.randoms())
def test_order_below_the_cut_changes_nothing(ranking, grades, k, random):
    tail = list(ranking[k:])
    random.shuffle(tail)
    before, after = judged(ranking, grades), judged([*ranking[:k], *tail], grades)
    for metric in (metrics.recall, metrics.reciprocal_rank, metrics.ndcg, metrics.hit):
        assert metric(before, k) == metric(after, k)


@given(judgements, cuts)
def test_the_perfect_ranking_scores_one(grades, k):
    best = sorted(PASSAGES, key=lambda p: -grades.get(p, 0))
    perfect = judged(best, grades)
    assert metrics.ndcg(perfect, k, graded=True) == metrics.ndcg(perfect, k) == 1
    assert metrics.hit(perfect) == metrics.reciprocal_rank(perfect) == 1
    assert metrics.recall(perfect, 30) == 1


@given(rankings, judgements, st.integers(0, 28))
def test_moving_a_better_passage_up_never_lowers_a_metric(ranking, grades, at):
    first, second = ranking[at : at + 2]
    swapped = [*ranking[:at], second, first, *ranking[at + 2 :]]
    better, worse = (
        (swapped, ranking) if grades.get(second, 0) > grades.get(first, 0) else (ranking, swapped)
    )
    high, low = metrics.per_query(judged(better, grades)), metrics.per_query(judged(worse, grades))
    assert all(high[name][0] >= low[name][0] - 1e-12 for name in high)


@given(rankings, judgements)
def test_recall_and_hits_grow_with_the_cut(ranking, grades):
    at = [metrics.recall(judged(ranking, grades), k)[0] for k in range(1, 31)]
    assert at == sorted(at)
    assert at[-1] == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 5))
def test_an_interval_holds_its_mean_and_stays_within_the_values(values, seed):
    interval = metrics.bootstrap_interval(np.array(values), seed=seed, resamples=50)
    assert interval.low <= interval.mean <= interval.high
    assert min(values) - 1e-9 <= interval.low
    assert interval.high <= max(values) + 1e-9


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_a_paired_difference_turns_its_sign_with_its_sides(values):
    ours = np.array(values)
    theirs = ours[::-1]
    there, back = metrics.paired_difference(ours, theirs), metrics.paired_difference(theirs, ours)
    assert np.isclose(there.mean, -back.mean)
    assert metrics.paired_difference(ours, ours).high == 0
