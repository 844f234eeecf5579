"""Runs without MLflow: nothing listens on the port of the URI, so nothing imports it."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.mlflow_log import MlflowLog
from infra.settings import Settings, home
from infra.spool import RunRecord, Spool
from infra.tracking import sweep, tracked
from tests.unit.infra.test_spool import dead_process


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setattr("os.environ", {})
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, not listening: refuses, and nobody else gets it
        yield Settings(home=tmp_path, mlflow_uri=f"http://127.0.0.1:{closed.getsockname()[1]}")


def ledger_state(settings: Settings, run_id: str) -> object:
    row = home(settings).ledger.get("run", run_id)
    assert row is not None
    return row["state"]


def test_a_run_without_mlflow_finishes_and_keeps_its_values(settings: Settings) -> None:
    with tracked("ingest", settings, {"a": {"b": 1}}) as run:
        run.metrics({"rows": 3, "broken": float("nan")})
        run.text("report.html", "<html>")
    kept = json.loads((settings.root / "spool" / run.id / "run.json").read_text())
    assert ledger_state(settings, run.id) == "finished"
    assert (kept["state"], kept["params"], kept["latest"]) == (
        "finished",
        {"a.b": "1"},
        {"rows": 3},
    )
    assert (settings.root / "spool" / run.id / "files" / "report.html").read_text() == "<html>"
    assert "does not answer" in run.warning


def test_a_dead_mlflow_server_costs_less_than_a_second(settings: Settings) -> None:
    began = time.process_time(), time.monotonic()
    with tracked("ingest", settings, {}):
        pass
    assert time.process_time() - began[0] < 1
    assert time.monotonic() - began[1] < 10


def test_an_error_ends_the_run_as_failed_and_passes_through(settings: Settings) -> None:
    with pytest.raises(KeyError, match="mine"), tracked("ingest", settings, {}) as run:
        raise KeyError("mine")
    assert ledger_state(settings, run.id) == "failed"


def test_the_next_run_marks_a_killed_one_as_crashed(settings: Settings) -> None:
    pid, started = dead_process()
    ledger, spool = home(settings).ledger, Spool(settings.root)
    ledger.start_run("killed", "ingest", {})
    spool.save(RunRecord(run_id="killed", flow="i", started_ms=1, pid=pid, process_started=started))
    with tracked("ingest", settings, {}) as run:
        assert ledger_state(settings, "killed") == "crashed"
        assert ledger_state(settings, run.id) == "running"


def test_a_run_killed_after_its_end_stays_finished(settings: Settings) -> None:
    pid, started = dead_process()
    ledger, spool = home(settings).ledger, Spool(settings.root)
    ledger.start_run("done", "ingest", {})
    ledger.finish_run("done", "finished", {})
    spool.save(RunRecord(run_id="done", flow="i", started_ms=1, pid=pid, process_started=started))
    log = MlflowLog(settings.mlflow, settings.root)
    assert sweep(spool, ledger, log) == ["done"]
    assert ledger_state(settings, "done") == "finished"
