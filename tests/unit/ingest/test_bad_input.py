"""Every bad input becomes one reject with its reason, and the good ones beside it are read."""

import gzip
import json
import multiprocessing
import os
import resource
import socket
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from storage.blobs import BlobStore
from tasks.ingest.connectors import list_items
from tasks.ingest.pipeline import IngestJob, read_batch
from tasks.ingest.sources import SourceSpec

GOOD = "A good file with a plain sentence in it.\n"


def ingest(folder: Path, tmp_path: Path, **spec):
    source = SourceSpec(name="s", locations=(str(folder),), **spec)
    listing = list_items(source)
    job = IngestJob(spec=source, blobs_url=str(tmp_path / "blobs"), items=listing.items)
    result = read_batch(job)
    rejects = {
        reject.uri.rpartition("/")[2]: reject for reject in (*listing.rejects, *result.rejects)
    }
    assert all(len(reject.detail) > 20 for reject in rejects.values())
    return [str(row["uri"]).rpartition("/")[2] for row in result.rows], rejects


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    place.mkdir()
    (place / "good.txt").write_text(GOOD)
    return place


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.txt", b"", "file.empty"),
        ("blank.md", b" \n\t\n", "file.empty"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "text.binary"),
        ("zeros.txt", bytes(5000), "text.binary"),
        ("noise.txt", b"word " + bytes(range(0x80, 0xA0)) * 9 + b"\xff\xfe\x81", "text.encoding"),
        ("tags.html", b"<p><b></b></p><script>x</script>", "text.blank"),
        ("cut.pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Cat", "pdf.broken"),
        ("cut.parquet", b"PAR1" + b"x" * 50, "parquet.broken"),
        ("empty.parquet", b"", "parquet.broken"),
        ("columns.csv", b"a,b\n1,2\n", "table.no_text_column"),
        ("empty.csv", b"", "file.empty"),
        ("binary.jsonl", bytes(range(32)) * 99, "text.binary"),
        (
            "cut.jsonl.gz",
            gzip.compress(b'{"text": "x"}\n' * 999, mtime=0)[:-12],
            "file.broken_compression",
        ),
        ("notgzip.txt.gz", b"plain", "file.broken_compression"),
        ("notzstd.csv.zst", b"plain", "file.broken_compression"),
        ("bomb.txt.gz", gzip.compress(b"x" * (40 << 20), mtime=0), "file.bomb"),
        ("bomb.jsonl.zst", zstandard.compress(b'{"text": "' + b"x" * (48 << 20)), "file.bomb"),
    ],
)
def test_a_bad_file_is_rejected_with_its_reason_and_bytes(folder, tmp_path, name, data, reason):
    (folder / name).write_bytes(data)
    rows, rejects = ingest(folder, tmp_path)
    assert "good.txt" in rows
    assert rejects[name].reason == reason
    if data and len(data) < 1 << 20:
        assert BlobStore(str(tmp_path / "blobs")).get(rejects[name].blob_id) == data


def test_a_file_over_the_limit_is_rejected_unread(folder, tmp_path):
    (folder / "big.txt").write_text("word " * 1000)
    rows, rejects = ingest(folder, tmp_path, max_item_bytes=4000)
    assert (rows, rejects["big.txt"].reason) == (["good.txt"], "file.too_large")


def test_a_vanished_file_is_rejected(folder, tmp_path):
    spec = SourceSpec(name="s", locations=(str(folder),))
    listing = list_items(spec)
    (folder / "good.txt").unlink()
    result = read_batch(IngestJob(spec=spec, blobs_url=str(tmp_path / "b"), items=listing.items))
    assert [reject.reason for reject in result.rejects] == ["file.vanished"]


def test_pipes_sockets_and_devices_are_rejected_and_never_block(folder, tmp_path, monkeypatch):
    os.mkfifo(folder / "pipe.txt")
    monkeypatch.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
        rows, rejects = ingest(folder, tmp_path)
    assert rows == ["good.txt"]
    assert {name: reject.reason for name, reject in rejects.items()} == {
        "pipe.txt": "file.not_regular",
        "socket.txt": "file.not_regular",
    }


