"""Great Expectations on rows of documents; slow because its import takes seconds."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from infra.quality import MAX_DOCUMENT_BYTES, Verdict, validate

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC)
BAD = [
    ("doc_id", "match_regex", "abc"),
    ("text_id", "match_regex", "A" * 64),
    ("source", "match_regex", " padded "),
    ("language", "match_regex", "English"),
    ("uri", "lengths_to_be_between", ""),
    ("mime", "lengths_to_be_between", ""),
    ("mime", "not_be_null", None),
    ("licence", "not_be_null", None),
    ("n_bytes", "be_between", 0),
    ("n_bytes", "be_between", MAX_DOCUMENT_BYTES + 1),
    ("text_bytes", "be_between", 0),
    ("trust", "be_between", 1.01),
    ("trust", "be_between", float("nan")),
    ("trust", "not_be_null", None),
    ("origin", "be_in_set", "guessed"),
    ("fetched_at", "be_between", NOW + timedelta(hours=1)),
]


def row(number: int, **changes: object) -> dict[str, object]:
    digest = f"{number:064x}"
    good = {"source": "文档 2026", "uri": f"file:///{number}", "doc_id": digest, "text_id": digest}
    good |= {"n_bytes": 5, "text_bytes": 5, "mime": "text/plain", "language": "zh"}
    good |= {"licence": "MIT", "origin": "identity", "trust": 0.5, "fetched_at": NOW}
    return {**good, **changes}


def check(*rows: dict[str, object]) -> Verdict:
    return validate(pl.from_dicts(rows, infer_schema_length=None))


def test_good_rows_pass() -> None:
    verdict = check(*(row(number) for number in range(50)))
    assert (verdict.ok, verdict.n_rows, verdict.failures) == (True, 50, ())
    assert all(entry["failed"] == 0 for entry in verdict.table_rows)


@pytest.mark.parametrize(("column", "expectation", "value"), BAD)
def test_a_bad_value_fails_its_row_and_no_other(
    column: str, expectation: str, value: object
) -> None:
    verdict = check(row(0), row(1, **{column: value}), row(2))
    ((index, failed, where, _),) = verdict.failures
    assert (index, where, verdict.ok) == (1, column, False)
    assert failed.endswith(expectation)


def test_of_rows_with_one_key_the_first_stands() -> None:
    verdict = check(row(0), row(1), row(0), row(0))
    assert [failure[0] for failure in verdict.failures] == [2, 3]


def test_a_row_may_fail_twice() -> None:
    verdict = check(row(0, trust=2.0, language="?"))
    assert {failure[2] for failure in verdict.failures} == {"trust", "language"}


def test_no_rows_are_no_failure() -> None:
    assert validate(pl.from_dicts([row(0)]).clear()).ok


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="trust"):
        validate(pl.from_dicts([row(0)]).drop("trust"))


def test_the_report_escapes_what_it_shows() -> None:
    verdict = check(row(0, language="<script>alert(1)</script>"))
    assert "<script" not in verdict.html
    assert "&lt;script&gt;" in verdict.html
