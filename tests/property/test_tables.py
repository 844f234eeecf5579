"""Laws of merge: a table is the last row of each key, whatever the steps were."""

import tempfile

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.schemas import QUARANTINE
from storage.tables import Table

BATCHES = st.lists(st.dictionaries(st.sampled_from("abcd"), st.text(max_size=3)), max_size=4)


def rows_of(batch):
    keys = {"source": "s", "blob_id": "", "reason": "r", "expectation": ""}
    rows = [{**keys, "uri": uri, "detail": detail} for uri, detail in batch.items()]
    return pa.Table.from_pylist(rows, schema=QUARANTINE.schema)


@settings(max_examples=15)
@given(BATCHES)
def test_merging_is_updating_a_mapping(batches):
    with tempfile.TemporaryDirectory() as folder:
        table, expected = Table(folder + "/t", QUARANTINE), {}
        for batch in batches:
            changes = {**expected, **batch} != expected
            before = max(table.version(), 0)
            assert table.merge(rows_of(batch), run_id="r") == before + changes
            expected |= batch
        assert dict(table.scan().select("uri", "detail").collect().iter_rows()) == expected
