"""Bytes are found wherever they lie under a folder, in whatever compression."""

import gzip
import html
import json
import sqlite3
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.blobs import BlobStore
from storage.byte_search import search_file, search_folder
from storage.fingerprints import (
    MOST_WINDOWS,
    WINDOW,
    Fingerprints,
    fingerprint,
    spellings,
    stride_for,
)

TEXT = (
    "The quick brown “fox” & the lazy dog\nread “Über die Pumpe” 水是湿的，火是热的。石头很硬。\n"
    * 3
)
DATA = TEXT.encode()
WANTED = fingerprint(spellings(DATA))
OTHER = bytes(np.random.default_rng(5).integers(0, 256, 5000, dtype=np.uint8))


def places(folder, wanted=WANTED, **options):
    return [place.path for place in search_folder(folder, wanted, **options).places]


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path, compression="zstd")


WRITERS = {
    "plain": lambda path: path.write_bytes(OTHER + DATA + OTHER),
    "temporary file of a killed run": lambda path: path.with_suffix(".tmp").write_bytes(DATA),
    "blob": lambda path: BlobStore(str(path)).put(OTHER + DATA),
    "gzip": lambda path: path.write_bytes(gzip.compress(OTHER + DATA)),
    "json": lambda path: path.write_text(json.dumps({"a": TEXT})),
    "html": lambda path: path.write_text(f"<p>{html.escape(TEXT)}</p>"),
    "parquet": lambda path: parquet(path, text=["x", TEXT, TEXT]),
    "parquet dictionary": lambda path: parquet(path, text=pa.array([TEXT] * 9).dictionary_encode()),
    "parquet of lists": lambda path: parquet(path, text=[["x"], [TEXT]]),
}


@pytest.mark.parametrize("form", WRITERS)
def test_a_copy_is_found(form, tmp_path):
    WRITERS[form](tmp_path / "file")
    assert len(places(tmp_path)) == 1


def test_a_copy_in_an_archive_is_found(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", OTHER + DATA)
    assert places(tmp_path) == ["a.zip"]


def test_a_row_deleted_from_a_database_is_found_until_its_page_is_gone(tmp_path):
    with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as database:
        database.execute("PRAGMA secure_delete=OFF")
        database.execute("CREATE TABLE t (text)")
        database.execute("INSERT INTO t VALUES (?)", [TEXT])
        database.execute("DELETE FROM t")
        assert places(tmp_path) == ["a.db"]
        database.execute("PRAGMA secure_delete=ON")
        database.execute("VACUUM")
        assert places(tmp_path) == []


def test_vectors_are_found_in_a_file_of_floats(tmp_path):
    vectors = np.random.default_rng(1).standard_normal((20, 96)).astype(np.float32)
    wanted = fingerprint(row.tobytes() for row in vectors[[3]])
    np.save(tmp_path / "with.npy", vectors)
    np.save(tmp_path / "without.npy", np.delete(vectors, 3, axis=0))
    parquet(tmp_path / "rows.parquet", v=pa.FixedSizeListArray.from_arrays(vectors.ravel(), 96))
    assert places(tmp_path, wanted) == ["rows.parquet", "with.npy"]


@pytest.mark.parametrize("start", range(0, 40, 3))
def test_any_copy_of_the_least_length_is_found(start, tmp_path):
    piece = DATA[start : start + WANTED.least_bytes]
    (tmp_path / "a").write_bytes(OTHER + piece + OTHER)
    assert places(tmp_path) == ["a"]


def test_other_bytes_are_not_found(tmp_path):
    (tmp_path / "a").write_bytes(OTHER * 100)
    (tmp_path / "b").write_text("The quick brown bear" * 10)
    found = search_folder(tmp_path, WANTED)
    assert (found.places, found.files, found.n_bytes) == ((), 2, 500_200)


def test_a_copy_across_the_border_of_blocks_is_found(tmp_path):
    (tmp_path / "a").write_bytes(bytes((8 << 20) - 20) + DATA[:40])
    assert places(tmp_path) == ["a"]


def test_ruled_lines_are_no_fingerprints():
    assert len(fingerprint([b"-" * 500, b" " * 500, b"=-" * 300, b"short"])) == 0


def test_left_out_folders_and_links_are_not_searched(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a").write_bytes(DATA)
    (tmp_path / "link").symlink_to(tmp_path / "models" / "a")
    assert places(tmp_path, leave_out=["models"]) == []
    assert places(tmp_path) == ["models/a"]


def test_what_something_else_holds_too_can_be_left_out():
    left = WANTED.without(WANTED.found(DATA[:100]))
    assert not left.within(DATA[:100])
    assert left.within(DATA[100:])


def test_fingerprints_survive_storage_and_hold_no_byte_of_the_text(tmp_path):
    (tmp_path / "f.npz").write_bytes(WANTED.to_bytes())
    again = Fingerprints.from_bytes((tmp_path / "f.npz").read_bytes())
    assert np.array_equal(again.found(DATA), WANTED.found(DATA))
    assert places(tmp_path) == []


def test_two_keys_give_different_fingerprints():
    assert not set(fingerprint([DATA]).hashes) & set(fingerprint([DATA]).hashes)


def test_the_stride_grows_with_the_text():
    assert stride_for(1000) == 8
    assert stride_for(100 * MOST_WINDOWS) == 100


def test_a_damaged_file_is_searched_as_it_lies(tmp_path):
    (tmp_path / "a").write_bytes(b"\x28\xb5\x2f\xfd" + DATA)
    (tmp_path / "b").write_bytes(b"PAR1" + OTHER)
    assert places(tmp_path) == ["a"]
    assert search_file(tmp_path / "b", WANTED)[0] == 5004


def test_a_file_shorter_than_a_window_holds_nothing(tmp_path):
    (tmp_path / "a").write_bytes(DATA[: WINDOW - 1])
    (tmp_path / "empty").touch()
    assert places(tmp_path) == []