def test_a_file_that_turns_into_a_pipe_after_listing_does_not_block(folder, tmp_path):
    spec = SourceSpec(name="s", locations=(str(folder),))
    listing = list_items(spec)
    (folder / "good.txt").unlink()
    os.mkfifo(folder / "good.txt")
    result = read_batch(IngestJob(spec=spec, blobs_url=str(tmp_path / "b"), items=listing.items))
    assert [reject.reason for reject in result.rejects] == ["file.not_regular"]


def test_links_in_a_circle_are_rejected_by_name_and_each_file_is_read_once(folder, tmp_path):
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "self").symlink_to("self")
    (folder / "copy.txt").symlink_to("good.txt")
    (folder / "gone.txt").symlink_to("nothing.txt")
    (folder / "etc").symlink_to("/etc")
    rows, rejects = ingest(folder, tmp_path)
    assert rows == ["good.txt"]
    assert {
        reject.uri.removeprefix(folder.as_uri()): reject.reason for reject in rejects.values()
    } == {
        "/sub/up": "path.symlink_loop",
        "/self": "path.symlink_loop",
        "/gone.txt": "file.vanished",
        "/etc/": "path.symlink_outside",
    }


def test_a_missing_location_is_rejected_and_the_others_are_listed(folder):
    spec = SourceSpec(name="s", locations=(str(folder), str(folder / "nowhere")))
    listing = list_items(spec)
    assert len(listing.items) == 1
    assert [reject.reason for reject in listing.rejects] == ["location.missing"]
    assert listing.rejects[0].uri == (folder / "nowhere").as_uri() + "/"


def reasons_as_nobody(folder: Path, pipe) -> None:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    spec = SourceSpec(name="s", locations=(str(folder),))
    listing = list_items(spec)
    blobs = folder / "open" / "blobs"
    result = read_batch(IngestJob(spec=spec, blobs_url=str(blobs), items=listing.items))
    found = [*listing.rejects, *result.rejects]
    pipe.send(sorted((reject.uri.rpartition("docs")[2], reject.reason) for reject in found))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which only root may")
def test_what_may_not_be_read_is_rejected(folder, tmp_path):
    for place in (tmp_path, *tmp_path.parents):
        if place.is_relative_to(tempfile.gettempdir()) and place != Path(tempfile.gettempdir()):
            place.chmod(0o755)
    warm = SourceSpec(name="s", locations=(str(folder),))  # the child may not read all of Python
    read_batch(IngestJob(spec=warm, blobs_url=str(tmp_path / "warm"), items=list_items(warm).items))
    (folder / "secret.txt").write_text(GOOD)
    (folder / "secret.txt").chmod(0)
    (folder / "closed").mkdir(mode=0o700)
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=reasons_as_nobody, args=(folder, there))
    child.start()
    there.close()
    assert here.poll(60)
    assert here.recv() == [
        ("/closed/", "folder.permission"),
        ("/secret.txt", "file.permission"),
    ]
    child.join(60)


def test_bad_json_lines_are_rejected_one_by_one(folder, tmp_path):
    lines = [
        b'{"id": "a", "text": "first"}',
        b'{"id": "b", "text":',
        b'{"id": "c", "text": "  "}',
        b'{"id": "d", "other": 1}',
        b"[1, 2]",
        b"[" * 100_000,
        b'{"id": "e", "text": "\\ud800"}',
        b'{"id": "f", "text": "\xff\xfe bad bytes"}',
        b'{"id": "a", "text": "again"}',
        b'{"id": "g", "text": "' + b"x" * 200_000 + b'"}',
        b"",
        b'{"id": "z", "text": "last"}',
    ]
    (folder / "rows.jsonl").write_bytes(b"\n".join(lines))
    rows, rejects = ingest(folder, tmp_path, max_record_bytes=150_000)
    assert rows == ["good.txt", "rows.jsonl#a", "rows.jsonl#z"]
    assert {name.partition("#")[2]: reject.reason for name, reject in rejects.items()} == {
        "2": "row.broken_json",
        "c": "row.no_text",
        "d": "row.no_text",
        "5": "row.broken_json",
        "6": "row.broken_json",
        "e": "text.encoding",
        "f": "text.encoding",
        "a@9": "row.duplicate_id",
        "10": "row.too_long",
    }
    stored = BlobStore(str(tmp_path / "blobs")).get(rejects["rows.jsonl#2"].blob_id)
    assert stored.strip() == lines[1]


