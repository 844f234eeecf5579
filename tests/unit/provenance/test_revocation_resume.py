"""Which steps an attempt does again, after one that was killed and after one that failed."""

from datetime import UTC, datetime

import pytest

from storage.errors import GateError
from storage.records import Answer
from storage.snapshots import record_snapshot
from tasks.provenance.revocation.report import predicate_of
from tasks.provenance.revocation.run import AGAIN, STEPS, Request, perform, revoke
from tasks.provenance.revocation.scope import parse_scope
from tasks.provenance.revocation.work import Tools, desk
from tests.fakes import new_home, put_documents

NAMES = [name for name, _ in STEPS]
TOOLS = Tools(rebuild=lambda: "", probe=lambda texts: set())
REQUEST = Request(scope=parse_scope("source:gone"), reason="takedown", who="ann")


@pytest.fixture
def attempt(tmp_path):
    """Run an attempt that ends at a step with an error; give the steps that it did."""
    home = new_home(tmp_path)
    home.ledger.add_source("gone")
    put_documents(home, {"file:///gone": "Some words."}, source="gone")

    def run(stop="", error=None):
        did = []

        def carry_out(name, _work):
            if name == stop:
                raise error
            did.append(name)
            return {}

        if not stop:
            assert revoke(home, REQUEST, TOOLS, "r", carry_out).certificate
            assert not desk(home, "source:gone").exists()
            return did
        with pytest.raises(type(error)):
            revoke(home, REQUEST, TOOLS, "r", carry_out)
        return did

    return run


def test_after_a_kill_only_what_people_may_have_changed_is_done_again(attempt):
    assert attempt("models", KeyboardInterrupt()) == NAMES[: NAMES.index("models")]
    left = NAMES[NAMES.index("models") :]
    assert attempt() == [name for name in NAMES if name in AGAIN or name in left]


def test_after_a_failure_every_step_is_done_again_even_when_that_is_killed(attempt):
    attempt("proof", GateError("something is left"))
    assert attempt("caches", KeyboardInterrupt()) == ["tombstone", "fingerprints"]
    assert attempt() == NAMES


WORDS = "Nobody else ever wrote these very words about the lighthouse of the island."


@pytest.mark.parametrize("stop", ["answers", "caches", "spans"])
def test_the_certificate_counts_what_all_attempts_did(tmp_path, stop):
    home = new_home(tmp_path)
    home.ledger.add_source("gone")
    put_documents(home, {"file:///gone": WORDS}, source="gone")
    record_snapshot(home, "documents", "r")

    def ask(name):
        home.ledger.add_answer(
            Answer(answer_id=name, question="?", status="answered", text=WORDS, generator="g",
                   index_digest="i", run_id="r", created_at=datetime(2026, 6, 1, tzinfo=UTC))
        )  # fmt: skip

    def killed_after(name, work):
        detail = perform(name, work) if name in {"tombstone", "fingerprints", "answers"} else {}
        if name == stop:
            raise KeyboardInterrupt
        return detail

    ask("A1")
    ask("A2")
    with pytest.raises(KeyboardInterrupt):
        revoke(home, REQUEST, TOOLS, "r", killed_after)
    ask("A3")

    def carry_out(name, work):
        return perform(name, work) if name in {"answers", "bytes"} else {}

    said = predicate_of(revoke(home, REQUEST, TOOLS, "r", carry_out).certificate)
    did = {one["step"]: one["detail"] for one in said["steps"]}
    assert (did["answers"]["erased"], did["answers"]["stale"]) == (3, 0)
    assert (did["bytes"]["blobs"], did["bytes"]["ledger_rows"]) == (said["plan"]["blobs"], 1)
    assert (did["tombstone"]["documents"], did["tombstone"]["ledger_rows"]) == (1, 1)


def test_after_a_failure_numbers_add_up_and_what_stands_is_said_once(tmp_path):
    home = new_home(tmp_path)
    home.ledger.add_source("gone")
    put_documents(home, {"file:///gone": WORDS}, source="gone")
    attempts = iter((True, False))
    facts = {"tables": {"chunks": 2}, "spans": {"purged": 3, "segments": 1}, "proof": {"files": 9},
             "index": {"dropped": ["a"], "index": "b"}, "records": {"mlflow": 1}}  # fmt: skip

    def attempt():
        fails = next(attempts)

        def carry_out(name, _work):
            if name == "proof" and fails:
                raise GateError("something is left")
            return facts.get(name, {})

        return revoke(home, REQUEST, TOOLS, "r", carry_out)

    with pytest.raises(GateError):
        attempt()
    did = {one["step"]: one["detail"] for one in predicate_of(attempt().certificate)["steps"]}
    assert (did["tables"], did["records"]) == ({"chunks": 4}, {"mlflow": 2})
    assert (did["spans"], did["proof"]) == ({"purged": 6, "segments": 1}, {"files": 9})
    assert did["index"] == {"dropped": ["a"], "index": "b"}
