"""The Engine on Dask: a cluster of our own for the length of a flow, or any scheduler by address."""

import asyncio
import logging
import os
import queue
import signal
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from infra.progress import Report, silent
from infra.settings import QUIET, Settings
from storage.errors import InputError, SuyuanError, UnavailableError

T = TypeVar("T")
J = TypeVar("J")

CONNECT_TIMEOUT_S = 10.0
START_TIMEOUT_S = 120.0
WORKER_TIMEOUT_S = 120.0
"""How long a scheduler may be without any worker."""
LOST_TIMEOUT_S = 10.0
"""How long the connection to a scheduler may be down."""
SILENCE_TIMEOUT_S = 3600.0
"""How long a single job may take: no result at all for this long ends the map."""
TICK_S = 1.0
FETCH_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 1.0
JOBS_PER_WORKER = 4
RETRIES = 2


class DaskEngine:
    """Maps jobs over a Dask cluster, which it connects to or starts at the first map.

    At most JOBS_PER_WORKER jobs per worker are in flight, so memory does not grow with the number
    of jobs. A job whose worker dies runs again on another one.
    """

    def __init__(self, settings: Settings, progress: Report = silent) -> None:
        self._settings = settings
        self._progress = progress
        self._cluster: Any = None
        self._client: Any = None

    @property
    def address(self) -> str:
        """Address of the scheduler, or "" while none is in use."""
        return self._client.scheduler.address if self._client else ""

    def map(self, function: Callable[[J], T], jobs: Sequence[J], *, label: str) -> list[T]:
        """Apply function to every job; the results come in the order of the jobs.

        Raises the first error of a job as it is; InputError for a job that kills its workers;
        UnavailableError when the scheduler or all workers are gone.
        """
        if not jobs:
            return []
        self._progress(label, 0, len(jobs))
        results: dict[int, T] = {}
        with _Flight(self._connect(), function, jobs, label) as flight:
            for index, result in flight:
                results[index] = result
                self._progress(label, len(results), len(jobs))
        return [results[index] for index in range(len(jobs))]

    def close(self) -> None:
        """Disconnect; stop the cluster if it is ours, killing workers that are still busy."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        with suppress(TimeoutError, OSError):
            if client is not None:
                client.close(timeout=CLOSE_TIMEOUT_S)
        if cluster is not None:
            _stop(cluster)

    def _connect(self) -> Any:
        if self._client is None:
            if not self._settings.dask_address:
                self._cluster = _start(self._settings)
            address = self._settings.dask_address or self._cluster.scheduler_address
            self._client = _client(address)
        return self._client


@contextmanager
def dask_engine(settings: Settings, progress: Report = silent) -> Generator[DaskEngine]:
    """Give an Engine for the length of the block; without work in it no cluster is started."""
    engine = DaskEngine(settings, progress)
    try:
        yield engine
    finally:
        engine.close()


class _Flight:
    """The jobs of one map: keeps a bounded number in flight and watches the cluster."""

    def __init__(
        self, client: Any, function: Callable[[Any], Any], jobs: Sequence[Any], label: str
    ) -> None:
        self._client = client
        self._function = function
        self._jobs = jobs
        self._label = label
        self._prefix = f"{label}-{uuid.uuid4().hex[:12]}"  # never an earlier run's result
        self._done: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._futures: dict[int, Any] = {}
        self._next = 0

    def __enter__(self) -> Iterator[tuple[int, Any]]:
        return self._results()

    def __exit__(self, *_: object) -> None:
        """Cancel what is still in flight, after an error."""
        with suppress(TimeoutError, OSError):
            if self._futures and self._client.status == "running":
                self._client.cancel(list(self._futures.values()), force=True)
        self._futures.clear()

    def _results(self) -> Iterator[tuple[int, Any]]:
        window = JOBS_PER_WORKER * _wait_for_workers(self._client)
        for _ in range(min(window, len(self._jobs))):
            self._submit_next()
        while self._futures:
            index = self._wait()
            yield index, self._result(index)
            if self._next < len(self._jobs):
                self._submit_next()

    def _submit_next(self) -> None:
        index = self._next
        self._next += 1
        future = self._client.submit(
            self._function,
            self._jobs[index],
            key=f"{self._prefix}-{index}",
            retries=RETRIES,
            pure=False,
        )
        self._futures[index] = future
        future.add_done_callback(lambda _: self._done.put(index))

    def _wait(self) -> int:
        """Wait for the next finished job, looking after the cluster meanwhile."""
        watch = _Watch(self._client)
        while True:
            try:
                return self._done.get(timeout=TICK_S)
            except queue.Empty:
                watch.check(self._label)

    def _result(self, index: int) -> Any:
        from distributed import KilledWorker

        future = self._futures.pop(index)
        if future.status == "cancelled":
            raise _lost(self._client)
        if future.status != "error":
            return self._fetch(future)
        error = future.exception(timeout=CONNECT_TIMEOUT_S)
        if isinstance(error, KilledWorker):
            raise InputError(
                "the job killed every worker that tried it, out of memory most likely",
                item=f"{self._label}[{index}]",
                way_out="Raise SUYUAN_MEMORY_LIMIT, or take out the input that it works on",
            )
        raise error

    def _fetch(self, future: Any) -> Any:
        """Bring the result here; the job runs again if its worker died with the result."""
        watch = _Watch(self._client)
        while True:
            try:
                return future.result(timeout=FETCH_TIMEOUT_S)
            except TimeoutError:
                watch.check(self._label)
            except (OSError, asyncio.CancelledError) as error:
                raise _lost(self._client) from error


class _Watch:
    """Notices a lost scheduler, a cluster without workers, and a job that never ends."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._started = self._connected = self._staffed = time.monotonic()

    def check(self, label: str) -> None:
        """Raise UnavailableError when a limit has passed."""
        now = time.monotonic()
        if self._client.status == "running":
            self._connected = now
            if _count_workers(self._client):
                self._staffed = now
        if now - self._connected > LOST_TIMEOUT_S or self._client.status == "closed":
            raise _lost(self._client)
        if now - self._staffed > WORKER_TIMEOUT_S:
            raise _no_workers(_address(self._client))
        if now - self._started > SILENCE_TIMEOUT_S:
            raise UnavailableError(
                f"no job finished for {SILENCE_TIMEOUT_S:.0f} s",
                item=label,
                way_out="Look at the workers' logs, then run the flow again; it resumes",
            )


