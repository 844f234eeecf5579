"""Laws of the blob store."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.blobs import BlobStore
from storage.errors import CorruptError

CONTENT = st.one_of(
    st.binary(max_size=300), st.builds(bytes.__mul__, st.binary(max_size=9), st.integers(0, 400))
)


@pytest.fixture(scope="module")
def store():
    with tempfile.TemporaryDirectory() as folder:
        yield BlobStore(folder)


def stored(store, sha):
    return Path(store.url) / sha[:2] / f"{sha}.zst"


@given(content=CONTENT)
def test_what_is_put_comes_back_and_twice_is_once(store, content):
    assert store.get(store.put(content)) == content
    assert store.put(content) == store.put(bytes(content))


@given(content=CONTENT, place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_stored_file_is_found(store, content, place, bit):
    sha = store.put(content)
    whole = stored(store, sha).read_bytes()
    changed = bytearray(whole)
    changed[place % len(whole)] ^= 1 << bit
    stored(store, sha).write_bytes(changed)
    with pytest.raises(CorruptError, match=f"blob:{sha}"):
        store.get(sha)
    stored(store, sha).write_bytes(whole)


@given(content=CONTENT, length=st.integers(min_value=0))
def test_any_cut_of_the_stored_file_is_found(store, content, length):
    sha = store.put(content)
    whole = stored(store, sha).read_bytes()
    stored(store, sha).write_bytes(whole[: length % len(whole)])
    assert store.check(sha).node == f"blob:{sha}"
    stored(store, sha).write_bytes(whole)
