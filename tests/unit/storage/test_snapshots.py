"""Snapshots write down what a table held, once, and catch up after a kill."""

import pyarrow as pa
import pytest

from storage.home import Home
from storage.ledger import Edge
from storage.schemas import DOCUMENTS
from storage.snapshots import REVISION, newest_only, record_snapshot


@pytest.fixture
def home(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    return Home(
        str(tmp_path / "blobs"), str(tmp_path / "tables"), url, tmp_path / "indexes", tmp_path
    )


def merge(home, *uris, **changes):
    row = {"source": "s", "doc_id": "d", "version": 1, "status": "live", "trust": 0.5, **changes}
    rows = pa.Table.from_pylist([{**row, "uri": uri} for uri in uris], schema=DOCUMENTS.schema)
    return home.table("documents").merge(rows, run_id="r")


def test_an_absent_table_has_no_snapshot(home):
    snapshot = record_snapshot(home, "documents", "r")
    assert (snapshot.node, snapshot.version, snapshot.n_rows) == ("", -1, 0)
    assert home.ledger.counts()["log"] == 0


def test_a_snapshot_records_root_files_log_and_documents(home):
    merge(home, "a", "b")
    snapshot = record_snapshot(home, "documents", "r")
    assert (snapshot.node, snapshot.n_rows) == ("snap:documents@1", 2)
    assert home.ledger.get("artifact", snapshot.node)["sha256"] == snapshot.root
    assert snapshot.root == home.table("documents").root()
    live = home.table("documents").parts()
    recorded = {part.path: part.sha256 for part in home.ledger.parts("documents")}
    assert {part.path: part.sha256 for part in live}.items() <= recorded.items()
    assert len(recorded) == len(live) + 2
    assert home.ledger.counts()["doc_source"] == 2


def test_the_same_version_again_changes_nothing(home):
    merge(home, "a")
    first, head = record_snapshot(home, "documents", "r"), home.ledger.head()
    assert record_snapshot(home, "documents", "r2") == first
    assert home.ledger.head() == head


def test_two_versions_made_before_a_call_are_both_covered(home):
    merge(home, "a")
    merge(home, "b", status="gone")
    record_snapshot(home, "documents", "r")
    assert home.ledger.get("doc_source", "d|s|b")["status"] == "gone"
    assert {p.path for p in home.table("documents").log_files(2)} <= {
        p.path for p in home.ledger.parts("documents")
    }


def test_a_snapshot_is_a_revision_of_the_one_recorded_before_and_leads_to_its_run(home):
    merge(home, "a")
    record_snapshot(home, "documents", "r1")
    merge(home, "b")
    merge(home, "c")
    node = record_snapshot(home, "documents", "r2").node
    edges = [(e.dst, e.src, e.rel) for e in home.ledger.up(node) if e.dst.startswith("snap:")]
    assert edges == [
        ("snap:documents@1", "run:r1", "generated"),
        (node, "run:r2", "generated"),
        (node, "snap:documents@1", "wasRevisionOf"),
    ]


def test_what_lies_only_behind_older_versions_can_be_left_out():
    made = Edge("index:i", "snap:t@2", "wasDerivedFrom")
    newest = Edge("snap:t@2", "run:2", "generated")
    older = Edge("snap:t@1", "run:1", "generated")
    both = [Edge("snap:t@1", "source:s", "hadMember"), Edge("snap:t@2", "source:s", "hadMember")]
    edges = [made, Edge("snap:t@2", "snap:t@1", REVISION), older, newest, *both]
    assert newest_only("index:i", edges) == [made, newest, both[1]]
    loop = Edge("run:2", "index:i", "used")
    assert newest_only("index:i", [made, newest, loop]) == [made, newest, loop]


def test_equal_rows_have_equal_roots_however_they_were_written(home, tmp_path):
    other = Home(
        str(tmp_path), str(tmp_path / "o"), f"sqlite:///{tmp_path}/o.db", tmp_path, tmp_path
    )
    merge(home, "a", "b", run_id="x")
    for uri in ("b", "a"):
        merge(other, uri, run_id="y")
    roots = {record_snapshot(one, "documents", "r").root for one in (home, other)}
    assert len(roots) == 1
