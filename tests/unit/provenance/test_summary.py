"""The integrity check says what it found, in figures, in words and as an error."""

import pytest

from storage.errors import CorruptError
from tasks.provenance.verification.summary import markdown_of, metrics_of, refuse_damage
from tasks.provenance.verification.verify import verify_all


def test_a_sound_home_is_not_refused(stored):
    report = verify_all(stored.home)
    refuse_damage(report)
    assert "everything is proven" in markdown_of(report)
    assert metrics_of(report)["chunks_ok"] == 4


def test_damage_is_refused_by_name(stored):
    sha = stored.citations["paper.pdf"].doc_id
    stored.home.blobs.delete(sha)
    report = verify_all(stored.home)
    with pytest.raises(CorruptError, match=rf"blob:{sha}.*1 problem in all"):
        refuse_damage(report)
    assert f"`blob:{sha}` not in the blob store" in markdown_of(report)
    assert metrics_of(report)["problems"] == 1
