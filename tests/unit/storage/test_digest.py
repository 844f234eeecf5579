"""Digests name content, whatever the order it came in."""

from datetime import UTC, datetime

import polars as pl
import pytest

from storage.digest import canonical_json, rows_root, spec_digest


def test_canonical_json_sorts_keys_and_keeps_unicode():
    assert canonical_json({"b": 1, "a": "溯源"}) == '{"a":"溯源","b":1}'.encode()


def test_canonical_json_refuses_nan():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


def test_a_spec_digest_does_not_depend_on_the_order_of_parameters():
    assert spec_digest(a=1, b=2) == spec_digest(b=2, a=1) != spec_digest(a=2, b=1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["ab", "c"], ["a", "bc"]),
        ([None, "-"], ["-", None]),
        (["", None], [None, ""]),
        (["1:a", ""], ["", "1:a"]),
    ],
)
def test_values_do_not_run_into_each_other(left, right):
    frames = [pl.DataFrame({"x": [row[0]], "y": [row[1]]}) for row in (left, right)]
    assert len({rows_root(frame, ["x", "y"]) for frame in frames}) == 2


def test_a_root_counts_equal_rows():
    one, two = pl.DataFrame({"x": ["a"]}), pl.DataFrame({"x": ["a", "a"]})
    assert rows_root(one, ["x"]) != rows_root(two, ["x"])


def test_every_type_of_the_schemas_enters_a_root():
    row = {"f": 0.1, "t": datetime(2026, 1, 1, tzinfo=UTC), "b": b"\x00", "n": 1, "ok": True}
    frame = pl.DataFrame([row, dict.fromkeys(row)])
    roots = {rows_root(frame, [name]) for name in row}
    assert len(roots) == len(row)


def test_a_nested_column_cannot_enter_a_root():
    with pytest.raises(ValueError, match="cannot enter a root"):
        rows_root(pl.DataFrame({"x": [[1]]}), ["x"])
