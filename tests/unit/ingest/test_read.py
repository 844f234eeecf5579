"""Rows, compressed files, licences and remote files as raw documents."""

import csv
import gzip
import http.server
import io
import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from storage.digest import sha256_hex
from storage.records import Item
from tasks.ingest.connectors import list_items
from tasks.ingest.failures import BadInput
from tasks.ingest.read import read_item
from tasks.ingest.sources import SourceSpec

ROWS = [
    {
        "id": "a/1",
        "text": "first\ntext",
        "title": "One",
        "license": "MIT",
        "date": "2024-05-06",
        "n": 1,
    },
    {"id": "b", "text": '第二，引号"', "title": "", "license": "", "date": "", "n": 2},
]


def read(path: Path, **spec):
    source = SourceSpec(name="s", locations=(str(path),), **spec)
    return [found for item in list_items(source).items for found in read_item(item, source)]


def as_jsonl() -> bytes:
    return "\n".join(json.dumps(row) for row in ROWS).encode()


def as_csv(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode(encoding)


def as_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("r.jsonl", as_jsonl()),
        ("r.ndjson", b"\xef\xbb\xbf" + as_jsonl() + b"\n"),
        ("r.csv", as_csv()),
        ("semicolon.csv", as_csv(";")),
        ("r.tsv", as_csv("\t")),
        ("bom.csv", as_csv(encoding="utf-8-sig")),
        ("wide.csv", as_csv(encoding="utf-16")),
        ("gbk.csv", as_csv(encoding="gb18030")),
        ("r.parquet", as_parquet()),
        ("r.jsonl.gz", gzip.compress(as_jsonl(), mtime=0)),
        (
            "two.jsonl.gz",
            gzip.compress(as_jsonl()[:80], mtime=0) + gzip.compress(as_jsonl()[80:], mtime=0),
        ),
        ("r.csv.zst", zstandard.compress(as_csv())),
        ("r.parquet.zst", zstandard.compress(as_parquet())),
    ],
)
def test_rows_become_documents_with_their_fields_and_their_place(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    one, two = read(path)
    assert [one.data.decode(), two.data.decode()] == [row["text"] for row in ROWS]
    assert [one.uri, two.uri] == [f"{path.as_uri()}#a/1", f"{path.as_uri()}#b"]
    assert (one.title, one.declared_licence, one.declared_evidence) == ("One", "MIT", "declared")
    assert (two.declared_licence, two.declared_evidence) == ("", "none")
    assert one.published_at == datetime(2024, 5, 6, tzinfo=UTC)
    assert one.container_id == sha256_hex(data)
    assert one.locator.startswith(("line=1", "row=1"))
    assert one.meta["n"] == "1"


def test_the_caller_names_other_columns(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"Quote": "words", "key": 7, "who": "MIT", "text": "not this"}\n')
    (document,) = read(path, text_field="quote", id_field="key", licence_field="who")
    assert (document.data, document.declared_licence) == (b"words", "MIT")
    assert document.uri.endswith("#7")


def test_rows_without_ids_are_numbered(tmp_path):
    (tmp_path / "r.csv").write_text("text\nx\ny\n")
    assert [document.uri.partition("#")[2] for document in read(tmp_path)] == ["1", "2"]


def test_a_row_that_names_its_file_takes_its_kind_of_markup(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"path": "doc/x.rst", "text": "A\\n=\\n"}\n')
    assert read(tmp_path)[0].mime == "text/x-rst"


@pytest.mark.parametrize("name", ["LICENSE", "COPYING", "licence.txt"])
def test_the_nearest_licence_file_above_a_document_speaks_for_it(tmp_path, name):
    root = tmp_path / "docs"
    (root / "a" / "b").mkdir(parents=True)
    (tmp_path / "LICENSE").write_text("outside the location")
    (root / "LICENSE").write_text("of the root")
    (root / "a" / name.replace("licence", "LICENCE")).write_text("of a")
    (root / "a" / "b" / "x.md").write_text("text")
    (root / "y.md").write_text("text")
    found = {document.uri[-4:]: document for document in read(root) if document.uri.endswith("md")}
    assert (found["x.md"].declared_licence, found["x.md"].declared_evidence) == ("of a", "file")
    assert found["y.md"].declared_licence == "of the root"


def test_the_callers_licence_goes_before_a_file_and_after_the_documents_own(tmp_path):
    (tmp_path / "LICENSE").write_text("a file")
    (tmp_path / "r.jsonl").write_text('{"text": "x"}\n{"text": "y", "license": "MIT"}\n')
    assert [d.declared_licence for d in read(tmp_path, licence="CC0-1.0")] == ["CC0-1.0", "MIT"]


@pytest.mark.parametrize(
    "head",
    [
        '<link rel="license" href="https://x.org/by/4.0/">',
        "<link href='https://x.org/by/4.0/' rel=license>",
        '<meta name="dcterms.license" content="https://x.org/by/4.0/">',
        '<a class=x rel="license" href="https://x.org/by/4.0/">terms</a>',
    ],
)
def test_a_page_states_its_own_licence(tmp_path, head):
    (tmp_path / "p.html").write_text(f"<html>{head}<p>text")
    (document,) = read(tmp_path)
    assert document.declared_licence == "https://x.org/by/4.0/"
    assert document.declared_evidence == "declared"


@pytest.mark.parametrize(
    ("name", "data", "mime"),
    [
        ("page", b"<!DOCTYPE html><p>x", "text/html"),
        ("notes", b"words", "text/plain"),
        ("notes.log", gzip.compress(b"words", mtime=0), "text/plain"),
    ],
)
def test_a_named_file_without_a_known_suffix_is_sniffed(tmp_path, name, data, mime):
    (tmp_path / name).write_bytes(data)
    (document,) = read(tmp_path / name)
    assert document.mime == mime


def test_an_unknown_file_that_is_parquet_gives_its_rows(tmp_path):
    (tmp_path / "table").write_bytes(as_parquet())
    assert len(read(tmp_path / "table")) == 2


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one page, one table, one error, and one address that never answers."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        pages = {"/p.html?v=1": b"<p>page</p>", "/r.jsonl": as_jsonl()}
        if self.path == "/slow.txt":
            self.server.stop.wait(30)
        body = pages.get(self.path, b"")
        self.send_response(200 if body else 500 if self.path == "/error.txt" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def website():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.stop = threading.Event()
    server.handle_error = lambda *_: None  # a client that gave up is what is tested
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


def remote(url: str, **spec):
    source = SourceSpec(name="s", locations=(url,), **spec)
    return list(read_item(Item(source="s", uri=url, kind="file"), source))


def test_pages_and_tables_are_read_over_http(website):
    (page,) = remote(f"{website}/p.html?v=1")
    assert (page.mime, page.data) == ("text/html", b"<p>page</p>")
    assert len(remote(f"{website}/r.jsonl")) == 2


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/missing.txt", "file.vanished"),
        ("/error.txt", "remote.unreachable"),
        ("/slow.txt", "remote.unreachable"),
    ],
)
def test_a_remote_failure_is_a_reject_within_its_time(website, path, reason):
    (bad,) = remote(website + path, timeout_s=1)
    assert isinstance(bad, BadInput)
    assert bad.reason == reason


def test_a_server_that_is_not_there_is_a_reject():
    (bad,) = remote("http://127.0.0.1:9/x.txt", timeout_s=1)
    assert bad.reason == "remote.unreachable"


def test_a_remote_object_over_the_limit_is_not_copied(website):
    (bad,) = remote(f"{website}/p.html?v=1", max_item_bytes=5)
    assert bad.reason == "file.too_large"
