"""Scoring of modes, the known-item questions, the charts and the report."""

import numpy as np
import polars as pl
import pytest

from tasks.evaluate.known_item import Source, known_items
from tasks.evaluate.metrics import Interval
from tasks.evaluate.plots import chart_scores
from tasks.evaluate.questions import Passage, QuestionSet
from tasks.evaluate.report import LabelledReport, retrieval_report, searched
from tasks.evaluate.retrieval import evaluate_retrieval, unique

QUESTIONS = QuestionSet(
    name="tiny",
    corpus=tuple(Passage(f"p{n}", "", f"text {n}") for n in range(5)),
    queries={f"q{n}": f"question {n}" for n in range(4)},
    relevant={f"q{n}": {f"p{n}": 1} for n in range(4)},
)
WHERE = searched(pl.DataFrame({"doc_id": ["p0", "p1", "p2"], "uri": [""] * 3}), "own corpus")
RIGHT = [[f"p{n}", "p4"] for n in range(4)]
HALF = [["p4", f"p{n}"] for n in range(4)]


def searcher(**modes):
    def search_many(questions, k, mode):
        assert list(questions) == list(QUESTIONS.queries.values())
        return [[(name, 1.0 / rank) for rank, name in enumerate(row[:k], 1)] for row in modes[mode]]

    return search_many


def scores(**modes):
    return evaluate_retrieval(QUESTIONS, searcher(**modes), list(modes), depth=10)


def test_each_mode_is_scored_on_its_own_ranking():
    found = scores(bm25=HALF, dense=RIGHT)
    assert found.modes["dense"].figures["ndcg@10"] == Interval(mean=1, low=1, high=1, n=4)
    assert found.modes["bm25"].figures["mrr@10"].mean == 0.5
    assert found.modes["bm25"].figures["recall@1"].mean == 0


def test_hybrid_is_compared_with_the_better_single_mode():
    found = scores(bm25=HALF, dense=[[]] * 4, hybrid=RIGHT)
    assert found.best_single == "bm25"
    assert found.difference.mean == pytest.approx(1 - 1 / np.log2(3))


def test_without_a_single_mode_there_is_nothing_to_compare():
    found = scores(hybrid=RIGHT)
    assert (found.best_single, found.difference) == ("", None)


def test_a_document_counts_at_its_best_passage():
    assert unique([("a", 3.0), ("b", 2.0), ("a", 1.0)]) == ["a", "b"]


def document(name, title="", headings=(), text=""):
    return Source(doc_id=name, title=title, headings=headings, text=text)


def test_known_items_ask_for_a_phrase_that_one_document_alone_carries():
    documents = [
        document("a", "Common Title Of Many", text="The quick brown fox jumps."),
        document("b", "common title of  many", text="Another very long sentence."),
        document("c", "Common Title Of Many", text="Two words."),
    ]
    found = known_items(documents, 10)
    pairs = {found.queries[query]: list(row) for query, row in found.relevant.items()}
    assert pairs == {
        "The quick brown fox jumps.": ["a"],
        "Another very long sentence.": ["b"],
    }
    assert (found.skipped, found.corpus) == (1, ())


def test_known_items_do_not_depend_on_the_order_of_the_documents():
    documents = [document(f"d{n}", f"Unique title number {n}") for n in range(40)]
    first, again = known_items(documents, 10, seed=5), known_items(documents[::-1], 10, seed=5)
    assert (first.queries, first.relevant) == (again.queries, again.relevant)
    assert known_items(documents, 10, seed=6).queries != first.queries
    assert len(first.queries) == 10


def test_known_items_work_for_chinese_documents():
    found = known_items([document("a", text="红楼梦是中国古典小说。第二句。")], 10)
    assert list(found.queries.values()) == ["红楼梦是中国古典小说。"]


@pytest.mark.parametrize(("kind", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_charts_are_equal_bytes_for_equal_scores(kind, magic):
    found = scores(bm25=HALF, dense=HALF, hybrid=RIGHT)
    chart = chart_scores(found, "tiny", kind)
    assert chart.startswith(magic)
    assert chart == chart_scores(found, "tiny", kind)


def test_report_rows_and_metrics_name_every_figure():
    found = scores(bm25=HALF, hybrid=RIGHT)
    report = retrieval_report(QUESTIONS, found, WHERE, "x")
    assert report.rows()[1]["ndcg@10"] == "1.000 [1.000, 1.000]"
    assert report.metrics()["bm25/mrr_at_10"] == 0.5
    assert (report.limits, report.passages, report.unreachable) == ("", 3, 1)


def test_known_item_reports_say_what_they_do_not_show():
    questions = known_items([document("a", "One unique title here")], 5)
    found = evaluate_retrieval(questions, lambda *_: [[("a", 1.0)]], ["bm25"])
    report = retrieval_report(questions, found, WHERE, "x")
    assert "lexical search" in report.limits


def test_labelled_report_flattens_its_numbers_only():
    figures = {"accuracy": {"mean": 0.9, "n": 10}, "note": "text", "by": {"A": {"recall": 1}}}
    report = LabelledReport(task="t", set="s", rows=1, num_refused=0, refused=[], figures=figures)
    assert report.metrics() == {"accuracy/mean": 0.9, "accuracy/n": 10.0, "by/A/recall": 1.0}
