"""A revocation is opened once, goes on where it stopped, and ends with its certificate."""

import pytest

from storage.errors import ConflictError, NotFoundError
from storage.ledger import Ledger
from storage.revocations import Revocations

SCOPE = "source:docs"


@pytest.fixture
def revocations(tmp_path):
    return Revocations(f"sqlite:///{tmp_path}/l.db")


@pytest.fixture
def opened(revocations):
    return revocations.open(SCOPE, "takedown", "me", {"documents": 2})


def test_a_new_one_is_planned(revocations, opened):
    found = revocations.get(opened)
    assert (found.scope, found.reason, found.requested_by) == (SCOPE, "takedown", "me")
    assert (found.state, found.plan, found.certificate) == ("planned", {"documents": 2}, "")


def test_the_same_scope_goes_on_until_it_is_done(revocations, opened):
    assert revocations.open(SCOPE, "again", "you", {"documents": 3}) == opened
    assert revocations.get(opened).reason == "takedown"
    assert revocations.get(opened).plan == {"documents": 3}
    assert revocations.open("doc:d1", "x", "me", {}) != opened
    revocations.finish(opened, "{}")
    assert revocations.open(SCOPE, "again", "you", {}) != opened


def test_a_step_is_kept_once_with_what_was_said_last(revocations, opened):
    revocations.step_done(opened, "tombstone", {"n": 1})
    revocations.step_done(opened, "purge", {})
    revocations.step_done(opened, "tombstone", {"n": 9})
    assert [(one.step, one.detail) for one in revocations.steps(opened)] == [
        ("purge", {}),
        ("tombstone", {"n": 9}),
    ]
    assert revocations.get(opened).state == "running"


def test_a_failed_one_says_why_and_goes_on(revocations, opened):
    revocations.fail(opened, "disk full")
    assert (revocations.get(opened).state, revocations.get(opened).failure) == (
        "failed",
        "disk full",
    )
    assert revocations.open(SCOPE, "", "", {}) == opened
    assert (revocations.get(opened).state, revocations.get(opened).failure) == ("running", "")


def test_a_certified_one_is_closed(revocations, opened):
    revocations.finish(opened, '{"signed":1}')
    done = revocations.get(opened)
    assert (done.state, done.certificate) == ("done", '{"signed":1}')
    revocations.finish(opened, '{"signed":1}')
    assert revocations.get(opened) == done
    for late in (
        lambda: revocations.finish(opened, "{}"),
        lambda: revocations.fail(opened, "x"),
        lambda: revocations.step_done(opened, "x", {}),
    ):
        with pytest.raises(ConflictError, match="done"):
            late()


def test_they_are_listed_by_state(revocations, opened):
    other = revocations.open("doc:d1", "x", "me", {})
    revocations.finish(other, "{}")
    assert [one.revocation_id for one in revocations.list()] == [opened, other]
    assert [one.revocation_id for one in revocations.list("done")] == [other]
    assert Ledger(revocations.url).verify() == []


def test_an_unknown_one_is_not_found(revocations):
    with pytest.raises(NotFoundError, match="revocation:zz"):
        revocations.get("zz")
