"""The flow revoke on Prefect: the run is recorded, its own records hold nothing of what was removed."""

import pytest

from storage.byte_search import search_folder
from storage.errors import ConflictError, GateError
from storage.fingerprints import fingerprint, spellings
from tasks.provenance.revocation.certificate import certificate_of
from tests.revocable_home import CHINESE, SECRET, fill

pytestmark = pytest.mark.server


@pytest.fixture
def filled(tmp_path, monkeypatch, prefect_api):
    import flows.revoke as module
    from tests.fakes import FakeEncoder

    for name in ("SUYUAN_STORAGE_URL", "SUYUAN_LEDGER_URL", "SUYUAN_MLFLOW_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SUYUAN_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "ERROR")
    filled = fill(tmp_path)
    for name in ("mlflow.db", "cache/answer.json"):  # stand-ins that the flow does not know
        (tmp_path / name).unlink()

    def opened(store, embedder, models):
        from tasks.features.search import Searcher

        return Searcher.open(store.index_store.current(), FakeEncoder())

    monkeypatch.setattr(
        module, "open_published", opened
    )  # the home was made with the small encoder
    return filled


def test_a_revocation_runs_as_a_flow_and_its_source_cannot_come_back(filled, tmp_path):
    from flows.ingest import IngestParams, ingest
    from flows.revoke import RevokeParams, revoke

    params = RevokeParams(scope="source:alpha", reason="takedown", who="tester")
    filled.home.ledger.start_run("other", "ingest", {})
    with pytest.raises(ConflictError, match="other"):
        revoke(params)
    filled.home.ledger.finish_run("other", "crashed")
    report = revoke(params)
    assert (report.documents, report.kept, report.answers_erased) == (3, 1, 2)
    assert certificate_of(filled.home, report.revocation_id)["requested_by"] == "tester"
    run = filled.home.ledger.get("run", report.run_id)
    assert (run["flow"], run["state"]) == ("revoke", "finished")
    wanted = fingerprint(form for text in (SECRET, CHINESE) for form in spellings(text.encode()))
    assert search_folder(tmp_path, wanted).places == ()
    with pytest.raises(GateError, match=report.revocation_id):
        ingest(IngestParams(name="alpha", locations=[str(tmp_path)]))
