"""A tracked run in real MLflow (SQLite) and inside a real Prefect flow run."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings, home
from infra.tracking import tracked
from tests.integration.conftest import free_port

pytestmark = [pytest.mark.server, pytest.mark.slow]
ROOT = "ab" * 32
KILLED = """
import sys
from infra.settings import Settings
from infra.tracking import tracked
with tracked("ingest", Settings(home=sys.argv[1], mlflow_uri=""), {}) as run:
    run.metrics({"rows": 3})
    print(run.id, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    monkeypatch.chdir(cwd)
    return Settings(home=tmp_path / "home", mlflow_uri="", prefect_api_url="")


def mlflow_run(settings: Settings, run_id: str) -> Any:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=settings.mlflow_database)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.`suyuan.run_id` = '{run_id}'")
    return run


def ledger_row(settings: Settings, run_id: str) -> Any:
    return home(settings).ledger.get("run", run_id)


def test_mlflow_holds_parameters_metrics_data_version_and_files(settings: Settings) -> None:
    with tracked("features", settings, {"size": {"max": 256}}) as run:
        run.metrics({"chunks": 12})
        run.dataset("documents", ROOT, version=3)
        run.text("report.html", "<html>")
    found = mlflow_run(settings, run.id)
    (data,) = found.inputs.dataset_inputs
    tags = {tag.key: tag.value for tag in data.tags}
    assert (found.info.status, found.data.params) == ("FINISHED", {"size.max": "256"})
    assert found.data.metrics == {"chunks": 12}
    assert (data.dataset.name, data.dataset.digest) == ("documents", ROOT[:32])
    assert (tags["suyuan.sha256"], tags["suyuan.version"]) == (ROOT, "3")
    assert list(settings.root.glob("mlflow-artifacts/**/report.html"))
    assert list(Path.cwd().iterdir()) == []


def test_a_failed_run_is_failed_everywhere(settings: Settings) -> None:
    with pytest.raises(ValueError, match="mine"), tracked("features", settings, {}) as run:
        raise ValueError("mine")
    assert mlflow_run(settings, run.id).info.status == "FAILED"
    assert ledger_row(settings, run.id)["state"] == "failed"


def test_what_a_dead_server_missed_is_sent_by_the_next_run(settings: Settings) -> None:
    dead = settings.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_port()}"})
    with tracked("ingest", dead, {"a": 1}) as missed:
        missed.metrics({"rows": 7})
        missed.dataset("documents", ROOT, version=1)
        missed.text("report.html", "<html>")
    with tracked("ingest", settings, {}):
        pass
    found = mlflow_run(settings, missed.id)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"rows": 7})
    assert (found.data.params, len(found.inputs.dataset_inputs)) == ({"a": "1"}, 1)
    assert list(settings.root.glob("mlflow-artifacts/**/report.html"))
    assert list(settings.root.glob("spool/*/run.json")) == []


def test_a_run_killed_with_its_process_is_marked_by_the_next(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(settings.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        killed = child.stdout.readline().strip()
        os.kill(child.pid, signal.SIGKILL)
    assert ledger_row(settings, killed)["state"] == "running"
    with tracked("ingest", settings, {}):
        pass
    assert ledger_row(settings, killed)["state"] == "crashed"
    assert mlflow_run(settings, killed).info.status == "KILLED"
    assert mlflow_run(settings, killed).data.metrics == {"rows": 3}


def test_a_flow_run_is_linked_with_ledger_and_mlflow_both_ways(
    prefect_api: None, settings: Settings
) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client

    @flow(name="linked")
    def linked() -> tuple[str, str]:
        with tracked("linked", settings, {}) as run:
            run.progress("jobs", 1, 2)
            run.table([{"column": "uri"}], key="quality")
            run.summary("## Done")
        return run.id, run.prefect_run_id

    run_id, prefect_run_id = linked()
    with get_client(sync_client=True) as client:
        artifacts = {artifact.key: artifact for artifact in client.read_artifacts()}
    mlflow = mlflow_run(settings, run_id)
    row = ledger_row(settings, run_id)
    assert (row["prefect_run_id"], row["mlflow_run_id"]) == (prefect_run_id, mlflow.info.run_id)
    assert mlflow.data.tags["prefect.flow_run_id"] == prefect_run_id
    assert {"linked-summary", "linked-quality", "linked-jobs"} <= artifacts.keys()
    assert str(artifacts["linked-summary"].flow_run_id) == prefect_run_id
    assert mlflow.info.run_id in str(artifacts["linked-summary"].data)
