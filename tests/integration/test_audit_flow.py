"""The audit as a Prefect flow: page and JSON where they were asked for, figures in the ledger."""

import json

import pytest

from tests.stored_home import fill_home

pytestmark = pytest.mark.server


@pytest.fixture
def stored(tmp_path, monkeypatch, prefect_api):
    for name in ("SUYUAN_STORAGE_URL", "SUYUAN_LEDGER_URL", "SUYUAN_MLFLOW_URI", "SUYUAN_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SUYUAN_HOME", str(tmp_path))
    monkeypatch.setenv("SUYUAN_LANG", "zh")
    return fill_home(tmp_path)


def test_it_writes_page_and_json_and_records_the_figures(stored, tmp_path):
    from flows.audit import AuditParams, audit

    out = tmp_path / "out" / "report.html"
    report = audit(AuditParams(out=str(out)))
    assert (report.page, report.data) == (str(out), str(out.with_suffix(".json")))
    assert "溯源审计" in out.read_text("utf-8")
    found = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert found["answers"]["n_unsourced"] == report.figures["sentences_without_source"] == 1
    run = stored.home.ledger.get("run", report.run_id)
    assert (run["flow"], run["state"]) == ("audit", "finished")
    assert json.loads(run["metrics"])["sentences"] == 5
    scheduled = audit(AuditParams())
    assert (scheduled.page, scheduled.subject) == ("", "answers")
