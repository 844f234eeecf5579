"""The report format, as the CLI prints it, kept byte for byte.

After an intended change: `SUYUAN_REMAKE_GOLDEN=1 pytest tests/unit/evaluate/test_report_golden.py`.
"""

import json
import os
from pathlib import Path

import polars as pl

from tasks.evaluate.questions import Passage, QuestionSet
from tasks.evaluate.report import retrieval_report, searched
from tasks.evaluate.retrieval import evaluate_retrieval
from tasks.evaluate.rows import Refusal

GOLDEN = Path(__file__).parents[2] / "golden" / "evaluate_report.json"


def test_retrieval_report_has_the_documented_format():
    questions = QuestionSet(
        name="golden",
        corpus=(Passage("a", "T", "one"), Passage("b", "", "二")),
        queries={"q1": "who?", "q2": "谁？"},
        relevant={"q1": {"a": 2}, "q2": {"b": 1}},
        refused=(Refusal("qrels.tsv:3", "query 'q9' is not in the queries"),),
        skipped=1,
    )
    rankings = {"bm25": [["a"], []], "dense": [["b", "a"], ["b"]], "hybrid": [["a"], ["b"]]}

    def search_many(texts, k, mode):
        return [[(name, 1.0) for name in row] for row in rankings[mode]]

    scores = evaluate_retrieval(questions, search_many, depth=10)
    rows = pl.DataFrame({"doc_id": ["a"], "uri": [""]})
    report = retrieval_report(questions, scores, searched(rows, "own corpus"), "e5")
    body = json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("SUYUAN_REMAKE_GOLDEN"):
        GOLDEN.write_text(body, "utf-8")
    assert body == GOLDEN.read_text("utf-8")
