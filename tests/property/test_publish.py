"""Laws of document versions, for any history of a source."""

import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.schemas import DOCUMENTS
from tasks.ingest.publish import known_documents, plan_change, plan_gone

HISTORY = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), max_size=4), max_size=6
)


class OwnCluster:
    def assign(self, doc_id, signature):
        return doc_id


def frame(rows):
    return pl.DataFrame(pa.Table.from_pylist(list(rows.values()), schema=DOCUMENTS.schema)).lazy()


def apply(rows, listing):
    """Bring a table, held as a dict, to the state of one listing {uri: content}."""
    known = known_documents(frame(rows), "s")
    fresh = [
        {"source": "s", "uri": uri, "doc_id": doc, "signature": b""}
        for uri, doc in sorted(listing.items())
        if known.get(uri) != doc
    ]
    change = plan_change(frame(rows), fresh, OwnCluster(), "run")
    for entry in change.rows.to_pylist():
        rows[tuple(entry[name] for name in DOCUMENTS.key)] = entry
    gone = plan_gone(frame(rows), "s", seen=listing, rejected=[], in_scope=lambda uri: True)
    for entry in gone.to_pylist():
        rows[tuple(entry[name] for name in DOCUMENTS.key)] = entry
    return change.rows.num_rows + gone.num_rows


@settings(max_examples=25, deadline=None)
@given(HISTORY)
def test_the_live_documents_are_exactly_the_last_listing_and_nothing_is_lost(history):
    rows = {}
    ever = set()
    for listing in history:
        apply(rows, listing)
        ever |= set(listing.items())
        assert known_documents(frame(rows), "s") == listing
        assert {(uri, doc) for _, uri, doc in rows} == ever


@settings(max_examples=25, deadline=None)
@given(HISTORY)
def test_ingesting_the_same_listing_again_changes_nothing(history):
    rows = {}
    for listing in history:
        apply(rows, listing)
        assert apply(rows, listing) == 0


@settings(max_examples=25, deadline=None)
@given(HISTORY)
def test_versions_of_a_uri_are_distinct_and_the_live_one_is_the_newest(history):
    rows = {}
    for listing in history:
        apply(rows, listing)
    by_uri = {}
    for row in rows.values():
        by_uri.setdefault(row["uri"], []).append(row)
    for versions in by_uri.values():
        numbers = [row["version"] for row in versions]
        assert len(set(numbers)) == len(numbers)
        assert all(r["version"] == max(numbers) for r in versions if r["status"] == "live")
