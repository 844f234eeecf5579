"""The integrity check as a Prefect flow: a run in the ledger whichever way it ends."""

import pytest

from storage.errors import CorruptError
from tests.stored_home import fill_home

pytestmark = pytest.mark.server


@pytest.fixture
def stored(tmp_path, monkeypatch, prefect_api):
    for name in ("SUYUAN_STORAGE_URL", "SUYUAN_LEDGER_URL", "SUYUAN_MLFLOW_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SUYUAN_HOME", str(tmp_path))
    return fill_home(tmp_path)


def test_a_sound_home_passes_and_a_damaged_one_fails_by_name(stored):
    from flows.provenance import ProvenanceParams, provenance

    report = provenance(ProvenanceParams())
    run = stored.home.ledger.get("run", report.run_id)
    assert (report.chunks_ok, run["flow"], run["state"]) == (4, "provenance", "finished")
    sha = stored.citations["plain.md"].doc_id
    stored.home.blobs.delete(sha)
    with pytest.raises(CorruptError, match=f"blob:{sha}"):
        provenance(ProvenanceParams())
    assert stored.home.ledger.counts()["run"] == 3
