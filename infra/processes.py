"""Processes by identity: a process id alone may belong to somebody else by now."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

CLOCK_TOLERANCE_S = 1.0
STOP_TIMEOUT_S = 10.0
KILL_TIMEOUT_S = 5.0
MARK = "SUYUAN_STACK"
"""Variable that every process of a stack carries: the stack's home."""


def is_alive(pid: int, started: float) -> bool:
    """Say whether the process lives that had this id and was started at this time."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < CLOCK_TOLERANCE_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(
    command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, log: Path
) -> psutil.Process:
    """Start a process group that outlives this process, with its output in the log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return psutil.Process(child.pid)


def stop_groups(leaders: Sequence[tuple[int, float]], mark: str) -> int:
    """End processes (id, creation time) with their groups and descendants; give how many ended.

    Works when a leader is dead already: then only members of its group that carry the mark and
    are not older than the leader are touched.
    """
    return _stop(lambda: [p for pid, started in leaders for p in _members(pid, started, mark)])


def stop_marked(mark: str) -> int:
    """End every process that carries the mark, but never the calling one."""
    return _stop(lambda: [p for p in psutil.process_iter() if _carries(p, mark)])


def _stop(find: Callable[[], list[psutil.Process]]) -> int:
    """Send SIGTERM, then SIGKILL to what is left after STOP_TIMEOUT_S."""
    ended = set(find())
    _signal(ended, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(ended, timeout=STOP_TIMEOUT_S)
    stubborn = {*stubborn, *find()}  # with what was born meanwhile
    _signal(stubborn, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=KILL_TIMEOUT_S)
    return len(ended | stubborn)


def _members(pid: int, started: float, mark: str) -> list[psutil.Process]:
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            young = process.create_time() >= started - CLOCK_TOLERANCE_S
            if young and os.getpgid(process.pid) == pid and _carries(process, mark):
                found.add(process)
    if is_alive(pid, started):
        with suppress(psutil.Error):
            leader = psutil.Process(pid)
            found |= {leader, *leader.children(recursive=True)}
    return list(found)


def _carries(process: psutil.Process, mark: str) -> bool:
    with suppress(psutil.Error):
        return process.pid != os.getpid() and process.environ().get(MARK) == mark
    return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
