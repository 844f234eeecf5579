"""Metrics against cases worked out by hand."""

import math

import numpy as np
import pytest

from tasks.evaluate import metrics

LOG3 = math.log2(3)


def one(ranking, grades, depth=10):
    return metrics.judge([ranking], [grades], depth)


def test_ndcg_of_a_hand_computed_binary_case():
    judged = one(["x", "a", "y", "b"], {"a": 1, "b": 1})
    expected = (1 / LOG3 + 1 / math.log2(5)) / (1 + 1 / LOG3)
    assert metrics.ndcg(judged)[0] == pytest.approx(expected)


def test_ndcg_of_a_hand_computed_graded_case():
    judged = one(["low", "high"], {"low": 1, "high": 3})
    assert metrics.ndcg(judged, graded=True)[0] == pytest.approx((1 + 3 / LOG3) / (3 + 1 / LOG3))
    assert metrics.ndcg(judged)[0] == 1.0


def test_ndcg_ideal_is_cut_at_k_too():
    judged = one(["a"], {"a": 1, "b": 1, "c": 1})
    assert metrics.ndcg(judged, 1)[0] == 1.0


def test_recall_counts_the_relevant_ones_not_the_ranks():
    judged = one(["a", "x", "b", "c"], {"a": 1, "b": 1, "c": 1, "d": 1})
    assert [metrics.recall(judged, k)[0] for k in (1, 3, 10)] == [0.25, 0.5, 0.75]


def test_reciprocal_rank_stops_at_the_cut():
    ranking = [f"x{i}" for i in range(10)] + ["a"]
    assert metrics.reciprocal_rank(one(ranking, {"a": 1}, depth=20))[0] == 0.0
    assert metrics.reciprocal_rank(one(ranking[8:], {"a": 1}))[0] == pytest.approx(1 / 3)


def test_hit_at_one_looks_at_the_first_only():
    judged = metrics.judge([["a", "b"], ["b", "a"], []], [{"a": 1}] * 3, 10)
    assert metrics.hit(judged).tolist() == [1.0, 0.0, 0.0]


def test_a_passage_listed_twice_earns_once():
    judged = one(["a", "a", "b"], {"a": 1, "b": 1})
    assert judged.gains_qk[0, :3].tolist() == [1.0, 0.0, 1.0]


def test_a_query_without_relevant_passages_is_refused():
    with pytest.raises(ValueError, match="query 0 has no relevant passage"):
        one(["a"], {"a": 0})


def test_graded_ndcg_is_reported_only_when_grades_differ():
    assert "ndcg_graded@10" not in metrics.per_query(one(["a"], {"a": 1}))
    assert metrics.per_query(one(["a"], {"a": 2}))["ndcg_graded@10"][0] == 1.0


def test_bootstrap_interval_is_close_to_the_normal_one_for_many_values():
    values = np.random.default_rng(1).normal(0.5, 0.2, 4000)
    interval = metrics.bootstrap_interval(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert interval.high - interval.mean == pytest.approx(half, rel=0.15)
    assert interval.mean - interval.low == pytest.approx(half, rel=0.15)


def test_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.linspace(0, 1, 50)
    assert metrics.bootstrap_interval(values, seed=3) == metrics.bootstrap_interval(values, seed=3)
    assert metrics.bootstrap_interval(values, seed=3) != metrics.bootstrap_interval(values, seed=4)


def test_paired_difference_sees_a_small_steady_gain_that_unpaired_intervals_hide():
    theirs = np.tile([0.0, 1.0], 100)
    gain = metrics.paired_difference(np.clip(theirs + 0.05, 0, 1), theirs)
    assert gain.low > 0
    assert metrics.bootstrap_interval(theirs).high - 0.5 > gain.mean
