"""A purge takes rows out of every version of a table, and may be killed anywhere."""

import json
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import purging, table_log
from storage.errors import NotFoundError
from storage.purging import affected_parts, matching_rows, purge_rows
from storage.schemas import CHUNKS, QUARANTINE
from storage.snapshots import record_purge, record_snapshot
from tasks.provenance.verification.report import Tally
from tasks.provenance.verification.stored import check_table
from tests.fakes import Killed, new_home

BY = "revocation:r1"
SECRET = "a very particular sentence"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A home with a table of five versions, which no test changes."""
    home = new_home(tmp_path_factory.mktemp("filled"))
    table = home.table("chunks")
    for number in range(3):
        table.commit([part(table, f"p{number}", (f"keep{number}", "fine"))], run_id="r")
    table.commit([part(table, "mixed", ("keep9", "fine"), ("gone1", SECRET))], run_id="r")
    table.commit([part(table, "doomed", ("gone2", SECRET))], run_id="r")
    home.ledger.head()
    return home


@pytest.fixture
def home(tmp_path):
    return new_home(tmp_path)


@pytest.fixture
def table(filled, home):
    shutil.copytree(filled.root, home.root, dirs_exist_ok=True)
    return home.table("chunks")


def part(table, name, *rows):
    values = [
        {"spec": "s1", "chunk_id": doc, "doc_id": doc, "text": text, "text_sha": doc}
        for doc, text in rows
    ]
    return table.write_part(
        name, pa.Table.from_pylist(values, schema=CHUNKS.schema), {"spec": "s1"}
    )


def keys(*docs):
    return pl.DataFrame({"doc_id": list(docs)})


GONE = keys("gone1", "gone2")


def docs(table, version=None):
    return sorted(table.scan(version).select("doc_id").collect()["doc_id"])


def holders(folder: Path, needle: bytes) -> list[str]:
    """Name the files that hold some bytes, also inside compressed Parquet."""
    found = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".parquet" and not path.name.endswith("checkpoint.parquet"):
            data += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        if needle in data:
            found.append(path.name)
    return found


def test_the_rows_are_gone_and_all_others_are_left(table):
    assert (matching_rows(table, GONE), len(affected_parts(table, GONE))) == (2, 2)
    purge = purge_rows(table, GONE, run_id="r", by=BY)
    assert (purge.rows, purge.parts) == (2, 2)
    assert docs(table) == ["keep0", "keep1", "keep2", "keep9"]


def test_no_file_holds_the_values_any_more(table):
    folder = Path(table.root_url)
    assert holders(folder, SECRET.encode())
    purge_rows(table, GONE, run_id="r", by=BY)
    assert holders(folder, SECRET.encode()) == []
    assert holders(folder, b"gone1") == []


def test_the_log_of_merges_with_least_and_greatest_values_goes_too(home):
    table = home.table("quarantine")
    row = {"source": "s", "blob_id": "", "reason": "r", "expectation": ""}
    for detail in (SECRET, "fine"):
        rows = [{**row, "uri": f"file:///{detail}", "detail": detail}]
        table.merge(pa.Table.from_pylist(rows, schema=QUARANTINE.schema), run_id="r")
    folder = Path(table.root_url)
    assert "00000000000000000001.json" in holders(folder, SECRET.encode())
    purge_rows(table, pl.DataFrame({"uri": [f"file:///{SECRET}"]}), run_id="r", by=BY)
    assert holders(folder, SECRET.encode()) == []
    assert table.scan().collect().height == 1


def test_a_second_purge_of_the_same_rows_changes_nothing(table):
    version = purge_rows(table, GONE, run_id="r", by=BY).version
    again = purge_rows(table, GONE, run_id="r", by=BY)
    assert (again.rows, again.files, again.version) == (0, 0, version)


def test_the_table_goes_on_after_a_purge(table):
    version = purge_rows(table, GONE, run_id="r", by=BY).version
    table.commit([part(table, "new", ("later", "fine"))], run_id="r2")
    table.merge(table.scan().head(1).collect().to_arrow().cast(CHUNKS.schema), run_id="r2")
    assert table.version() == version + 1
    assert docs(table) == ["keep0", "keep1", "keep2", "keep9", "later"]
    assert table.replayed(table.version()) == {part.path for part in table.live()}
    assert docs(table, version) == ["keep0", "keep1", "keep2", "keep9"]


def test_reading_a_purged_version_says_by_what_it_was_purged(table):
    with_secret = table.version()
    base = purge_rows(table, GONE, run_id="r", by=BY).version
    with pytest.raises(NotFoundError, match=rf"purged by {BY}.*left is {base}"):
        table.scan(with_secret)


def test_a_second_revocation_names_itself_for_its_own_versions(table):
    first = purge_rows(table, GONE, run_id="r", by=BY).version
    purge_rows(table, keys("keep0"), run_id="r", by="revocation:r2")
    with pytest.raises(NotFoundError, match="purged by revocation:r1"):
        table.scan(first - 1)
    with pytest.raises(NotFoundError, match="purged by revocation:r2"):
        table.scan(first)
    assert docs(table) == ["keep1", "keep2", "keep9"]


def test_what_a_killed_run_left_of_the_rows_goes_and_other_leftovers_stay(table):
    part(table, "orphan-doomed", ("gone1", SECRET))
    kept = part(table, "orphan", ("keep5", "fine"))
    purge_rows(table, GONE, run_id="r", by=BY)
    assert holders(Path(table.root_url), SECRET.encode()) == []
    assert table.files.exists(kept.path)


def test_a_table_without_such_rows_keeps_its_history(table):
    before = table.version()
    assert purge_rows(table, keys("nobody"), run_id="r", by=BY).files == 0
    assert (table.version(), table.purges().base) == (before, -1)
    assert docs(table, 1) == ["keep0"]


def test_an_absent_table_has_nothing_to_purge(home):
    assert purge_rows(home.table("vectors"), keys("x"), run_id="r", by=BY).version == -1


@pytest.mark.parametrize("step", ["_rewrite", "_delete_files", "_cut_log"])
@pytest.mark.parametrize("done", [False, True])
def test_a_killed_purge_is_completed_by_the_next_one(table, monkeypatch, step, done):
    real = getattr(purging, step)

    def die(*args):
        if done:
            real(*args)
        raise Killed(step)

    with monkeypatch.context() as patch:
        patch.setattr(purging, step, die)
        with pytest.raises(Killed):
            purge_rows(table, GONE, run_id="r", by=BY)
    purge_rows(table, GONE, run_id="r", by=BY)
    assert holders(Path(table.root_url), SECRET.encode()) == []
    assert docs(table) == ["keep0", "keep1", "keep2", "keep9"]
    assert table.purges().pending == ""
    assert table_log.older_files(table.files, table.purges().base) == []


class TestVerification:
    """What was purged is not missing; what is missing without a purge is."""

    @pytest.fixture
    def purged(self, home, table):
        record_snapshot(home, "chunks", "r")
        purge_rows(table, GONE, run_id="r2", by=BY)
        record_purge(home, "chunks", "r2", BY)
        record_snapshot(home, "chunks", "r2")
        return table

    def check(self, home):
        tally = Tally("all")
        check_table(home, "chunks", tally)
        return [problem.node for problem in tally.report().problems]

    def test_a_purged_table_is_sound(self, home, purged):
        assert self.check(home) == []
        assert home.ledger.verify() == []

    def test_purged_versions_are_recorded_as_such(self, home, purged):
        row = home.ledger.get("artifact", "snap:chunks@5")
        assert (row["status"], json.loads(row["params"])["purged_by"]) == ("purged", BY)
        edges = home.ledger.up(BY)
        assert "part:chunks/spec=s1/doomed.parquet" in {edge.src for edge in edges}

    def test_recording_twice_changes_nothing(self, home, purged):
        head = home.ledger.head()
        assert record_purge(home, "chunks", "r2", BY) == 0
        record_snapshot(home, "chunks", "r2")
        assert home.ledger.head() == head

    def test_a_purged_file_that_came_back_is_found(self, home, purged):
        part(purged, "doomed", ("gone2", SECRET))
        assert self.check(home) == ["part:chunks/spec=s1/doomed.parquet"]

    def test_a_changed_base_is_found(self, home, purged):
        table_log.write_purges(purged.files, table_log.Purges())
        assert "table:chunks" in self.check(home)

    def test_a_changed_base_checkpoint_is_found(self, home, purged):
        base = purged.log_files(purged.version())[0].path
        path = Path(purged.root_url) / base
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        assert f"part:chunks/{base}" in self.check(home)

    def test_a_commit_that_was_cut_off_without_a_purge_is_missing(self, home, table):
        record_snapshot(home, "chunks", "r")
        (Path(table.root_url) / "_delta_log" / f"{2:020d}.json").unlink()
        assert f"part:chunks/_delta_log/{2:020d}.json" in self.check(home)

    def test_the_same_part_may_come_back_later(self, home, purged):
        purged.commit([part(purged, "doomed", ("gone2", SECRET))], run_id="r3")
        record_snapshot(home, "chunks", "r3")
        assert self.check(home) == []
