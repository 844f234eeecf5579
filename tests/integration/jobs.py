"""Jobs that Dask workers import: some of them die, wait or leave traces."""

import os
import signal
import time
from pathlib import Path

from storage.errors import CorruptError

WAIT_S = 120.0
POLL_S = 0.01


def double(job: int) -> int:
    return 2 * job


def fail_at_three(job: int) -> int:
    if job == 3:
        raise CorruptError("broken", item=f"job:{job}", way_out="mend it")
    return job


def kill_own_worker(job: int) -> int:
    if job == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def wait_for_murder(job: tuple[Path, int]) -> int:
    """Job 3 tells its process id and goes on only after that process was killed."""
    folder, number = job
    if number == 3 and not (folder / "killed").exists():
        tell_pid(folder)
        wait_for(folder / "killed")
        raise AssertionError("the killed process went on")
    return number


def tell_and_sleep(job: tuple[Path, int]) -> int:
    folder, number = job
    tell_pid(folder)
    wait_for(folder / "never")
    return number


def tell_pid(folder: Path) -> None:
    temporary = folder / f"{os.getpid()}.tmp"
    temporary.write_text("")
    temporary.rename(folder / f"{os.getpid()}.pid")


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(POLL_S)
