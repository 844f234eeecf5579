"""Documents and rows read from a real S3 server, and its failures."""

import io

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.ingest.connectors import list_items
from tasks.ingest.pipeline import IngestJob, read_batch
from tasks.ingest.sources import SourceSpec

pytestmark = pytest.mark.server


def test_a_prefix_is_listed_and_read(s3_server, tmp_path):
    table = io.BytesIO()
    pq.write_table(pa.table({"id": ["x", "y"], "text": ["one", "two"]}), table)
    fs, root = fsspec.core.url_to_fs(s3_server)
    files = {
        "a.md": b"# Title\n\nwords",
        "sub/r.parquet": table.getvalue(),
        "c.bin": b"\0",
        "e.txt": b"",
    }
    for name, data in files.items():
        fs.pipe(f"{root}/docs/{name}", data)
    spec = SourceSpec(name="s", locations=(f"{s3_server}/docs",), timeout_s=20)
    listing = list_items(spec)
    result = read_batch(IngestJob(spec=spec, blobs_url=str(tmp_path), items=listing.items))
    assert [row["uri"].removeprefix(s3_server) for row in result.rows] == [
        "/docs/a.md",
        "/docs/sub/r.parquet#x",
        "/docs/sub/r.parquet#y",
    ]
    assert [reject.reason for reject in result.rejects] == ["file.empty"]
    assert list_items(spec) == listing


def test_a_new_object_is_seen_by_the_next_listing(s3_server):
    spec = SourceSpec(name="s", locations=(f"{s3_server}/live/**/*.txt",), timeout_s=20)
    fs, root = fsspec.core.url_to_fs(s3_server)
    fs.pipe(f"{root}/live/one.txt", b"one")
    assert len(list_items(spec).items) == 1
    fs.pipe(f"{root}/live/two.txt", b"two")
    assert len(list_items(spec).items) == 2


def test_an_object_that_went_away_and_a_missing_bucket_are_rejects(s3_server):
    spec = SourceSpec(name="s", locations=(f"{s3_server}/gone/a.txt",), timeout_s=20)
    assert [reject.reason for reject in list_items(spec).rejects] == ["file.vanished"]
    missing = SourceSpec(name="s", locations=("s3://no-such-bucket-here/x",), timeout_s=20)
    assert [reject.reason for reject in list_items(missing).rejects] == ["file.vanished"]


def test_a_dead_endpoint_is_a_reject_within_its_time(s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fsspec.filesystem("s3").clear_instance_cache()
    spec = SourceSpec(name="s", locations=("s3://bucket/x",), timeout_s=2)
    (reject,) = list_items(spec).rejects
    assert reject.reason == "remote.unreachable"
