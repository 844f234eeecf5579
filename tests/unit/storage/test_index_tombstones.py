"""A revoked document is out of every search at once, before any index is rebuilt."""

import pytest

from storage.errors import CorruptError, MissingError
from storage.vectors import IndexStore


@pytest.fixture
def store(tmp_path):
    store = IndexStore(tmp_path / "indexes")
    for number in range(2):
        staged = store.stage()
        (staged / "data").write_text(str(number))
        store.publish(staged, {"n": number})
    return store


def test_a_tombstone_is_seen_by_whoever_opens_an_index(store):
    assert store.current().dead == frozenset()
    assert store.tombstone(["a", "b"]) == 2
    assert store.tombstone(["b", "c"]) == 1
    assert store.current().dead == {"a", "b", "c"}


def test_a_buried_document_has_no_tombstone_and_the_others_keep_theirs(store):
    store.tombstone(["a", "b"])
    store.bury(["a"])
    assert store.tombstones() == {"b"}
    store.bury(["b"])
    assert store.tombstones() == frozenset()


def test_a_damaged_list_of_tombstones_stops_every_search(store):
    store.tombstone(["a"])
    (store.folder / "TOMBSTONES.json").write_text("[")
    with pytest.raises(CorruptError, match="TOMBSTONES"):
        store.current()


def test_all_indexes_but_one_are_deleted(store):
    current = store.current().digest
    store.stage()
    (gone,) = store.drop_others(current)
    assert store.names() == [current[:32]]
    assert not gone.startswith(current[:32])
    assert not list(store.folder.glob(".staging-*"))


def test_with_none_to_keep_no_index_is_current(store):
    assert len(store.drop_others("")) == 2
    with pytest.raises(MissingError):
        store.current()
    assert store.check_current() == []
