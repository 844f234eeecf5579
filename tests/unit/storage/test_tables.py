"""Parts become versions, all or nothing."""

import pickle
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from storage.errors import CorruptError, NotFoundError
from storage.schemas import CHUNKS, QUARANTINE, TABLES, VECTORS
from storage.tables import Table


@pytest.fixture
def table(tmp_path):
    return Table(str(tmp_path / "chunks"), CHUNKS)


@pytest.fixture
def rejects(tmp_path):
    return Table(str(tmp_path / "quarantine"), QUARANTINE)


def chunks(*names):
    rows = [{"spec": "s1", "chunk_id": name, "text_sha": name, "n_tokens": 1} for name in names]
    return pa.Table.from_pylist(rows, schema=CHUNKS.schema)


def reject_rows(**details):
    keys = {"source": "s", "blob_id": "", "reason": "r", "expectation": ""}
    rows = [{**keys, "uri": uri, "detail": detail} for uri, detail in details.items()]
    return pa.Table.from_pylist(rows, schema=QUARANTINE.schema)


def write(table, name, *ids):
    return table.write_part(name, chunks(*ids), {"spec": "s1"})


def ids(table, version=None):
    return sorted(table.scan(version).select("chunk_id").collect()["chunk_id"])


def test_an_absent_table_is_empty_with_all_columns(table):
    assert (table.version(), table.exists(), table.parts()) == (-1, False, [])
    assert table.scan().collect().schema.names() == CHUNKS.schema.names


def test_a_part_that_no_commit_names_is_not_in_the_table(table):
    table.commit([write(table, "a", "c1")], run_id="r")
    write(table, "b", "c2")
    assert ids(table) == ["c1"]


def test_many_parts_are_one_version(table):
    parts = [write(table, f"p{n}", f"c{n}") for n in range(5)]
    before = table.commit([], run_id="r")
    assert table.commit(parts, run_id="r") == before + 1
    assert ids(table) == [f"c{n}" for n in range(5)]


def test_the_same_parts_again_make_no_version(table):
    part = write(table, "a", "c1")
    assert table.commit([part], run_id="r") == table.commit([part], run_id="r") == table.version()


def test_the_same_part_given_twice_is_in_the_table_once(table):
    part = write(table, "a", "c1")
    table.commit([part, part], run_id="r")
    assert ids(table) == ["c1"]


def test_equal_rows_give_equal_bytes(table):
    assert write(table, "a", "c1", "c2").sha256 == write(table, "b", "c1", "c2").sha256


def test_a_chunked_and_a_sliced_table_give_equal_bytes(table):
    whole = chunks("c1", "c2", "c3")
    pieces = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    first = table.write_part("a", whole, {"spec": "s1"})
    assert table.write_part("b", pieces, {"spec": "s1"}).sha256 == first.sha256


def test_a_left_part_is_found_with_its_digest(table):
    assert table.find_part("a", {"spec": "s1"}) is None
    part = write(table, "a", "c1")
    assert table.find_part("a", {"spec": "s1"}) == part


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-9], lambda d: b"", lambda d: d[:40] + b"\0" + d[41:]]
)
def test_a_damaged_part_is_not_found(table, damage):
    part = write(table, "a", *[f"c{n}" for n in range(100)])
    file = Path(table.root_url) / part.path
    file.write_bytes(damage(file.read_bytes()))
    assert table.find_part("a", {"spec": "s1"}) is None


def test_old_versions_stay_readable(table):
    first = table.commit([write(table, "a", "c1")], run_id="r")
    table.commit([write(table, "b", "c2")], run_id="r")
    assert (ids(table, first), ids(table)) == (["c1"], ["c1", "c2"])


def test_a_version_that_never_was_is_not_found(table):
    table.commit([write(table, "a", "c1")], run_id="r")
    with pytest.raises(NotFoundError, match="chunks@7"):
        table.scan(7)


def test_a_commit_says_which_run_and_root_made_it(table):
    table.commit([write(table, "a", "c1")], run_id="r1", root="abc")
    newest = table.history()[0]
    assert (newest["run_id"], newest["merkle_root"]) == ("r1", "abc")


@pytest.mark.parametrize("name", ["../a", "a b", "", "a/b", "ü"])
def test_a_name_that_is_no_file_name_is_refused(table, name):
    with pytest.raises(ValueError, match="file name"):
        table.write_part(name, chunks("c"), {"spec": "s1"})


def test_a_part_without_its_partition_is_refused(table):
    with pytest.raises(ValueError, match="partitioned"):
        table.write_part("a", chunks("c"))


def test_vectors_come_back_with_their_fixed_size(tmp_path):
    table = Table(str(tmp_path / "v"), VECTORS)
    values = pa.FixedSizeListArray.from_arrays(pa.array([0.5] * 768, pa.float32()), 384)
    rows = pa.table({"spec": ["s", "s"], "text_sha": ["a", "b"], "vector": values})
    table.commit([table.write_part("a", rows, {"spec": "s"})], run_id="r")
    assert table.scan().collect()["vector"].to_numpy().shape == (2, 384)


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)
def test_any_delta_reader_can_read_the_table(tmp_path, spec):
    table = Table(str(tmp_path / spec.name), spec)
    row = pa.Table.from_pylist([dict.fromkeys(spec.schema.names)], schema=spec.schema)
    partition = dict.fromkeys(spec.partition_by, "s")
    table.commit([table.write_part("a", row, partition)], run_id="r")
    assert pl.scan_delta(table.root_url).collect().columns == spec.schema.names


def test_merge_inserts_and_replaces_in_one_version(rejects):
    rejects.merge(reject_rows(a="old", b="old"), run_id="r")
    before = rejects.version()
    assert rejects.merge(reject_rows(b="new", c="new"), run_id="r") == before + 1
    rows = rejects.scan().select("uri", "detail").collect().sort("uri").rows()
    assert rows == [("a", "old"), ("b", "new"), ("c", "new")]


def test_merge_without_a_change_makes_no_version(rejects):
    version = rejects.merge(reject_rows(a="x"), run_id="r")
    assert rejects.merge(reject_rows(a="x"), run_id="r2") == version
    assert rejects.merge(reject_rows(), run_id="r3") == version


def test_merge_refuses_two_rows_of_one_key(rejects):
    rows = pa.concat_tables([reject_rows(a="1"), reject_rows(a="2")])
    with pytest.raises(ValueError, match="have the key"):
        rejects.merge(rows, run_id="r")


def test_merge_refuses_a_null_key(rejects):
    with pytest.raises(ValueError, match="null"):
        rejects.merge(pa.Table.from_pylist([{"source": "s"}], schema=QUARANTINE.schema), run_id="r")


def test_the_commits_alone_say_what_is_live(rejects):
    for number in range(4):
        rejects.merge(reject_rows(a=str(number), **{f"x{number}": ""}), run_id="r")
    for version in range(rejects.version() + 1):
        assert rejects.replayed(version) == {part.path for part in rejects.live(version)}


def test_known_digests_are_taken_over(table):
    part = write(table, "a", "c1")
    table.commit([part], run_id="r")
    assert table.parts(known={part.path: "given"})[0].sha256 == "given"


def test_an_unreadable_log_is_corrupt(table):
    table.commit([write(table, "a", "c1")], run_id="r")
    for file in (Path(table.root_url) / "_delta_log").glob("*.json"):
        file.write_text("{")
    with pytest.raises(CorruptError, match="Delta log"):
        table.version()


def test_a_table_survives_pickling(table):
    table.commit([write(table, "a", "c1")], run_id="r")
    assert ids(pickle.loads(pickle.dumps(table))) == ["c1"]
