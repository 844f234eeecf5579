"""A small home that is complete and sound, for tests to damage."""

from dataclasses import replace

import pytest

from tests.stored_home import Stored, fill_home


@pytest.fixture(scope="session")
def untouched(tmp_path_factory) -> Stored:
    """The same home for all tests that only read."""
    return fill_home(tmp_path_factory.mktemp("stored"))


@pytest.fixture
def stored(tmp_path) -> Stored:
    """A home of its own, for a test that writes."""
    return fill_home(tmp_path)


@pytest.fixture
def add_answer(stored):
    """Store a copy of the answer whose first citation has other fields; give its id."""

    def add(**changes) -> str:
        answer = stored.home.ledger.answer(stored.answer_id)
        first = replace(answer.citations[0], **changes)
        changed = replace(answer, answer_id="01CHANGED", citations=(first, *answer.citations[1:]))
        stored.home.ledger.add_answer(changed)
        return changed.answer_id

    return add
