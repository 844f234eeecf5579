"""Everything sound is proven; whatever was changed is found and named."""

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path

import pytest

from storage.errors import NotFoundError
from tasks.provenance.verification.verify import verify_all, verify_answer


def nodes(report):
    return [problem.node for problem in report.problems]


def flip(path: Path, place: int = -5) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def blob_file(stored, sha):
    return Path(stored.home.blobs_url) / sha[:2] / f"{sha}.zst"


def table_file(stored, table, path):
    return Path(stored.home.tables_url) / table / path


def test_an_answer_is_proven_from_the_original_bytes(stored):
    report = verify_answer(stored.answer_id, stored.home)
    assert (report.citations_ok, report.citations_checked, report.problems) == (4, 4, ())


def test_everything_is_proven(stored):
    report = verify_all(stored.home)
    assert report.problems == ()
    assert (report.chunks_ok, report.chunks_checked, report.chunks_mapped) == (4, 4, 3)
    assert report.blobs_checked == len(list(stored.home.blobs.ids()))
    assert report.parts_checked == 6


def test_a_report_is_json(stored):
    value = json.loads(json.dumps(asdict(verify_all(stored.home))))
    assert (value["ok"], value["subject"], value["problems"]) == (True, "all", [])


def test_an_unknown_answer_is_not_found(stored):
    with pytest.raises(NotFoundError, match=stored.answer_id):
        verify_answer("zz", stored.home)


@pytest.mark.parametrize("name", ["plain.md", "page.html", "old.txt", "paper.pdf"])
@pytest.mark.parametrize("column", ["doc_id", "text_id"])
def test_a_changed_blob_is_named_by_both(stored, name, column):
    sha = getattr(stored.citations[name], column)
    flip(blob_file(stored, sha))
    assert nodes(verify_all(stored.home)) == [f"blob:{sha}"]
    report = verify_answer(stored.answer_id, stored.home)
    assert (nodes(report)[0], report.citations_ok) == (f"blob:{sha}", 3)


def test_a_missing_blob_is_named(stored):
    sha = stored.citations["paper.pdf"].doc_id
    stored.home.blobs.delete(sha)
    assert nodes(verify_all(stored.home)) == [f"blob:{sha}"]


@pytest.mark.parametrize("place", [-5, 5, 300])
@pytest.mark.parametrize("table", ["documents", "chunks"])
def test_a_changed_part_is_named(stored, table, place):
    path = stored.home.table(table).live()[0].path
    flip(table_file(stored, table, path), place)
    assert nodes(verify_all(stored.home))[0] == f"part:{table}/{path}"


def test_a_missing_part_is_named(stored):
    path = stored.home.table("chunks").live()[0].path
    table_file(stored, "chunks", path).unlink()
    assert nodes(verify_all(stored.home)) == [f"part:chunks/{path}"]


@pytest.mark.parametrize("place", [3, -5])
def test_a_changed_commit_of_the_log_is_named(stored, place):
    path = "_delta_log/00000000000000000001.json"
    flip(table_file(stored, "chunks", path), place)
    assert f"part:chunks/{path}" in nodes(verify_all(stored.home))


def test_a_changed_index_file_is_named(stored):
    flip(stored.home.index_store.current().path / "vectors.bin")
    assert nodes(verify_all(stored.home)) == [f"index:{stored.index}/vectors.bin"]


@pytest.mark.parametrize(
    ("statement", "node"),
    [
        ("UPDATE answer_span SET licence = 'MIT' WHERE ordinal = 2", "answer_span/01ANSWER|2"),
        ("UPDATE answer SET question = 'x'", "answer/01ANSWER"),
    ],
)
def test_a_changed_row_of_the_ledger_is_named_by_both(stored, statement, node):
    with sqlite3.connect(stored.home.ledger_url.removeprefix("sqlite:///")) as connection:
        connection.execute(statement)
    assert nodes(verify_all(stored.home)) == [f"ledger:{node}"]
    assert nodes(verify_answer(stored.answer_id, stored.home)) == [f"ledger:{node}"]


def test_a_part_that_no_recorded_run_committed_is_named(stored):
    chunks = stored.home.table("chunks")
    rows = chunks.scan().collect().to_arrow().slice(0, 1)
    chunks.commit([chunks.write_part("foreign", rows, {"spec": "s1"})], run_id="nobody")
    assert "part:chunks/spec=s1/foreign.parquet" in nodes(verify_all(stored.home))


def test_a_part_of_a_run_that_goes_on_is_no_problem(stored):
    chunks, ledger = stored.home.table("chunks"), stored.home.ledger
    ledger.start_run("r2", "features", {})
    rows = chunks.scan().collect().to_arrow().slice(0, 1)
    chunks.commit([chunks.write_part("new", rows, {"spec": "s1"})], run_id="r2")
    report = verify_all(stored.home)
    assert (report.problems, report.counts["unrecorded_files"]) == ((), 2)


def test_a_sample_reads_only_so_many_documents(stored):
    report = verify_all(stored.home, sample=1)
    assert (report.chunks_checked, report.chunks_ok, report.problems) == (1, 1, ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start": 13}, "another hash"),
        ({"quote_sha256": "0" * 64}, "another hash"),
        ({"a_start": 1}, "not the cited bytes"),
        ({"src_start": 15}, "the original range is (14, 26), not (15, 26)"),
        ({"chunk_id": "none"}, "not in the chunks table"),
        ({"end": 10_000}, "outside the text"),
        ({"text_id": "0" * 64}, "cannot be read"),
    ],
)
def test_a_citation_that_does_not_hold_says_why(stored, add_answer, changes, reason):
    report = verify_answer(add_answer(**changes), stored.home)
    assert report.citations_ok == 3
    assert reason in " ".join(problem.reason for problem in report.problems)


def test_a_citation_of_a_chunk_of_another_document_is_refused(stored, add_answer):
    other = stored.citations["page.html"].chunk_id
    report = verify_answer(add_answer(chunk_id=other), stored.home)
    assert [problem.reason for problem in report.problems] == [
        f"chunk:{other}: belongs to another document"
    ]


def test_a_paraphrase_need_not_equal_the_cited_bytes(stored, add_answer):
    report = verify_answer(add_answer(grade="cited", a_start=1), stored.home)
    assert report.problems == ()
