"""The Dask engine on real processes: order, errors, and everything that can be killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra import dask
from infra.dask import DaskEngine, dask_engine
from infra.settings import Settings
from storage.errors import CorruptError, InputError, UnavailableError
from tests.integration import jobs
from tests.integration.conftest import accepts, free_port, server

pytestmark = [pytest.mark.server, pytest.mark.slow]
LIMIT_S = 60
PARENT = """
import sys
from pathlib import Path
from infra.dask import dask_engine
from infra.settings import Settings
from tests.integration.jobs import tell_and_sleep
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with dask_engine(Settings(home=folder / "home", workers=2)) as engine:
        engine.map(tell_and_sleep, [(folder, number) for number in range(8)], label="sleep")
"""


def soon(ready: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pids(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.pid")]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", workers=2, dask_address="")


@pytest.fixture
def engine(settings: Settings) -> Iterator[DaskEngine]:
    with dask_engine(settings) as engine:
        yield engine


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of a scheduler that runs apart, without workers."""
    port = free_port()
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dashboard-address", "127.0.0.1:0"]
    with server(command, lambda: accepts(port), tmp_path / "scheduler.log"):
        (found,) = [
            process.pid for process in psutil.Process().children() if str(port) in process.cmdline()
        ]
        yield f"tcp://127.0.0.1:{port}", found


@pytest.fixture
def remote(scheduler: tuple[str, int], tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The same with one worker."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler[0], "--no-dashboard"]
    command += ["--nthreads", "1", "--local-directory", str(tmp_path)]
    with server(command, lambda: True, tmp_path / "worker.log"):
        yield scheduler


def test_results_come_in_the_order_of_the_jobs_and_progress_ends_full(settings: Settings) -> None:
    seen = []
    with dask_engine(settings, lambda *report: seen.append(report)) as engine:
        assert engine.map(jobs.double, range(100), label="double") == [2 * n for n in range(100)]
    assert seen[0] == ("double", 0, 100)
    assert seen[-1] == ("double", 100, 100)


def test_a_map_without_jobs_starts_no_cluster(engine: DaskEngine) -> None:
    assert engine.map(jobs.double, [], label="none") == []
    assert engine.address == ""


def test_a_jobs_error_arrives_as_itself_and_the_engine_lives_on(engine: DaskEngine) -> None:
    with pytest.raises(CorruptError, match=r"job:3.*broken.*mend it"):
        engine.map(jobs.fail_at_three, range(8), label="fail")
    assert engine.map(jobs.double, [1], label="after") == [2]


def test_a_worker_killed_during_its_job_costs_nothing(engine: DaskEngine, tmp_path: Path) -> None:
    def murder() -> None:
        soon(lambda: pids(tmp_path))
        os.kill(pids(tmp_path)[0], signal.SIGKILL)
        (tmp_path / "killed").write_text("")

    murderer = threading.Thread(target=murder)
    murderer.start()
    work = [(tmp_path, number) for number in range(20)]
    assert engine.map(jobs.wait_for_murder, work, label="murder") == list(range(20))
    murderer.join(LIMIT_S)
    assert (tmp_path / "killed").exists()
    assert not psutil.pid_exists(pids(tmp_path)[0])


def test_a_job_that_kills_every_worker_is_named(engine: DaskEngine) -> None:
    with pytest.raises(InputError, match=r"deadly\[1\]"):
        engine.map(jobs.kill_own_worker, range(2), label="deadly")


def test_the_cluster_is_gone_right_after_the_block(settings: Settings) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with dask_engine(settings) as engine:
        engine.map(jobs.double, range(4), label="double")
        began = time.monotonic()
    assert time.monotonic() - began < 4
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert [p for p in left if "spawn_main" in " ".join(p.cmdline())] == []


def test_workers_die_with_their_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=env)
    try:
        soon(lambda: len(pids(tmp_path)) == 2)
        workers = [psutil.Process(pid) for pid in pids(tmp_path)]
    finally:
        parent.kill()
        parent.wait(LIMIT_S)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


def test_a_remote_cluster_does_the_same_work(settings: Settings, remote: tuple[str, int]) -> None:
    with dask_engine(settings.model_copy(update={"dask_address": remote[0]})) as engine:
        assert engine.map(jobs.double, range(20), label="double") == [2 * n for n in range(20)]
        assert engine.address == remote[0]


def test_a_killed_scheduler_ends_the_map_with_its_address(
    settings: Settings, remote: tuple[str, int], tmp_path: Path
) -> None:
    address, pid = remote
    killed_at = []

    def murder() -> None:
        soon(lambda: pids(tmp_path))
        os.kill(pid, signal.SIGKILL)
        killed_at.append(time.monotonic())

    murderer = threading.Thread(target=murder)
    murderer.start()
    work = [(tmp_path, number) for number in range(4)]
    far = settings.model_copy(update={"dask_address": address})
    with dask_engine(far) as engine, pytest.raises(UnavailableError, match=rf"{address}.*lost"):
        engine.map(jobs.tell_and_sleep, work, label="sleep")
    assert time.monotonic() - killed_at[0] < 2 * dask.LOST_TIMEOUT_S


def test_an_address_where_nobody_listens_is_named(settings: Settings) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    far = settings.model_copy(update={"dask_address": address})
    with dask_engine(far) as engine, pytest.raises(UnavailableError, match=rf"{address}.*unset"):
        engine.map(jobs.double, [1], label="double")


def test_a_scheduler_without_workers_is_named(
    settings: Settings, scheduler: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "WORKER_TIMEOUT_S", 1.0)
    far = settings.model_copy(update={"dask_address": scheduler[0]})
    with dask_engine(far) as engine, pytest.raises(UnavailableError, match="dask worker tcp"):
        engine.map(jobs.double, [1], label="double")
