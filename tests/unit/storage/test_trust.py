"""Trust: a person's word wins over the computed score, and both stay to be seen."""

import pytest

from storage.errors import InputError, NotFoundError
from storage.ledger import Ledger
from storage.trust import Override, Score, TrustRecords

PARTS = {"age": {"value": 0.5, "weight": 1.0, "n": 3, "evidence": "fetched 2026"}}


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/l.db")
    ledger.add_source("docs", trust=0.4)
    return ledger


@pytest.fixture
def trust(ledger):
    return TrustRecords(ledger.url)


def test_without_evidence_the_declared_trust_counts(trust):
    found = trust.effective("docs")
    assert (found.trust, found.by, found.score, found.override) == (0.4, "declared", None, None)


def test_a_computed_score_counts_more_than_the_declared_one(trust):
    trust.record("docs", 0.7, PARTS, "r1")
    found = trust.effective("docs")
    assert (found.trust, found.by, found.declared) == (0.7, "computed", 0.4)
    assert (found.score.components, found.score.run_id) == (PARTS, "r1")


def test_an_override_wins_until_it_is_lifted_and_both_are_shown(trust):
    trust.record("docs", 0.7, PARTS, "r1")
    trust.override("docs", 0.1, "me", "wrong facts")
    found = trust.effective("docs")
    assert (found.trust, found.by, found.score.score) == (0.1, "override", 0.7)
    assert (found.override.who, found.override.why) == ("me", "wrong facts")
    trust.lift("docs", "you", "mended")
    assert (trust.effective("docs").trust, trust.effective("docs").override) == (0.7, None)


def test_history_keeps_every_score_and_decision_newest_first(ledger, trust):
    trust.record("docs", 0.7, PARTS, "r1")
    trust.record("docs", 0.7, PARTS, "r2")
    trust.override("docs", 0.1, "me", "wrong facts")
    trust.record("docs", 0.6, PARTS, "r3")
    trust.lift("docs", "you", "mended")
    kinds = [
        (type(e), e.action if isinstance(e, Override) else e.score) for e in trust.history("docs")
    ]
    assert kinds == [(Override, "lift"), (Score, 0.6), (Override, "set"), (Score, 0.7)]
    assert ledger.verify() == []


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_trust_outside_0_and_1_is_refused(trust, value):
    with pytest.raises(InputError, match="within 0 and 1"):
        trust.override("docs", value, "me", "x")


def test_an_override_needs_who_and_why_and_a_known_source(trust):
    with pytest.raises(InputError, match="who and why"):
        trust.override("docs", 0.5, "me", " ")
    with pytest.raises(NotFoundError, match=r"source:zz.*docs"):
        trust.override("zz", 0.5, "me", "x")
    with pytest.raises(InputError, match="no override"):
        trust.lift("docs", "me", "x")


def test_a_revoked_source_takes_no_override_and_nothing_is_written(ledger, trust):
    ledger.set_source_status("docs", "revoked")
    before = ledger.head()
    with pytest.raises(InputError, match=r"source:docs: was revoked.*another name"):
        trust.override("docs", 0.9, "me", "x")
    assert ledger.head() == before


def test_feedback_is_kept_in_order(trust):
    trust.feedback("answer:01A", "accepted", "me", "right")
    trust.feedback("01A", "rejected", "you", "wrong")
    assert [(one.answer_id, one.verdict, one.who) for one in trust.feedbacks()] == [
        ("01A", "accepted", "me"),
        ("01A", "rejected", "you"),
    ]
    with pytest.raises(InputError, match="neither"):
        trust.feedback("01A", "good", "me", "")
