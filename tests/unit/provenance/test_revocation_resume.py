"""Which steps an attempt does again, after one that was killed and after one that failed."""

import pytest

from storage.errors import GateError
from tasks.provenance.revocation.run import AGAIN, STEPS, Request, revoke
from tasks.provenance.revocation.scope import parse_scope
from tasks.provenance.revocation.work import Tools, desk
from tests.fakes import new_home, put_documents

NAMES = [name for name, _ in STEPS]
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

        tools = Tools(rebuild=lambda: "", probe=lambda texts: set())
        if not stop:
            assert revoke(home, REQUEST, tools, "r", carry_out).certificate
            assert not desk(home, "source:gone").exists()
            return did
        with pytest.raises(type(error)):
            revoke(home, REQUEST, tools, "r", carry_out)
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
