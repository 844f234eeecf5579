"""Laws of the root of a table."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from storage.digest import rows_root

TEXT = st.one_of(st.none(), st.text(max_size=6))
ROWS = st.lists(st.tuples(TEXT, TEXT, st.one_of(st.none(), st.floats(0, 1))), max_size=8)
SCHEMA = {"x": pl.String, "y": pl.String, "z": pl.Float64}


def root(rows):
    return rows_root(pl.DataFrame(rows, schema=SCHEMA, orient="row"), list(SCHEMA))


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert root(shuffled) == root(rows)


@given(ROWS, ROWS)
def test_equal_roots_mean_equal_rows(left, right):
    def bag(rows):
        return sorted(repr(row) for row in rows)

    assert (root(left) == root(right)) == (bag(left) == bag(right))