def test_bad_csv_rows_are_rejected_one_by_one(folder, tmp_path):
    (folder / "t.csv").write_bytes(
        b'id,text\n1,"two\nlines"\n2\n3,"' + b"y" * 3000 + b'"\n4,' + b"z" * 3000 + b"\n5,last\n"
    )
    rows, rejects = ingest(folder, tmp_path, max_record_bytes=1000)
    assert rows == ["good.txt", "t.csv#1", "t.csv#5"]
    assert sorted(reject.reason for reject in rejects.values()) == [
        "row.broken_csv",
        "row.too_long",
        "row.too_long",
    ]


def test_bad_parquet_rows_are_rejected_and_a_cut_file_keeps_its_good_start(folder, tmp_path):
    texts = pa.array(["one", None, " ", "x" * 5000, "five"])
    pq.write_table(pa.table({"text": texts, "n": [1, 2, 3, 4, 5]}), folder / "t.parquet")
    rows, rejects = ingest(folder, tmp_path, max_record_bytes=4000)
    assert rows == ["good.txt", "t.parquet#1", "t.parquet#5"]
    assert {name.partition("#")[2]: reject.reason for name, reject in rejects.items()} == {
        "2": "row.no_text",
        "3": "row.no_text",
        "4": "row.too_long",
    }


def test_a_parquet_column_that_is_no_utf8_rejects_only_its_rows(folder, tmp_path):
    bad = pa.array([b"fine", b"\xff\xfe"]).cast(pa.string(), safe=False)
    table = pa.table({"text": pa.StringArray.from_buffers(2, bad.buffers()[1], bad.buffers()[2])})
    pq.write_table(table, folder / "t.parquet")
    rows, rejects = ingest(folder, tmp_path)
    assert rows == ["good.txt", "t.parquet#1"]
    assert rejects["t.parquet#2"].reason == "text.encoding"


def peak_of_long_line(path: Path, blobs: Path, pipe) -> None:
    spec = SourceSpec(name="s", locations=(str(path),), max_record_bytes=1 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    listing = list_items(spec)
    result = read_batch(IngestJob(spec=spec, blobs_url=str(blobs), items=listing.items))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send(
        (
            [row["locator"] for row in result.rows],
            [r.reason for r in result.rejects],
            after - before,
        )
    )


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_gigantic_line_is_skipped_in_bounded_memory(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    first, last = (b'{"text": "first"}\n', b'{"text": "last"}\n')
    if suffix == "csv":
        first, last = b"text\nfirst\n", b"last\n"
    with path.open("wb") as file:
        file.write(first + b"x" * (1 << 18))
        file.seek(128 << 20)  # a hole: takes no disk
        file.write(b"end of the line\n" + last)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=peak_of_long_line, args=(path, tmp_path / "blobs", there))
    child.start()
    assert here.poll(120)
    locators, reasons, grown_kib = here.recv()
    child.join(60)
    assert len(locators) == 2
    assert reasons == ["row.too_long"]
    assert grown_kib < 60 << 10


def test_deep_and_hostile_markup_does_not_fail(folder, tmp_path):
    (folder / "deep.html").write_text("<div>" * 100_000 + "word" + "</b>" * 100_000)
    (folder / "quote.html").write_text("<p>word</p>" + '<a x="' * 1001 + "<a <a " * 50_000)
    (folder / "comment.html").write_text("<p>word</p>" + "<!--" * 100_000 + "<nav>" * 20_000 + ">")
    rows, rejects = ingest(folder, tmp_path)
    assert rows == ["comment.html", "deep.html", "good.txt", "quote.html"]
    assert not rejects


def test_a_row_group_that_claims_too_much_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.ingest.read_parquet.MAX_GROUP_BYTES", 100)
    pq.write_table(pa.table({"text": ["word " * 100]}), folder / "t.parquet")
    _, rejects = ingest(folder, tmp_path)
    assert rejects["t.parquet"].reason == "file.bomb"


def test_rejects_do_not_repeat_a_row_as_a_document(folder, tmp_path):
    (folder / "rows.jsonl").write_text(json.dumps({"text": ["not", "text"]}))
    rows, rejects = ingest(folder, tmp_path)
    assert rows == ["good.txt"]
    assert [reject.reason for reject in rejects.values()] == ["row.no_text"]