def _start(settings: Settings) -> Any:
    import dask
    from distributed import LocalCluster

    for name in ("distributed", "distributed.worker", "distributed.scheduler", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    dask.config.set(
        {
            "distributed.admin.large-graph-warning-threshold": "1GiB",
            # a restart on a busy machine takes longer than the default, 15 s, after which the
            # cluster would forget the worker for good
            "distributed.deploy.lost-worker-timeout": "15 minutes",
            # before the interpreter of a worker starts, so before NumPy reads it
            "distributed.nanny.pre-spawn-environ": {
                **dask.config.get("distributed.nanny.pre-spawn-environ"),
                **QUIET,
                "OMP_NUM_THREADS": "1",
                "DASK_LOGGING__DISTRIBUTED": "critical",
            },
        }
    )
    try:
        return LocalCluster(
            processes=True,
            n_workers=settings.workers,
            threads_per_worker=1,
            memory_limit=settings.memory_limit,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
            local_directory=str(settings.root / "dask"),
            timeout=START_TIMEOUT_S,
        )
    except (TimeoutError, OSError, RuntimeError) as error:
        raise UnavailableError(
            f"the local Dask cluster did not start: {error}",
            item=f"{settings.workers} workers",
            way_out="Set SUYUAN_WORKERS=1, and look for full memory or disk with `suyuan doctor`",
        ) from error


def _stop(cluster: Any) -> None:
    """Kill the workers and close the cluster: they hold nothing that a map has not returned."""
    _kill(list(cluster.workers.values()))
    with suppress(TimeoutError, asyncio.CancelledError, OSError, RuntimeError):
        cluster.close(timeout=CLOSE_TIMEOUT_S)


def _kill(nannies: list[Any]) -> None:
    for nanny in nannies:
        nanny.auto_restart = False
        worker = nanny.process and nanny.process.process
        if worker is not None and worker.pid:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)


def _client(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UnavailableError(
            f"no Dask scheduler answers within {CONNECT_TIMEOUT_S:.0f} s",
            item=address,
            way_out="Start it with `dask scheduler`, or unset SUYUAN_DASK_ADDRESS to use a "
            "cluster on this machine",
        ) from error


def _wait_for_workers(client: Any) -> int:
    try:
        client.wait_for_workers(1, timeout=WORKER_TIMEOUT_S)
    except TimeoutError as error:
        raise _no_workers(_address(client)) from error
    return max(_count_workers(client), 1)


def _count_workers(client: Any) -> int:
    try:
        info = client.sync(
            client.scheduler.identity, n_workers=-1, callback_timeout=CONNECT_TIMEOUT_S
        )
    except (OSError, TimeoutError):
        return 0
    return len(info["workers"])


def _address(client: Any) -> str:
    return str(client.scheduler.address) if client.scheduler else "scheduler"


def _lost(client: Any) -> SuyuanError:
    return UnavailableError(
        "the connection to the Dask scheduler was lost",
        item=_address(client),
        way_out="Start the scheduler again and run the flow again; finished parts are kept",
    )


def _no_workers(address: str) -> SuyuanError:
    return UnavailableError(
        f"the scheduler has had no worker for {WORKER_TIMEOUT_S:.0f} s",
        item=address,
        way_out=f"Start one with `dask worker {address}`",
    )
