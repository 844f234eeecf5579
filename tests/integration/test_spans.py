"""A span index survives kills at any point, and is read while it is compacted."""

import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.errors import UnavailableError
from storage.spans.index import Passage, SpanIndex

# not forked from here: what ran in this process before leaves threads and handlers of its own
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["storage.spans.writer", "storage.spans.reader", "pytest"])
KILLS = int(os.environ.get("SUYUAN_KILL_POINTS", "1")) * 10
LIMIT_S = 120
SEGMENT_UNITS = 3000
WORDS = [f"word{number}" for number in range(60)]
EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}


def passages():
    rng = random.Random(3)
    return [
        Passage(f"doc-{number}", " ".join(rng.choices(WORDS, k=400)).encode())
        for number in range(40)
    ]


def work(folder, kill_at=0, counted=None):
    """Add, tombstone, compact; die at one of the calls that touch the folder, or count them."""
    calls = itertools.count(1)

    def on_event(event, arguments):
        if event in EVENTS and str(folder) in str(arguments[0]) and next(calls) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(on_event)
    index = SpanIndex(folder, segment_units=SEGMENT_UNITS)
    index.add(passages())
    index.tombstone([passage.doc_id for passage in passages()[::3]])
    index.compact(purge=True)
    if counted:
        counted.send(next(calls) - 1)


def run(folder, kill_at=0, counted=None):
    """Work in a process of its own; give its exit code."""
    process = PROCESSES.Process(target=work, args=(folder, kill_at, counted))
    process.start()
    process.join(LIMIT_S)
    return process.exitcode


def answers(folder):
    index = SpanIndex(folder)
    return [index.trace(passage.text[:300], min_units=4) for passage in passages()]


@pytest.mark.slow
def test_a_writer_killed_at_any_point_leaves_a_whole_index_that_the_next_run_completes(tmp_path):
    calm, (receive, send) = tmp_path / "calm", PROCESSES.Pipe(duplex=False)
    assert run(calm, counted=send) == 0
    expected, documents = answers(calm), SpanIndex(calm).documents()
    for kill_at in sorted(random.Random(5).sample(range(1, receive.recv()), KILLS)):
        folder = tmp_path / str(kill_at)
        assert run(folder, kill_at) == -signal.SIGKILL
        index = SpanIndex(folder)
        assert index.verify() == []
        assert len(index.documents()) == len(index.live())
        assert run(folder) == 0
        assert answers(folder) == expected
        assert sorted(index.documents()) == sorted(documents)
        folders = {path.name for path in folder.iterdir() if path.is_dir()}
        assert folders == {entry.name for entry in index.segments()}


def test_readers_get_whole_answers_while_segments_are_joined_and_purged(tmp_path):
    index = SpanIndex(tmp_path / "spans", segment_units=10**6)
    docs = passages()
    for at in range(0, 40, 5):
        index.add(docs[at : at + 5])
    dead = [passage.doc_id for passage in docs[::3]]
    index.tombstone(dead)
    expected = answers(index.folder)
    stop = threading.Event()

    def read():
        rounds = 0
        while not stop.is_set() or not rounds:
            assert answers(index.folder) == expected
            rounds += 1
        return rounds

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            index.compact()
            index.compact(purge=True)
        finally:
            stop.set()
        assert all(reader.result(LIMIT_S) for reader in readers)
    assert not set(dead) & set(index.documents())


def test_two_writers_lose_nothing(tmp_path):
    index, docs = SpanIndex(tmp_path / "spans"), passages()
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(index.add, docs[at : at + 5]) for at in range(0, 40, 5)]
        assert all(run.result(LIMIT_S) for run in runs)
    assert sorted(index.documents()) == sorted(passage.doc_id for passage in docs)
    assert index.verify() == []


def test_a_writer_that_holds_the_lock_too_long_is_named(tmp_path, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr("storage.spans.index.LOCK_TIMEOUT_S", 0.05)
    with FileLock(tmp_path / ".lock"), pytest.raises(UnavailableError, match="another writer"):
        SpanIndex(tmp_path).add([Passage("a", b"text")])


def test_the_kernels_run_where_neither_the_tree_nor_the_home_can_be_written(tmp_path):
    script = (
        "import numpy as np\n"
        "from storage.spans.bits import pack, unpack\n"
        "assert unpack(pack(np.arange(9), 4), 4, 9).tolist() == list(range(9))\n"
    )
    only_given = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    env = {**os.environ, **only_given, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=LIMIT_S)
    assert list(tmp_path.glob("suyuan-numba-*/**/*.nbc"))
