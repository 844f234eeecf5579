"""An answer leads down to its documents, sources, licences and runs."""

import json
from dataclasses import asdict

import pytest

from storage.records import Answer
from tasks.provenance.lineage.why import explain, render


@pytest.fixture
def explanation(stored):
    return explain(stored.answer_id, stored.home)


def test_every_sentence_has_its_evidence_and_the_rest_has_none(explanation):
    texts = [(sentence.text, len(sentence.evidence)) for sentence in explanation.sentences]
    expected = ["Fire is hot.", "Fish & 水.", "水是湿的。", "Ice is cold."]
    assert texts == [*((text, 1) for text in expected), ("More.", 0)]


def test_evidence_names_passage_document_source_and_licence(explanation):
    evidence = explanation.sentences[0].evidence[0]
    document, source = evidence.document, evidence.source
    assert (evidence.passage, evidence.heading) == ("Fire is hot.", ("Elements",))
    assert (document.uri, document.version) == ("file:///docs/plain.md", 1)
    assert (document.licence, document.licence_evidence) == ("CC-BY-4.0", "header")
    assert document.fetched_at.startswith("2026-01-02T03:04:05")
    assert (source.name, source.publisher, source.trust) == ("docs", "Elements Inc.", 0.8)


def test_offsets_of_the_original_are_given_where_there_is_a_map(explanation):
    ranges = [(s.evidence[0].src_start, s.evidence[0].src_end) for s in explanation.sentences[:4]]
    assert ranges == [(14, 26), (3, 18), (0, 10), (None, None)]


def test_index_snapshots_and_runs_are_named(explanation):
    made = {edge.src.partition(":")[0] for edge in explanation.made_by}
    assert made == {"index", "snap", "run"}
    assert [(node, flow) for node, flow, _ in explanation.runs] == [("run:r1", "ingest")]


def test_the_tree_shows_the_chain(explanation):
    tree = render(explanation)
    for shown in ("Fire is hot.", "file:///docs/plain.md", "CC-BY-4.0 (evidence: header)"):
        assert shown in tree
    assert "no source found" in tree
    assert "no byte map to the original" in tree
    assert f"used ← {explanation.made_by[0].src}" in tree


def test_the_tree_speaks_chinese(explanation):
    tree = render(explanation, lang="zh")
    assert "许可证 CC-BY-4.0" in tree
    assert "licence" not in tree.replace("licence_", "")


def test_a_paraphrase_is_shown_with_its_passage(stored, add_answer):
    tree = render(explain(add_answer(grade="cited", a_start=5), stored.home))
    assert "cited (score 0.90)" in tree
    assert "“Fire is hot.”" in tree


def test_a_tree_draws_each_node_once(explanation):
    assert render(explanation).count("snap:documents@1") == 1


def test_an_explanation_is_json(explanation):
    assert json.loads(json.dumps(asdict(explanation)))["answer_id"] == "01ANSWER"


def test_an_unreadable_passage_is_left_out(stored):
    stored.home.blobs.delete(stored.citations["page.html"].text_id)
    explanation = explain(stored.answer_id, stored.home)
    assert explanation.sentences[1].evidence[0].passage == ""


def test_a_refusal_is_explained(stored):
    answer = stored.home.ledger.answer(stored.answer_id)
    refusal = Answer(
        answer_id="01NO",
        question="?",
        status="refused",
        text="",
        generator="extractive",
        index_digest=answer.index_digest,
        run_id="r1",
        created_at=answer.created_at,
    )
    stored.home.ledger.add_answer(refusal)
    assert "refused" in render(explain("01NO", stored.home))
