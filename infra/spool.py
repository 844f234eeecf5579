"""What a run has to say to MLflow, on disk until MLflow has taken it.

`<home>/spool/<run id>/` holds `run.json` and `files/` from the start of a run until MLflow has
everything. So metrics survive a dead MLflow server, and a killed run is noticed: its folder
still says "running" while its process is gone.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from infra.processes import is_alive

SWEEP_LIMIT = 50
"""Left-over runs that one sweep handles."""


@dataclass(kw_only=True)
class RunRecord:
    """State of one run, and what MLflow has not taken yet; times in ms since the epoch."""

    run_id: str
    flow: str
    started_ms: int
    pid: int = field(default_factory=os.getpid)
    process_started: float = field(default_factory=lambda: psutil.Process().create_time())
    state: str = "running"
    ended_ms: int = 0
    mlflow_run_id: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    """Name, value, time in ms, step."""
    datasets: list[dict[str, str]] = field(default_factory=list)
    latest: dict[str, float] = field(default_factory=dict)
    """Last value of each metric, for the ledger."""

    @property
    def abandoned(self) -> bool:
        """Say whether it claims to run while its process is gone."""
        return self.state == "running" and not is_alive(self.pid, self.process_started)


class Spool:
    """Folders of runs below home."""

    def __init__(self, root: Path) -> None:
        self._root = root / "spool"

    def files(self, run_id: str) -> Path:
        """Give the folder of files that wait for MLflow."""
        folder = self._root / run_id / "files"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def save(self, record: RunRecord) -> None:
        """Write the record atomically."""
        folder = self._root / record.run_id
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / "run.json.tmp"
        temporary.write_text(json.dumps(asdict(record)), encoding="utf-8")
        temporary.replace(folder / "run.json")

    def delete(self, run_id: str) -> None:
        """Forget the run: MLflow has everything."""
        shutil.rmtree(self._root / run_id, ignore_errors=True)

    @contextmanager
    def left_over(self) -> Generator[list[RunRecord]]:
        """Give the runs that nobody takes care of; empty while another process looks at them."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield []
                return
            yield self._read_left_over()

    def _read_left_over(self) -> list[RunRecord]:
        records = []
        for path in sorted(self._root.glob("*/run.json"))[:SWEEP_LIMIT]:
            record = _read(path)
            if record is not None and (record.abandoned or record.state != "running"):
                records.append(record)
        return records


def _read(path: Path) -> RunRecord | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["metrics"] = [tuple(metric) for metric in fields["metrics"]]
        return RunRecord(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # a record of another version, or just deleted by its owner
