"""Laws of revocation: any copy is found, nothing else is, and a purge removes exactly the rows."""

import tempfile
from pathlib import Path

import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.fingerprints import Fingerprints, fingerprint, spellings
from storage.purging import purge_rows
from storage.schemas import CHUNKS
from storage.tables import Table

PIECES = st.binary(min_size=40, max_size=300)
NAMES = st.sampled_from("abcdefgh")


@given(text=PIECES, before=st.binary(max_size=50), after=st.binary(max_size=50), data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_copy_long_enough_is_found_unless_it_is_too_uniform(text, before, after, data):
    wanted = fingerprint([text])
    start = data.draw(st.integers(0, len(text) - wanted.least_bytes))
    piece = text[start : start + wanted.least_bytes]
    windows = [piece[at : at + 24] for at in range(8)]
    if all(len(set(window)) >= 9 for window in windows):
        assert wanted.within(before + piece + after)


@given(text=PIECES, other=PIECES)
@settings(max_examples=40, deadline=None)
def test_what_is_left_out_is_not_found_and_what_is_stored_is_the_same(text, other):
    wanted = fingerprint([text])
    assert not wanted.without(wanted.found(text)).within(text)
    again = Fingerprints.from_bytes(wanted.to_bytes())
    assert list(again.found(other + text)) == list(wanted.found(other + text))
    shared = {text[at : at + 24] for at in range(len(text) - 23)} & {
        other[at : at + 24] for at in range(len(other) - 23)
    }
    assert wanted.within(other) <= bool(shared)


@given(text=st.text(max_size=200))
@settings(max_examples=30, deadline=None)
def test_the_first_spelling_is_the_text_itself(text):
    assert next(spellings(text.encode("utf-8", "surrogatepass"))) == text.encode(
        "utf-8", "surrogatepass"
    )


@given(
    parts=st.lists(st.lists(NAMES, min_size=1, max_size=4), min_size=1, max_size=3),
    gone=st.sets(NAMES, max_size=4),
)
@settings(max_examples=8, deadline=None)
def test_a_purge_removes_exactly_the_matching_rows(parts, gone):
    with tempfile.TemporaryDirectory() as folder:
        table = Table(str(Path(folder) / "chunks"), CHUNKS)
        for number, names in enumerate(parts):
            rows = [{"spec": "s", "chunk_id": name, "doc_id": name} for name in names]
            values = pa.Table.from_pylist(rows, schema=CHUNKS.schema)
            table.commit([table.write_part(f"p{number}", values, {"spec": "s"})], run_id="r")
        keys = pl.DataFrame({"doc_id": sorted(gone)}, schema={"doc_id": pl.String})
        purge_rows(table, keys, run_id="r", by="revocation:x")
        left = sorted(table.scan().select("doc_id").collect()["doc_id"])
        assert left == sorted(name for names in parts for name in names if name not in gone)
        assert table.replayed(table.version()) == {part.path for part in table.live()}
