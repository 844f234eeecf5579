"""Sends what runs recorded to MLflow: in batches, within time limits, to a server or to SQLite."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra.spool import RunRecord, Spool
from storage.errors import UnavailableError

PROBE_TIMEOUT_S = 2.0
LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
}
METRICS_PER_CALL = 1000
PARAMS_PER_CALL = 100
MAX_VALUE_CHARS = 5000
STATES = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "failed": "FAILED",
    "crashed": "KILLED",
}


class MlflowLog:
    """One tracking server or database; every call raises UnavailableError when it fails."""

    def __init__(self, uri: str, artifacts: Path) -> None:
        self.uri = uri
        self._artifacts = artifacts
        self._known: Any = None

    def start(self, record: RunRecord) -> None:
        """Create the MLflow run and note its id in the record."""
        with self._guard() as client:
            run = client.create_run(
                self._experiment(client, record.flow),
                start_time=record.started_ms,
                tags=record.tags,
                run_name=f"{record.flow}-{record.run_id[:8]}",
            )
            record.mlflow_run_id = run.info.run_id

    def send(self, record: RunRecord, spool: Spool) -> None:
        """Hand over everything that is pending; what was taken is taken out of the record."""
        if not record.mlflow_run_id:
            self.start(record)
            spool.save(record)
        with self._guard() as client:
            _send_values(client, record)
            _send_datasets(client, record)
            _send_files(client, record, spool.files(record.run_id))
            if record.state != "running":
                client.set_terminated(
                    record.mlflow_run_id, STATES[record.state], end_time=record.ended_ms or None
                )

    def url(self, record: RunRecord) -> str:
        """Address of the run's page; "" without a server."""
        if not record.mlflow_run_id or not self.uri.startswith("http"):
            return ""
        with self._guard() as client:
            experiment = self._experiment(client, record.flow)
        return f"{self.uri}/#/experiments/{experiment}/runs/{record.mlflow_run_id}"

    @contextmanager
    def _guard(self) -> Generator[Any]:
        _probe(self.uri)
        for name, value in LIMITS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._known = self._known or MlflowClient(tracking_uri=self.uri)
            yield self._known
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise UnavailableError(
                f"MLflow did not take the run: {error}",
                item=self.uri,
                way_out="The values are kept below <home>/spool and sent by the next run",
            ) from error

    def _experiment(self, client: Any, name: str) -> str:
        """Find or create the experiment; its artifacts live below home, never in the cwd."""
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(name)
        if found is None:
            local = self.uri.startswith("sqlite") or _is_loopback(self.uri)
            place = (self._artifacts / name).as_uri() if local else None
            try:
                return str(client.create_experiment(name, artifact_location=place))
            except MlflowException:
                found = client.get_experiment_by_name(name)  # another run was faster
                if found is None:
                    raise
        return str(found.experiment_id)


def _send_values(client: Any, record: RunRecord) -> None:
    from mlflow.entities import Metric, Param

    params = [Param(name, value[:MAX_VALUE_CHARS]) for name, value in record.params.items()]
    for first in range(0, len(params), PARAMS_PER_CALL):
        client.log_batch(record.mlflow_run_id, params=params[first : first + PARAMS_PER_CALL])
    metrics = [Metric(*metric) for metric in record.metrics]
    for first in range(0, len(metrics), METRICS_PER_CALL):
        client.log_batch(record.mlflow_run_id, metrics=metrics[first : first + METRICS_PER_CALL])
    record.params, record.metrics = {}, []


def _send_datasets(client: Any, record: RunRecord) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = [
        DatasetInput(
            Dataset(
                name=entry["name"],
                digest=entry["sha256"][:32],  # MLflow takes 36 characters at most
                source_type="suyuan_table",
                source=entry["source"],
            ),
            tags=[
                InputTag("mlflow.data.context", entry["context"]),
                InputTag("suyuan.sha256", entry["sha256"]),
                InputTag("suyuan.version", entry["version"]),
            ],
        )
        for entry in record.datasets
    ]
    if inputs:
        client.log_inputs(record.mlflow_run_id, datasets=inputs)
    record.datasets = []


def _send_files(client: Any, record: RunRecord, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        client.log_artifact(record.mlflow_run_id, str(path))
        path.unlink()


def _probe(uri: str) -> None:
    """Find out in PROBE_TIMEOUT_S whether anybody listens, before MLflow retries for minutes."""
    address = urlsplit(uri)
    if not address.scheme.startswith("http"):
        return
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), PROBE_TIMEOUT_S).close()
    except OSError as error:
        raise UnavailableError(
            f"the MLflow server does not answer: {error}",
            item=uri,
            way_out="Start it with `suyuan up`, or unset SUYUAN_MLFLOW_URI",
        ) from error


def _is_loopback(uri: str) -> bool:
    return (urlsplit(uri).hostname or "") in {"127.0.0.1", "localhost", "::1"}
