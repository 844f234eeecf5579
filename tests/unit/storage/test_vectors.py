"""An index is published whole or not at all, under the digest of its content."""

import os
import time

import pytest

from storage.errors import CorruptError, MissingError, NotFoundError
from storage.vectors import KEPT, IndexStore


@pytest.fixture
def store(tmp_path):
    return IndexStore(tmp_path / "indexes")


def publish(store, content, **manifest):
    staged = store.stage()
    (staged / "sub").mkdir()
    (staged / "sub" / "index.bin").write_bytes(content)
    return store.publish(staged, manifest)


def test_nothing_published_says_what_to_do(store):
    with pytest.raises(MissingError, match="suyuan index"):
        store.current()


def test_a_published_index_is_current(store):
    digest = publish(store, b"one", rows=3)
    index = store.current()
    assert (index.digest, index.manifest["rows"]) == (digest, 3)
    assert (index.path / "sub" / "index.bin").read_bytes() == b"one"


def test_the_digest_depends_on_content_and_manifest_only(store):
    first = publish(store, b"one", rows=3)
    assert publish(store, b"one", rows=3) == first
    assert len({first, publish(store, b"two", rows=3), publish(store, b"one", rows=4)}) == 3


def test_rollback_makes_an_older_index_current(store):
    old, _ = publish(store, b"old"), publish(store, b"new")
    assert store.rollback(old[:12]) == old == store.current().digest


def test_only_the_last_indexes_are_kept(store):
    digests = [publish(store, bytes([number])) for number in range(KEPT + 2)]
    assert {index.digest for index in store.published()} == set(digests[-KEPT:])


def test_the_current_index_is_kept_however_old_it_is(store):
    old = publish(store, b"old")
    for number in range(KEPT):
        publish(store, bytes([number]))
        store.rollback(old)
    assert store.current().digest == old


@pytest.mark.parametrize("digest", ["", "abc", "0" * 64])
def test_an_unknown_index_is_not_found(store, digest):
    publish(store, b"one")
    with pytest.raises(NotFoundError, match="There are"):
        store.open(digest)


def test_a_changed_file_is_named(store):
    digest = publish(store, b"one")
    (store.current().path / "sub" / "index.bin").write_bytes(b"One")
    assert [p.node for p in store.check(digest)] == [f"index:{digest}/sub/index.bin"]


def test_missing_and_added_files_are_named(store):
    digest = publish(store, b"one")
    path = store.current().path
    (path / "sub" / "index.bin").rename(path / "other.bin")
    reasons = {p.node.partition("/")[2]: p.reason for p in store.check(digest)}
    assert reasons == {"other.bin": "is not in the manifest", "sub/index.bin": "is missing"}


def test_a_changed_manifest_is_named(store):
    digest = publish(store, b"one", rows=3)
    manifest = store.current().path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"3", b"4"))
    with pytest.raises(CorruptError, match=r"manifest\.json"):
        store.current()
    assert len(store.check(digest)) == 1


def test_a_changed_name_of_the_current_index_is_found(store):
    assert store.check_current() == []
    publish(store, b"one")
    assert store.check_current() == []
    current = store.folder / "CURRENT"
    current.write_bytes(b"\xff" + current.read_bytes()[1:])
    assert [p.node for p in store.check_current()] == ["index:CURRENT"]


def test_publishing_again_repairs_a_damaged_index(store):
    digest = publish(store, b"one")
    (store.current().path / "sub" / "index.bin").write_bytes(b"broken")
    assert publish(store, b"one") == digest
    assert store.check(digest) == []


def test_an_empty_index_is_refused(store):
    with pytest.raises(ValueError, match="no file"):
        store.publish(store.stage(), {})


def test_a_build_that_died_is_swept_away_after_a_day(store):
    died, running = store.stage(), store.stage()
    os.utime(died, (time.time() - 90_000,) * 2)
    publish(store, b"one")
    assert (died.exists(), running.exists()) == (False, True)
