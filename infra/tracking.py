"""One context manager around a flow: the run in the ledger, in MLflow and in Prefect, linked."""

import json
import logging
import math
import shutil
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from infra import artifacts
from infra.mlflow_log import MlflowLog
from infra.progress import Reporter, reporter
from infra.settings import Settings, home
from infra.spool import RunRecord, Spool
from storage.errors import UnavailableError
from storage.ledger import Ledger

LOGGER = logging.getLogger("suyuan")
FLUSH_INTERVAL_S = 15.0


class Tracked:
    """A run that is going on: takes metrics, data versions, files, summaries and progress."""

    def __init__(
        self, record: RunRecord, spool: Spool, log: MlflowLog, prefect_run_id: str, show: Reporter
    ) -> None:
        self.id = record.run_id
        self.prefect_run_id = prefect_run_id
        self.warning = ""
        """Why MLflow has not got everything; "" when it has."""
        self._record = record
        self._spool = spool
        self._log = log
        self._show = show
        self._flushed = time.monotonic()
        self._summarised = False

    @property
    def mlflow_run_id(self) -> str:
        """Id of the MLflow run; "" when MLflow was not there at the start."""
        return self._record.mlflow_run_id

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers; they go to MLflow in batches and the last ones into the ledger."""
        now = _now_ms()
        for name, value in values.items():
            self._record.metrics.append((name, float(value), now, step))
            if math.isfinite(value):
                self._record.latest[name] = float(value)
        self._spool.save(self._record)
        if time.monotonic() - self._flushed > FLUSH_INTERVAL_S:
            self.flush()

    def dataset(
        self, name: str, sha256: str, *, version: int = -1, context: str = "input", source: str = ""
    ) -> None:
        """Record which version of a table or index the run read ("input") or wrote ("output")."""
        self._record.datasets.append(
            {
                "name": name,
                "sha256": sha256,
                "version": str(version),
                "context": context,
                "source": json.dumps({"uri": source or name, "version": version}),
            }
        )
        self._spool.save(self._record)

    def text(self, name: str, text: str) -> None:
        """Keep text as an MLflow artifact."""
        (self._spool.files(self.id) / Path(name).name).write_text(text, encoding="utf-8")

    def file(self, path: Path) -> None:
        """Keep a copy of the file as an MLflow artifact."""
        shutil.copy2(path, self._spool.files(self.id) / path.name)

    def summary(self, markdown: str) -> None:
        """Show Markdown as the run's summary in Prefect, with the way to the MLflow run."""
        self._summarised = True
        text = f"{markdown}\n\n{self._where()}"
        artifacts.markdown(text, f"{self._record.flow}-summary", "What this run did")

    def table(self, rows: Sequence[Mapping[str, object]], *, key: str) -> None:
        """Show rows as a table in Prefect."""
        artifacts.table(rows, f"{self._record.flow}-{key}")

    def progress(self, label: str, done: int, total: int) -> None:
        """Show that done of total are finished, on stderr and in Prefect."""
        self._show(label, done, total)

    def flush(self) -> None:
        """Hand everything pending to MLflow; when it does not answer, keep it and go on."""
        self._flushed = time.monotonic()
        try:
            self._log.send(self._record, self._spool)
            self.warning = ""
        except UnavailableError as error:
            if not self.warning:
                LOGGER.warning("%s", error)
            self.warning = str(error)

    @property
    def latest(self) -> dict[str, float]:
        """Last finite value of each metric."""
        return dict(self._record.latest)

    def end(self, state: str) -> None:
        """Close the run in MLflow and Prefect."""
        self._record.state, self._record.ended_ms = state, _now_ms()
        self.flush()
        if not self._summarised:
            self.summary(_default_summary(self._record))
        if self.warning:
            self._spool.save(self._record)
        else:
            self._link()
            self._spool.delete(self.id)

    def _link(self) -> None:
        if self.prefect_run_id and (url := self._url()):
            artifacts.link(url, f"{self._record.flow}-mlflow", "MLflow run")

    def _url(self) -> str:
        try:
            return self._log.url(self._record)
        except UnavailableError:
            return ""

    def _where(self) -> str:
        if self.warning:
            return f"MLflow does not have all of this run yet: {self.warning}"
        place = self._url() or f"`{self.mlflow_run_id}` in `{self._log.uri}`"
        return f"Run `{self.id}`, MLflow run {place}."


@contextmanager
def tracked(flow: str, settings: Settings, parameters: Mapping[str, object]) -> Generator[Tracked]:
    """Track the block as one run of the flow; what it raises ends the run as failed.

    MLflow that does not answer costs seconds, not the run: its values wait in the spool for the
    next run. A ledger that cannot be written fails the run at once.
    """
    settings.apply()
    spool, ledger = Spool(settings.root), home(settings).ledger
    log = MlflowLog(settings.mlflow, settings.root / "mlflow-artifacts")
    sweep(spool, ledger, log)
    prefect_run_id = artifacts.flow_run_id()
    record = _new_record(flow, parameters, prefect_run_id)
    spool.save(record)
    with reporter(flow, in_prefect=bool(prefect_run_id)) as show:
        run = Tracked(record, spool, log, prefect_run_id, show)
        run.flush()
        ledger.start_run(run.id, flow, dict(parameters), prefect_run_id, run.mlflow_run_id)
        try:
            yield run
        except BaseException:
            _finish(run, ledger, "failed")
            raise
        _finish(run, ledger, "finished")


def sweep(spool: Spool, ledger: Ledger, log: MlflowLog) -> list[str]:
    """Mark killed runs of this host as crashed, send what waits for MLflow; give their ids."""
    swept = []
    with spool.left_over() as records:
        for record in records:
            if record.abandoned:
                record.state, record.ended_ms = "crashed", _now_ms()
                _mark_crashed(ledger, record)
                spool.save(record)
            swept.append(record.run_id)
            try:
                log.send(record, spool)
            except UnavailableError:
                spool.save(record)  # part of it may have been taken
                break
            spool.delete(record.run_id)
    return swept


def _finish(run: Tracked, ledger: Ledger, state: Literal["finished", "failed"]) -> None:
    ledger.finish_run(run.id, state, run.latest)
    run.end(state)


def _mark_crashed(ledger: Ledger, record: RunRecord) -> None:
    row = ledger.get("run", record.run_id)
    if row is None:
        return  # killed before it reached the ledger
    if row["state"] == "running":
        ledger.finish_run(record.run_id, "crashed", record.latest)
    else:
        record.state = str(row["state"])


def _new_record(flow: str, parameters: Mapping[str, object], prefect_run_id: str) -> RunRecord:
    run_id = str(uuid.uuid4())
    return RunRecord(
        run_id=run_id,
        flow=flow,
        started_ms=_now_ms(),
        params=_flatten(parameters),
        tags={
            "suyuan.run_id": run_id,
            "suyuan.flow": flow,
            "prefect.flow_run_id": prefect_run_id,
            "prefect.url": artifacts.flow_run_url(),
        },
    )


def _flatten(parameters: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat


def _default_summary(record: RunRecord) -> str:
    rows = "\n".join(f"| {name} | {value:g} |" for name, value in record.latest.items())
    seconds = (record.ended_ms - record.started_ms) / 1000
    head = f"## {record.flow}: {record.state} after {seconds:.1f} s"
    return f"{head}\n\n| metric | value |\n|---|---|\n{rows}" if rows else head


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
