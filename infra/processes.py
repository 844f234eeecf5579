"""Processes by identity: a process id alone may belong to somebody else by now."""

import psutil

CLOCK_TOLERANCE_S = 1.0


def is_alive(pid: int, started: float) -> bool:
    """Say whether the process lives that had this id and was started at this time."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < CLOCK_TOLERANCE_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
