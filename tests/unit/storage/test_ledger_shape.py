"""The fast way to hash a row gives the hash that the schema defines."""

import math

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger_schema import ROW_TABLES, hash_row
from storage.ledger_shape import shape_of

WORDS = st.text(max_size=6) | st.sampled_from(
    ['"', "\\", "\x1f", "\u2028", "a|b", "水", "%s", '""']
)


def value_of(column):
    if isinstance(column.type, sa.Text):
        return WORDS
    if isinstance(column.type, sa.Double):
        return st.floats(allow_nan=False, allow_infinity=False)
    numbers = st.integers(-(1 << 62), 1 << 62)
    return numbers | st.none() if column.nullable else numbers


@settings(max_examples=150, deadline=None)
@given(data=st.data(), name=st.sampled_from(["answer_span", "doc_source", "derived", "source"]))
def test_the_fast_hash_is_the_hash(data, name):
    columns = [column for column in ROW_TABLES[name].columns if column.name != "row_hash"]
    row = {column.name: data.draw(value_of(column)) for column in columns}
    assert shape_of(ROW_TABLES[name]).hash(row) == hash_row(row)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_cannot_hold_is_refused(value):
    row = {"source": "a", "computed_at": "", "score": value, "components": "", "run_id": ""}
    with pytest.raises(ValueError, match="JSON"):
        shape_of(ROW_TABLES["trust"]).hash(row)
