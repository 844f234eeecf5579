"""The seam between algorithms and the machines that run them.

A step hands an Engine a function and a list of jobs. infra implements it on Dask; tests and
small inputs use the serial one.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
J = TypeVar("J")


class Engine(Protocol):
    """Runs independent jobs, in any order, and returns the results in the order of the jobs."""

    def map(self, function: Callable[[J], T], jobs: Sequence[J], *, label: str) -> list[T]:
        """Apply function to every job; both must be picklable. Raise the first job's error."""
        ...


class SerialEngine:
    """Runs jobs one after another in this process."""

    def map(self, function: Callable[[J], T], jobs: Sequence[J], *, label: str) -> list[T]:
        """Apply function to every job."""
        del label
        return [function(job) for job in jobs]
