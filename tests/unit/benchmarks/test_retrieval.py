"""The peer fusion and the rows of the retrieval benchmark."""

import pytest

from benchmarks.retrieval import CASES, reciprocal_rank_fusion, results
from tasks.evaluate.questions import QuestionSet
from tasks.evaluate.retrieval import compare, score_rankings

QUESTIONS = QuestionSet(name="t", corpus=(), queries={"q": "?"}, relevant={"q": {"a": 1}})


def scored(**rankings):
    return compare({m: score_rankings(m, [row], QUESTIONS) for m, row in rankings.items()})


def test_rrf_adds_reciprocal_ranks():
    fused = reciprocal_rank_fusion([[("a", 9.0), ("b", 1.0)], [("b", 0.2)]])
    assert fused == [("b", pytest.approx(1 / 62 + 1 / 61)), ("a", pytest.approx(1 / 61))]


def test_the_bar_fails_when_hybrid_is_below_the_better_single_mode():
    found = scored(bm25=["a"], dense=["b", "a"], hybrid=["b", "a"], rrf60=["b", "a"])
    first = results(CASES[0], "case", found)[0]
    assert (first.peer_name, first.passes, first.bar) == ("bm25", False, "ours >= peer")


def test_rows_compare_with_the_best_single_and_rrf_and_list_the_singles():
    found = scored(bm25=["b"], dense=["b", "a"], hybrid=["a"], rrf60=["b", "a"])
    rows = results(CASES[0], "case", found)
    assert [row.peer_name for row in rows] == ["dense", "rrf60", "dense", "dense", "", ""]
    assert rows[1].bar == "ours >= peer + 0.015"
    assert all(row.passes for row in rows if row.bar)
