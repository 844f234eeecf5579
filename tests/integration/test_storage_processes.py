"""Tables and blobs under kill -9 and under several writers at once, with real processes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pytest

from storage.blobs import BlobStore
from storage.schemas import CHUNKS, QUARANTINE
from storage.tables import Table

pytestmark = pytest.mark.slow

WAIT_S = 120
ROUNDS = 15

KILLED_WRITER = """
import sys, time
import pyarrow as pa
from storage.schemas import CHUNKS
from storage.tables import Table

table = Table(sys.argv[1], CHUNKS)
rows = [{"spec": "s1", "chunk_id": f"c{n}", "text_sha": "t", "n_tokens": 1} for n in range(1000)]
part = table.write_part("left", pa.Table.from_pylist(rows, schema=CHUNKS.schema), {"spec": "s1"})
print(part.sha256, flush=True)
time.sleep(600)
table.commit([part], run_id="killed")
"""

BUSY_WRITER = """
import os, sys
from storage.blobs import BlobStore

store = BlobStore(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    store.put(str(number).encode() * 20_000)
    number += 1
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    assert process.wait(WAIT_S) == -signal.SIGKILL


def chunks(*names: str) -> pa.Table:
    rows = [{"spec": "s1", "chunk_id": name, "text_sha": "t", "n_tokens": 1} for name in names]
    return pa.Table.from_pylist(rows, schema=CHUNKS.schema)


def rejects(uri: str) -> pa.Table:
    row = dict.fromkeys(("source", "uri", "blob_id", "reason", "expectation"), "x")
    return pa.Table.from_pylist([{**row, "uri": uri}], schema=QUARANTINE.schema)


def commit_many(url: str, writer: str, barrier, times) -> None:
    table = Table(url, CHUNKS)
    for number in range(ROUNDS):
        part = table.write_part(f"{writer}-{number}", chunks(f"{writer}-{number}"), {"spec": "s1"})
        with timed(barrier, times):
            table.commit([part], run_id=writer)


def merge_many(url: str, writer: str, barrier, times) -> None:
    table = Table(url, QUARANTINE)
    for number in range(ROUNDS):
        with timed(barrier, times):
            table.merge(rejects(f"{writer}-{number}"), run_id=writer)


@contextmanager
def timed(barrier, times):
    """Start a write together with the other writer, and tell when it began and ended."""
    barrier.wait(WAIT_S)
    began = time.monotonic()
    yield
    times.put((began, time.monotonic()))


def run_together(work, url: str, writers: list[str]) -> list[tuple[float, float]]:
    """Run the writers in processes of their own and give the interval of every write."""
    spawn = get_context("spawn")
    barrier, times = spawn.Barrier(len(writers)), spawn.Queue()
    processes = [spawn.Process(target=work, args=(url, name, barrier, times)) for name in writers]
    for process in processes:
        process.start()
    intervals = [times.get(timeout=WAIT_S) for _ in range(ROUNDS * len(writers))]
    for process in processes:
        process.join(WAIT_S)
    assert [process.exitcode for process in processes] == [0] * len(writers)
    return intervals


def overlapped(intervals: list[tuple[float, float]]) -> bool:
    """Whether some write began before another had ended; one writer's own never do."""
    return any(one[1] > two[0] for one, two in pairwise(sorted(intervals)))


def test_a_writer_killed_before_its_commit_leaves_a_valid_table_and_a_part_to_find(tmp_path):
    table = Table(str(tmp_path / "chunks"), CHUNKS)
    table.commit([table.write_part("a", chunks("a"), {"spec": "s1"})], run_id="r")
    before = table.version()
    writer = start(KILLED_WRITER, table.root_url)
    sha = writer.stdout.readline().strip()
    kill(writer)
    assert (table.version(), table.scan().collect().height) == (before, 1)
    left = table.find_part("left", {"spec": "s1"})
    assert left.sha256 == sha
    table.commit([left], run_id="again")
    assert table.scan().collect().height == 1001


def test_a_blob_writer_killed_at_any_moment_leaves_only_whole_blobs(tmp_path):
    store = BlobStore(str(tmp_path / "blobs"))
    for delay_ms in (1, 7, 20, 50, 120):
        writer = start(BUSY_WRITER, store.url)
        assert writer.stdout.readline() == "ready\n"
        deadline = time.monotonic() + delay_ms / 1000
        while time.monotonic() < deadline:
            pass
        kill(writer)
    names = list(store.ids())
    assert names != []
    assert [store.check(name) for name in names] == [None] * len(names)


@pytest.mark.parametrize(("work", "spec"), [(commit_many, CHUNKS), (merge_many, QUARANTINE)])
def test_two_writers_at_once_both_land(tmp_path, work, spec):
    table = Table(str(tmp_path / spec.name), spec)
    assert overlapped(run_together(work, table.root_url, ["one", "two"]))
    assert table.scan().collect().height == 2 * ROUNDS
    assert table.replayed(table.version()) == {part.path for part in table.live()}


def test_many_writers_of_the_same_blobs_agree(tmp_path):
    store = BlobStore(str(tmp_path / "blobs"))
    contents = [bytes([number]) * 5000 for number in range(50)]
    with get_context("spawn").Pool(3) as pool:
        names = pool.map(put_all, [(store, contents)] * 3)
    assert names[0] == names[1] == names[2]
    assert sorted(names[0]) == list(store.ids())


def put_all(job: tuple[BlobStore, list[bytes]]) -> list[str]:
    store, contents = job
    return [store.put(content) for content in contents]
