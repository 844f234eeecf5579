"""Verifying everything proves each stored answer, the tree of the log and its signed heads."""

import sqlite3

import pytest

from storage import attest
from storage.answer_stream import stored_answers
from storage.transparency import Tree
from tasks.provenance.proof.bundle import keyring_of
from tasks.provenance.verification.verify import verify_all


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv(attest.KEY_VARIABLE, raising=False)


def sql(stored, statement):
    with sqlite3.connect(stored.home.ledger_url.removeprefix("sqlite:///")) as connection:
        connection.execute(statement)


def found(report):
    return {problem.node: problem.reason for problem in report.problems}


def test_each_stored_answer_is_proven(stored, add_answer):
    add_answer()
    report = verify_all(stored.home)
    assert (report.citations_checked, report.citations_ok, report.problems) == (8, 8, ())
    assert (report.counts["answers_checked"], report.counts["answers_not_live"]) == (2, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quote_sha256": "0" * 64}, "another hash"),
        ({"a_start": 1}, "not the cited bytes"),
        ({"chunk_id": "none"}, "not in the chunks table"),
        ({"text_id": "0" * 64}, "does not have this text"),
    ],
)
def test_a_citation_that_does_not_hold_is_named(stored, add_answer, changes, reason):
    add_answer(**changes)
    report = verify_all(stored.home)
    assert set(found(report)) == {"answer:01CHANGED#1"}
    assert reason in found(report)["answer:01CHANGED#1"]
    assert (report.citations_checked, report.citations_ok) == (8, 7)


def test_a_sentence_that_is_not_the_one_cited_is_named(stored, add_answer):
    add_answer(grade="cited")
    sql(
        stored,
        "UPDATE answer SET text = replace(text, 'Fire', 'Hire') WHERE answer_id = '01CHANGED'",
    )
    reasons = found(verify_all(stored.home))
    assert "sentence has another hash" in reasons["answer:01CHANGED#1"]


def test_an_answer_that_is_not_live_is_counted_and_left_out(stored, add_answer):
    add_answer(start=13)
    stored.home.ledger.mark_answers(["01CHANGED"], "stale", "its source was revoked")
    report = verify_all(stored.home)
    assert (report.problems, report.citations_checked) == ((), 4)
    assert (report.counts["answers_checked"], report.counts["answers_not_live"]) == (1, 1)


def test_a_sample_proves_the_citations_of_its_documents(stored):
    report = verify_all(stored.home, sample=1)
    assert (report.citations_checked, report.citations_ok, report.problems) == (1, 1, ())


def test_an_answer_that_cannot_be_read_is_named(stored):
    sql(stored, "UPDATE answer SET signals = '{'")
    assert "answer:01ANSWER" in found(verify_all(stored.home))


def test_a_wrong_tile_and_a_wrong_head_are_named(stored):
    home = stored.home
    home.ledger.derive("doc:x", [f"source:{number}" for number in range(300)], "from")
    Tree(home.ledger_url).sign_head(keyring_of(home))
    assert verify_all(home).ok
    sql(stored, "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0")
    sql(stored, "UPDATE tree_head SET root = 'x'")
    named = [node.split(":")[0] for node in found(verify_all(home))]
    assert sorted(named) == ["tile", "tree_head"]


def test_answers_come_in_batches_with_their_citations(stored, add_answer):
    add_answer(score=0.5)
    batches = list(stored_answers(stored.home.ledger_url, size=1))
    ids = [[answer.answer_id for answer in answers] for answers, _ in batches]
    assert ids == [["01ANSWER"], ["01CHANGED"]]
    assert batches[1][0][0] == stored.home.ledger.answer("01CHANGED")
