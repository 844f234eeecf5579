"""What is said of a node that was revoked, and its certificate by any of its names."""

import pytest

from storage.errors import MissingError, NotFoundError
from storage.home import Home
from tasks.provenance.revocation.certificate import certificate_file
from tasks.provenance.revocation.plan import not_stored
from tasks.provenance.revocation.standing import render_standing, revocations_of
from tests.fakes import new_home


@pytest.fixture
def revoking(tmp_path) -> tuple[Home, str]:
    home = new_home(tmp_path)
    return home, home.revocations.open("source:notes", "takedown", "ann", {})


def test_a_revocation_is_said_of_its_scope_and_of_nothing_else(revoking):
    home, name = revoking
    assert revocations_of(home, "source:other") == ()
    found = revocations_of(home, "notes")
    assert [one.revocation_id for one in found] == [name]
    assert "revocation planned · source:notes · takedown · ann" in render_standing(found)
    assert "已计划撤销" in render_standing(found, "zh")


def test_a_certificate_is_found_by_id_or_scope_once_the_revocation_is_done(revoking):
    home, name = revoking
    with pytest.raises(MissingError, match="no certificate yet"):
        certificate_file(home, name)
    with pytest.raises(NotFoundError, match=rf"There are: {name} \(source:notes, planned\)"):
        certificate_file(home, "source:other")


def test_what_a_revocation_took_out_is_said_to_be_so(revoking):
    home, name = revoking
    assert "The sources are: none" in str(not_stored(home, "source:notes"))
    home.revocations.finish(name, "{}")
    assert f"revocation:{name} took it out" in str(not_stored(home, "source:notes"))
    assert f"suyuan export certificate {name}" in render_standing(
        revocations_of(home, "source:notes")
    )
