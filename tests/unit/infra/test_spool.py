import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.spool import RunRecord, Spool


def dead_process() -> tuple[int, float]:
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(child.pid).create_time()
    child.wait(30)
    return child.pid, started


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def left_over(spool: Spool) -> list[str]:
    with spool.left_over() as records:
        return [record.run_id for record in records]


def test_a_record_comes_back_as_it_was_saved(spool: Spool) -> None:
    record = RunRecord(run_id="a", flow="ingest", started_ms=5, state="failed")
    record.metrics.append(("rows", 2.5, 7, 0))
    spool.save(record)
    with spool.left_over() as records:
        assert records == [record]


def test_a_running_run_is_left_alone(spool: Spool) -> None:
    spool.save(RunRecord(run_id="a", flow="ingest", started_ms=5))
    assert left_over(spool) == []


def test_a_run_whose_process_is_gone_is_abandoned(spool: Spool) -> None:
    pid, started = dead_process()
    spool.save(RunRecord(run_id="a", flow="f", started_ms=5, pid=pid, process_started=started))
    assert left_over(spool) == ["a"]


def test_a_reused_process_id_does_not_keep_a_run_alive(spool: Spool) -> None:
    born = psutil.Process().create_time()
    record = RunRecord(run_id="a", flow="f", started_ms=5, pid=os.getpid())
    record.process_started = born - 3600
    spool.save(record)
    assert left_over(spool) == ["a"]


def test_two_sweeps_at_once_never_see_the_same_run(spool: Spool) -> None:
    spool.save(RunRecord(run_id="a", flow="f", started_ms=5, state="finished"))
    with spool.left_over() as records:
        assert [record.run_id for record in records] == ["a"]
        assert left_over(spool) == []
    assert left_over(spool) == ["a"]


def test_an_unreadable_record_stops_nobody(spool: Spool, tmp_path: Path) -> None:
    spool.save(RunRecord(run_id="a", flow="f", started_ms=5, state="finished"))
    (tmp_path / "spool" / "b").mkdir()
    (tmp_path / "spool" / "b" / "run.json").write_text(json.dumps({"other": "version"}))
    assert left_over(spool) == ["a"]
