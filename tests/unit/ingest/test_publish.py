"""What a batch of read documents changes in the documents table."""

from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from storage.schemas import DOCUMENTS
from tasks.ingest.publish import known_documents, plan_change, plan_gone, rejects_of


class OwnCluster:
    def assign(self, doc_id, signature):
        return doc_id


def row(uri, doc_id, source="docs"):
    return {
        "source": source,
        "uri": uri,
        "doc_id": doc_id,
        "n_bytes": 3,
        "mime": "text/plain",
        "text_id": doc_id,
        "origin": "identity",
        "licence": "MIT",
        "licence_evidence": "declared",
        "trust": 0.5,
        "sensitivity": [],
        "signature": b"",
        "fetched_at": datetime(2026, 1, 1, tzinfo=UTC),
    }


def table(*changes):
    merged = {}
    for change in changes:
        for entry in change.rows.to_pylist():
            merged[tuple(entry[name] for name in DOCUMENTS.key)] = entry
    return pl.DataFrame(pa.Table.from_pylist(list(merged.values()), schema=DOCUMENTS.schema)).lazy()


def state(frame):
    return {
        (r["uri"], r["doc_id"]): (r["version"], r["status"]) for r in frame.collect().to_dicts()
    }


EMPTY = pl.DataFrame(DOCUMENTS.schema.empty_table()).lazy()


def test_a_first_document_is_live_at_version_one():
    change = plan_change(EMPTY, [row("a", "1")], OwnCluster(), "run")
    assert (change.new, change.changed, change.returned, change.fresh) == (1, 0, 0, True)
    assert state(table(change)) == {("a", "1"): (1, "live")}


def test_a_changed_document_supersedes_the_old_version_which_stays():
    first = plan_change(EMPTY, [row("a", "1")], OwnCluster(), "run")
    second = plan_change(table(first), [row("a", "2")], OwnCluster(), "run")
    assert (second.changed, second.fresh) == (1, False)
    assert state(table(first, second)) == {("a", "1"): (1, "superseded"), ("a", "2"): (2, "live")}


def test_an_old_content_that_comes_back_becomes_the_newest_version():
    first = plan_change(EMPTY, [row("a", "1")], OwnCluster(), "run")
    second = plan_change(table(first), [row("a", "2")], OwnCluster(), "run")
    third = plan_change(table(first, second), [row("a", "1")], OwnCluster(), "run")
    assert third.returned == 1
    assert state(table(first, second, third)) == {
        ("a", "1"): (3, "live"),
        ("a", "2"): (2, "superseded"),
    }


def test_a_removed_document_is_marked_gone_and_keeps_its_version_when_it_returns():
    first = plan_change(EMPTY, [row("a", "1"), row("b", "2")], OwnCluster(), "run")
    gone = plan_gone(table(first), "docs", seen=["b"], rejected=[], in_scope=lambda uri: True)
    assert [(r["uri"], r["status"]) for r in gone.to_pylist()] == [("a", "gone")]
    after = pl.concat([pl.DataFrame(gone), table(first).collect().filter(pl.col("uri") == "b")])
    back = plan_change(after.lazy(), [row("a", "1")], OwnCluster(), "run")
    assert state(table(back)) == {("a", "1"): (1, "live")}


def test_an_item_that_cannot_be_read_today_is_not_gone():
    change = plan_change(EMPTY, [row("f.jsonl#1", "1"), row("g", "2")], OwnCluster(), "run")
    gone = plan_gone(
        table(change), "docs", seen=[], rejected=["f.jsonl", "g"], in_scope=lambda uri: True
    )
    assert gone.num_rows == 0


def test_nothing_is_gone_below_a_folder_that_could_not_be_listed():
    change = plan_change(
        EMPTY, [row("file:///d/x/a", "1"), row("file:///d/b", "2")], OwnCluster(), "r"
    )
    scope = {"seen": [], "in_scope": lambda uri: True}
    gone = plan_gone(table(change), "docs", rejected=["file:///d/x/"], **scope)
    assert gone["uri"].to_pylist() == ["file:///d/b"]
    assert plan_gone(table(change), "docs", rejected=["source:docs"], **scope).num_rows == 0


def test_documents_outside_the_scope_and_of_other_sources_are_left_alone():
    rows = [row("a", "1"), row("b", "2", source="other")]
    change = plan_change(EMPTY, rows, OwnCluster(), "run")
    gone = plan_gone(table(change), "docs", seen=[], rejected=[], in_scope=lambda uri: uri != "a")
    assert gone.num_rows == 0


def test_the_same_uri_in_two_sources_has_versions_of_its_own():
    first = plan_change(EMPTY, [row("a", "1")], OwnCluster(), "run")
    second = plan_change(table(first), [row("a", "1", source="other")], OwnCluster(), "run")
    assert (second.new, second.returned) == (1, 0)
    assert known_documents(table(first, second), "other") == {"a": "1"}


def test_a_row_that_fails_validation_becomes_a_reject_with_its_expectation():
    (reject,) = rejects_of([(0, "expect_x", "trust", 7)], [row("a", "1")])
    assert (reject.uri, reject.blob_id, reject.expectation) == ("a", "1", "expect_x")
    assert "trust = '7'" in reject.detail
