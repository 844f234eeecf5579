"""What one worker makes of a batch: rows with stored bytes, unchanged documents, no repeats."""

import json
import pickle
from pathlib import Path

import pytest

from storage.blobs import BlobStore
from storage.schemas import DOCUMENTS
from tasks.ingest.connectors import list_items
from tasks.ingest.language import detect_language
from tasks.ingest.pipeline import IngestJob, read_batch
from tasks.ingest.sources import SourceSpec
from tasks.shared.layout import check_range, load_layout
from tests.pdf_file import pdf_file


def tag_licence(raw, extraction):
    return {"licence": "MIT", "licence_evidence": raw.declared_evidence, "licence_raw": "x"}


@pytest.fixture
def job(tmp_path: Path) -> IngestJob:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Title\n\nWords in English that say something.\n")
    (docs / "b.html").write_text("<title>Page</title><p>one &amp; two</p>")
    (docs / "c.txt").write_bytes("中文自然语言处理是计算机科学的一个重要分支。".encode("gb18030"))
    (docs / "d.pdf").write_bytes(pdf_file(["Text of a page."]))
    (docs / "e.jsonl").write_text('{"id": 1, "text": "a row", "tag": "x"}\n')
    spec = SourceSpec(name="s", locations=(str(docs),), licence="MIT", trust=0.7)
    return IngestJob(
        spec=spec,
        blobs_url=str(tmp_path / "blobs"),
        items=list_items(spec).items,
        taggers=(tag_licence,),
    )


def test_a_row_has_every_column_but_those_that_publishing_adds(job):
    later = {"version", "status", "cluster", "run_id"}
    for row in read_batch(job).rows:
        assert set(row) == set(DOCUMENTS.schema.names) - later


def test_stored_text_is_proven_against_stored_original(job):
    blobs = BlobStore(job.blobs_url)
    origins = {}
    for row in read_batch(job).rows:
        text = blobs.get(row["text_id"])
        layout = load_layout(blobs.get(row["layout_id"])) if row["layout_id"] else None
        origins[row["uri"].rpartition("/")[2]] = row["origin"]
        assert len(text) == row["text_bytes"]
        if row["origin"] != "extracted":
            assert check_range(blobs.get(row["doc_id"]), text, layout, 0, len(text)) == ""
    assert origins == {
        "a.md": "identity",
        "b.html": "mapped",
        "c.txt": "recoded",
        "d.pdf": "extracted",
        "e.jsonl#1": "identity",
    }


def test_titles_authors_languages_and_tags_are_filled(job):
    rows = {row["uri"].rpartition("/")[2]: row for row in read_batch(job).rows}
    assert [row["title"] for row in rows.values()] == [
        "Title",
        "Page",
        "c.txt",
        "d.pdf",
        "e.jsonl#1",
    ]
    assert rows["d.pdf"]["author"] == "Ada"
    assert (rows["a.md"]["language"], rows["c.txt"]["language"]) == ("en", "zh")
    assert rows["a.md"]["licence_evidence"] == "declared"
    assert rows["a.md"]["trust"] == 0.7
    assert json.loads(rows["e.jsonl#1"]["meta"]) == {"tag": "x"}


def test_known_documents_are_not_read_again_and_changed_ones_are(job):
    first = read_batch(job)
    known = {row["uri"]: row["doc_id"] for row in first.rows}
    again = read_batch(job.for_items(job.items, known))
    assert (again.rows, len(again.unchanged)) == ([], 5)
    changed = next(uri for uri in known if uri.endswith("a.md"))
    third = read_batch(job.for_items(job.items, {**known, changed: "other"}))
    assert [row["uri"] for row in third.rows] == [changed]


def test_a_job_takes_only_the_known_documents_of_its_items(job):
    known = {job.items[0].uri: "x", job.items[4].uri + "#1": "y", "file:///else": "z"}
    assert dict(job.for_items(job.items[4:], known).known) == {job.items[4].uri + "#1": "y"}


def test_without_lineage_nothing_is_tagged(job):
    bare = IngestJob(
        spec=job.spec, blobs_url=job.blobs_url, items=job.items, taggers=job.taggers, lineage=False
    )
    row = read_batch(bare).rows[0]
    assert (row["licence"], row["layout_id"], row["signature"]) == ("NOASSERTION", "", b"")


def test_jobs_and_results_travel_between_processes(job):
    assert pickle.loads(pickle.dumps(job)) == job
    result = read_batch(job)
    assert pickle.loads(pickle.dumps(result)) == result


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The quick brown fox jumps over the lazy dog near the river bank.", "en"),
        ("学而时习之，不亦说乎？", "zh"),
        ("臺灣的正體中文，使用 Python 3.11 與 pip install 的說明文件", "zh"),
        ("日本語の文章です。東京は日本の首都であり", "ja"),
        ("한국어 문장입니다. 서울은 수도이다", "ko"),
        ("Die größte Stadt Österreichs ist Wien und sie ist sehr schön.", "de"),
        ("Москва является столицей России и крупнейшим городом.", "ru"),
        ("x = 1", "und"),
        ("", "und"),
        ("123 456 --- ...", "und"),
    ],
)
def test_languages_are_told_apart(text, language):
    assert detect_language(text) == language
