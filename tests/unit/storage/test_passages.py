"""The counts beside an index say what its rows say."""

import polars as pl
import pytest

from storage.errors import CorruptError
from storage.passages import DOCUMENTS_FILE, ROWS_FILE, count_passages, write_passage_counts

ROWS = pl.DataFrame({"doc_id": ["b", "a", "b", "c", "b"]})
QUESTIONS = {("b",): 3, ("a", "c", "x"): 2, ("x",): 0, ("a", "b", "c"): 5}


def answers(folder):
    return {names: count_passages(folder, names) for names in QUESTIONS}


def test_counts_agree_with_rows_and_need_no_rows(tmp_path):
    write_passage_counts(tmp_path, ROWS["doc_id"])
    assert answers(tmp_path) == QUESTIONS


def test_an_index_built_without_counts_is_counted_by_its_rows(tmp_path):
    ROWS.write_parquet(tmp_path / ROWS_FILE)
    assert answers(tmp_path) == QUESTIONS


def test_equal_rows_give_equal_bytes_in_any_order(tmp_path):
    written = []
    for column in (ROWS["doc_id"], ROWS["doc_id"].reverse()):
        write_passage_counts(tmp_path, column)
        written.append((tmp_path / DOCUMENTS_FILE).read_bytes())
    assert written[0] == written[1]


def test_what_is_damaged_is_named_and_what_holds_no_rows_counts_none(tmp_path):
    assert count_passages(tmp_path, ["a"]) == 0
    (tmp_path / DOCUMENTS_FILE).write_bytes(b"PAR1 damaged")
    with pytest.raises(CorruptError, match=r"documents\.parquet"):
        count_passages(tmp_path, ["a"])
