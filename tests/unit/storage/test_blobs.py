"""Blobs come back as they were put, or not at all."""

import hashlib
import io
import os
import pickle
from pathlib import Path

import pytest
import zstandard

from storage import blobs
from storage.blobs import BlobStore
from storage.digest import sha256_hex
from storage.errors import CorruptError, MissingError, NotFoundError
from storage.files import explained


@pytest.fixture
def store(tmp_path):
    return BlobStore(str(tmp_path / "blobs"))


def stored_file(store, sha):
    return Path(store.url) / sha[:2] / f"{sha}.zst"


def test_a_blob_is_named_by_its_content(store):
    assert store.put(b"hello") == sha256_hex(b"hello")
    assert store.get(sha256_hex(b"hello")) == b"hello"


def test_the_same_content_is_written_once(store):
    sha = store.put(b"hello")
    before = stored_file(store, sha).stat().st_mtime_ns, stored_file(store, sha).stat().st_ino
    store.put(b"hello")
    file = stored_file(store, sha)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_a_file_left_empty_by_a_loss_of_power_is_written_again(store):
    sha = store.put(b"hello")
    stored_file(store, sha).write_bytes(b"")
    store.put(b"hello")
    assert store.get(sha) == b"hello"


def test_a_missing_blob_is_named(store):
    with pytest.raises(NotFoundError, match=f"blob:{'0' * 64}"):
        store.get("0" * 64)
    assert store.check("0" * 64).reason == "not in the blob store"


def test_a_name_that_is_no_digest_is_refused(store):
    with pytest.raises(ValueError, match="64 hex digits"):
        store.get("../../etc/passwd")


def test_a_valid_file_under_a_wrong_name_is_corrupt(store):
    one, two = store.put(b"one"), store.put(b"two")
    stored_file(store, two).write_bytes(stored_file(store, one).read_bytes())
    with pytest.raises(CorruptError, match=f"blob:{two}"):
        store.get(two)


def test_a_file_that_claims_a_huge_content_takes_no_memory(store, monkeypatch):
    sha = store.put(b"x")
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 20))
    stored_file(store, sha).write_bytes(blobs._GUARD + hashlib.sha256(bomb).digest() + bomb)
    monkeypatch.setattr(blobs, "MAX_BLOB_BYTES", 1 << 16)
    with pytest.raises(CorruptError, match="claims 1048576 bytes"):
        store.get(sha)


def test_ids_lists_blobs_and_nothing_else(store):
    names = {store.put(bytes([n])) for n in range(20)}
    stored_file(store, min(names)).with_name(".half.tmp").write_bytes(b"")
    stored_file(store, min(names)).with_name("notes.txt").write_bytes(b"")
    assert list(store.ids()) == sorted(names)


def test_delete_removes_and_may_be_repeated(store):
    sha = store.put(b"hello")
    store.delete(sha)
    store.delete(sha)
    assert not store.has(sha)


def test_the_files_are_readable_with_zstd_alone(store):
    sha = store.put(b"hello" * 100)
    reader = zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(stored_file(store, sha).read_bytes()), read_across_frames=True
    )
    assert reader.read() == b"hello" * 100


def test_a_store_survives_pickling(store):
    sha = store.put(b"hello")
    assert pickle.loads(pickle.dumps(store)).get(sha) == b"hello"


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="needs /dev/full")
def test_a_full_disk_is_a_clear_error():
    with (
        pytest.raises(MissingError, match=r"blob: no space left.*SUYUAN_HOME"),
        explained("blob"),
        Path("/dev/full").open("wb", buffering=0) as file,
    ):
        file.write(b"x")


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "blobs").write_bytes(b"")
    with pytest.raises(MissingError, match="SUYUAN_HOME"):
        BlobStore(str(tmp_path / "blobs")).put(b"x")
