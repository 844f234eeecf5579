"""Blobs, tables and snapshots on a real S3 server."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

import polars as pl
import pyarrow as pa
import pytest

from storage.blobs import BlobStore
from storage.digest import sha256_hex
from storage.errors import CorruptError, NotFoundError
from storage.files import Files
from storage.home import Home
from storage.schemas import CHUNKS, QUARANTINE
from storage.snapshots import record_snapshot
from storage.tables import Table

pytestmark = pytest.mark.server

WRITERS = 3
ROUNDS = 5


def chunks(*names: str) -> pa.Table:
    rows = [{"spec": "s1", "chunk_id": name, "text_sha": name, "n_tokens": 1} for name in names]
    return pa.Table.from_pylist(rows, schema=CHUNKS.schema)


def rejects(*uris: str, detail: str) -> pa.Table:
    keys = {"source": "s", "blob_id": "", "reason": "r", "expectation": "", "detail": detail}
    rows = [{**keys, "uri": uri} for uri in uris]
    return pa.Table.from_pylist(rows, schema=QUARANTINE.schema)


def test_blobs_come_back_are_listed_and_are_deleted(s3_server):
    store = BlobStore(f"{s3_server}/blobs")
    names = {store.put(data) for data in (b"", b"one", b"one", "二".encode() * 1000)}
    assert set(store.ids()) == names
    assert store.get(store.put(b"one")) == b"one"
    store.delete(store.put(b"one"))
    with pytest.raises(NotFoundError, match="blob:"):
        store.get(sha256_hex(b"one"))


def test_a_changed_object_is_corrupt(s3_server):
    store = BlobStore(f"{s3_server}/blobs")
    sha = store.put(b"content" * 100)
    path = f"{sha[:2]}/{sha}.zst"
    stored = Files(store.url).read(path)
    Files(store.url).write(path, stored[:-1] + bytes([stored[-1] ^ 1]))
    with pytest.raises(CorruptError, match=sha):
        store.get(sha)


def test_parts_become_versions_and_old_versions_stay_readable(s3_server):
    table = Table(f"{s3_server}/tables/chunks", CHUNKS)
    assert table.version() == -1
    first = table.write_part("a", chunks("c1", "c2"), {"spec": "s1"})
    assert table.find_part("a", {"spec": "s1"}) == first
    version = table.commit([first], run_id="r1")
    second = table.write_part("b", chunks("c3"), {"spec": "s1"})
    assert table.commit([first, second], run_id="r2") == version + 1
    assert table.commit([first, second], run_id="r3") == version + 1
    assert table.scan().select(pl.len()).collect().item() == 3
    assert table.scan(version).select(pl.len()).collect().item() == 2
    assert table.parts() == [first, second]


def test_merge_replaces_by_key_in_one_version(s3_server):
    table = Table(f"{s3_server}/tables/quarantine", QUARANTINE)
    assert table.merge(rejects("a", "b", detail="old"), run_id="r") == 1
    assert table.merge(rejects("b", "c", detail="new"), run_id="r") == 2
    assert table.merge(rejects("b", "c", detail="new"), run_id="r") == 2
    rows = table.scan().select("uri", "detail").collect().sort("uri").rows()
    assert rows == [("a", "old"), ("b", "new"), ("c", "new")]


def test_writers_at_once_all_land(s3_server):
    table = Table(f"{s3_server}/tables/chunks", CHUNKS)
    start = Barrier(WRITERS)

    def commit_many(writer):
        for number in range(ROUNDS):
            start.wait(60)
            name = f"{writer}-{number}"
            table.commit([table.write_part(name, chunks(name), {"spec": "s1"})], run_id=str(writer))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(commit_many, range(WRITERS)))
    runs = [commit["run_id"] for commit in table.history()]
    assert table.scan().collect().height == WRITERS * ROUNDS
    assert sum(one != other for one, other in pairwise(runs)) > WRITERS


def test_snapshots_are_recorded(s3_server, tmp_path):
    home = Home(
        f"{s3_server}/blobs",
        f"{s3_server}/tables",
        f"sqlite:///{tmp_path}/l.db",
        tmp_path / "i",
        tmp_path,
    )
    home.table("quarantine").merge(rejects("a", detail="d"), run_id="r")
    snapshot = record_snapshot(home, "quarantine", "r")
    assert (snapshot.version, snapshot.n_rows) == (1, 1)
    assert len(home.ledger.parts("quarantine")) == 3
