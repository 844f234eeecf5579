"""Groups of real processes end whole, and nobody else does."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra import processes

pytestmark = pytest.mark.server
LEADER = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)
Start = Callable[[str], tuple[psutil.Process, psutil.Process]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a leader with one child that carry a mark."""
    started: list[psutil.Process] = []

    def run(mark: str) -> tuple[psutil.Process, psutil.Process]:
        log = tmp_path / f"{mark}.log"
        leader = processes.start(
            [sys.executable, "-c", LEADER],
            environment={**os.environ, processes.MARK: mark},
            cwd=tmp_path,
            log=log,
        )
        started.append(leader)
        while not log.read_text().endswith("\n"):
            assert leader.is_running()
        started.append(psutil.Process(int(log.read_text())))
        return leader, started[-1]

    yield run
    for process in started:
        if process.is_running():
            process.kill()


def gone(*members: psutil.Process) -> bool:
    return all(not processes.is_alive(p.pid, p._create_time or 0.0) for p in members)


def test_a_group_ends_whole_and_its_neighbour_lives(start: Start) -> None:
    leader, child = start("one")
    neighbour, _ = start("two")
    assert processes.stop_groups([(leader.pid, leader.create_time())], "one") == 2
    assert gone(leader, child)
    assert neighbour.is_running()


def test_the_child_of_a_killed_leader_is_found_and_ended(start: Start) -> None:
    leader, child = start("one")
    leader.kill()
    leader.wait(30)
    assert child.is_running()
    assert processes.stop_groups([(leader.pid, leader.create_time())], "one") == 1
    assert gone(child)


def test_a_process_with_a_reused_id_is_left_alone() -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        born = psutil.Process(stranger.pid).create_time()
        assert processes.stop_groups([(stranger.pid, born - 100)], "one") == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(30)


def test_every_process_with_the_mark_ends(start: Start) -> None:
    leader, child = start("one")
    other, _ = start("two")
    assert processes.stop_marked("one") == 2
    assert gone(leader, child)
    assert other.is_running()
