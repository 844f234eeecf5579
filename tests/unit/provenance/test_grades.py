"""Every sentence has the grade that can be proven now, and no better one."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from storage.digest import sha256_hex
from storage.records import Answer, Exposure
from storage.schemas import DOCUMENTS
from tasks.provenance.lineage.grades import answer_sentences, grade_answer
from tasks.provenance.lineage.why import explain, render
from tasks.provenance.tracing.span_index import update_span_index
from tests.stored_home import NOW, document_row

MODEL = "small"


@pytest.fixture
def home(stored):
    update_span_index(stored.home, "r1")
    return stored.home


@pytest.fixture
def answer(stored) -> Answer:
    return stored.home.ledger.answer(stored.answer_id)


def plain(text: str, **fields) -> Answer:
    """An answer without citations."""
    fields = {"generator": "extractive", **fields}
    return Answer(
        answer_id="01PLAIN",
        question="?",
        status="answered" if text else "refused",
        text=text,
        index_digest="",
        run_id="",
        created_at=NOW + timedelta(days=3650),
        **fields,
    )


def grades(home, answer) -> list[str]:
    return [sentence.grade for sentence in grade_answer(home, answer)]


def codes(home, answer) -> list[str]:
    return [note.code for note in grade_answer(home, answer)[0].notes]


def set_status(home, name, status):
    row = document_row(home, name) | {"status": status}
    home.table("documents").merge(pa.Table.from_pylist([row], schema=DOCUMENTS.schema), run_id="r2")


def test_quotations_are_quoted_and_the_rest_has_no_source(home, answer):
    assert grades(home, answer) == ["quoted"] * 4 + ["none"]


def test_uncited_text_is_cut_into_sentences(answer):
    text = answer.text.encode()
    assert [text[a:b].decode() for a, b in answer_sentences(answer)] == [
        *("Fire is hot.", "Fish & 水.", "水是湿的。", "Ice is cold.", "More."),
    ]
    free = plain("First one. 第二句。— Third")
    found = [free.text.encode()[a:b].decode() for a, b in answer_sentences(free)]
    assert found == ["First one.", "第二句。", "— Third"]


def test_a_paraphrase_is_cited_with_its_score(home, answer):
    first = replace(answer.citations[0], grade="cited", score=0.7, a_start=5)
    (_, cited, *_) = grade_answer(home, replace(answer, citations=(first,)))
    assert (cited.grade, cited.evidence[0].score, cited.evidence[0].ordinal) == ("cited", 0.7, 0)


def test_equal_bytes_are_quoted_whatever_was_stored(home, answer):
    first = replace(answer.citations[0], grade="cited")
    assert grade_answer(home, replace(answer, citations=(first,)))[0].grade == "quoted"


def test_a_false_quotation_grades_nothing_and_is_named(home, answer):
    false = replace(answer, text=answer.text.replace("hot", "wet"))
    assert grades(home, false)[0] == "none"
    assert codes(home, false) == ["not_equal"]


def test_a_citation_whose_bytes_changed_grades_nothing(home, answer):
    citation = answer.citations[0]
    for changes in ({"quote_sha256": sha256_hex(b"")}, {"end": 9999}, {"start": citation.end}):
        changed = replace(
            answer, text="Hotness", citations=(replace(citation, a_end=7, **changes),)
        )
        assert grades(home, changed) == ["none"]
        assert codes(home, changed) == ["changed"]


def test_a_document_that_is_no_longer_live_proves_nothing(home, answer):
    set_status(home, "plain.md", "superseded")
    assert grades(home, answer)[0] == "none"
    assert codes(home, answer)[0] == "not_live"


def test_a_sentence_without_citation_is_quoted_when_its_bytes_stand_in_a_live_text(home):
    (found,) = grade_answer(home, plain("Water is wet. Fire is hot."))[:1]
    assert found.grade == "none"  # three words stand everywhere
    (found,) = grade_answer(home, plain("Water is wet.\u200b Fire is hot."))
    assert found.grade == "none"
    assert codes(home, plain("water is WET, fire is hot.")) == ["similar"]
    set_text(home, "The pump was built here in 1990, they say. It leaks.")
    (found,) = grade_answer(home, plain("The pump was built here in 1990, they say."))
    assert (found.grade, found.evidence[0].method) == ("quoted", "trace")
    place = found.evidence[0]
    quoted = home.blobs.get(place.text_id)[place.start : place.end]
    assert quoted == b"The pump was built here in 1990, they say."


def set_text(home, text):
    text_id = home.blobs.put(text.encode())
    row = document_row(home, "plain.md") | {"uri": "file:///docs/new"}
    row |= {"doc_id": text_id, "text_id": text_id}
    home.table("documents").merge(pa.Table.from_pylist([row], schema=DOCUMENTS.schema), run_id="r2")
    update_span_index(home, "r2")


def add_model(home, doc_id, version="1"):
    sample = Exposure(doc_id=doc_id, source="docs", licence="CC-BY-4.0", n_samples=3, n_bytes=9)
    other = replace(sample, doc_id="f" * 64, n_samples=9)
    return home.models.add(
        MODEL,
        version,
        path="models/small",
        sha256=sha256_hex(version.encode()),
        run_id="r1",
        trained_on="snap:documents@1",
        samples=[sample, other],
    )


def test_a_cited_document_in_the_models_training_set_is_exposure_below_the_citation(
    home, stored, answer
):
    node = add_model(home, stored.citations["plain.md"].doc_id)
    cited = replace(answer.citations[0], grade="cited", a_start=0, a_end=11)
    by_model = plain("Fire is hot", generator=f"{MODEL}@localhost", citations=(cited,))
    (found,) = grade_answer(home, replace(by_model, text="Fire is warm"[:11]))
    assert [(one.grade, one.node) for one in found.evidence] == [("cited", ""), ("exposed", node)]
    assert found.evidence[1].score == 0.25


def test_exposure_alone_is_the_grade_of_a_sentence_that_was_only_traced(home):
    set_text(home, "one two three four five six seven eight nine ten")
    doc_id = sha256_hex(b"one two three four five six seven eight nine ten")
    add_model(home, doc_id)
    text = "one two three four five six seven eight and more"
    assert grades(home, plain(text, generator=MODEL)) == ["exposed"]
    assert grades(home, plain(text)) == ["none"]  # an extractive answer has no model
    assert grades(home, plain(text, generator="another")) == ["none"]


def test_the_version_named_by_the_generator_counts(home):
    set_text(home, "one two three four five six seven eight nine ten")
    doc_id = sha256_hex(b"one two three four five six seven eight nine ten")
    first, _ = add_model(home, doc_id), add_model(home, "e" * 64, "2")
    text = "one two three four five six seven eight and more"
    assert grades(home, plain(text, generator=first)) == ["exposed"]
    assert grades(home, plain(text, generator=MODEL)) == ["none"]


def test_a_refusal_has_no_sentence_and_says_that_no_source_was_found(home):
    refusal = plain("")
    home.ledger.add_answer(refusal)
    assert grade_answer(home, refusal) == ()
    assert "no source found" in render(explain("01PLAIN", home))
    assert "未找到来源" in render(explain("01PLAIN", home), "zh")


def test_without_a_span_index_citations_are_graded_and_the_gap_is_named(stored, answer):
    found = grade_answer(stored.home, answer)
    assert [one.grade for one in found] == ["quoted"] * 4 + ["none"]
    assert [note.code for note in found[-1].notes] == ["no_span_index"]


def test_the_tree_shows_grades_and_what_was_lost(home, stored):
    set_status(home, "plain.md", "gone")
    home.ledger.mark_answers([stored.answer_id], "stale", "revoked: takedown")
    shown = render(explain(stored.answer_id, home))
    assert "stale: revoked: takedown" in shown
    assert "the cited document is no longer live" in shown
    assert "sentence 1 [no source found]: Fire is hot." in shown
    assert "sentence 2 [quoted]: Fish & 水." in shown
    assert "句子 2 [引用原文]" in render(explain(stored.answer_id, home), "zh")
