"""Great Expectations on rows of the documents table, before they are published.

One ephemeral context per process; importing the library alone costs about seven CPU seconds.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl

from infra.quality_page import Check, render

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A document fetched by a machine whose clock is a little ahead is not from the future."""
MAX_DOCUMENT_BYTES = 1 << 30
SHA256 = r"^[0-9a-f]{64}$"
SOURCE = r"^[^\s\x00-\x1f](?:[^\x00-\x1f]{0,198}[^\s\x00-\x1f])?$"
LANGUAGE = r"^[a-z]{2,3}$"
ORIGINS = ("identity", "recoded", "mapped", "extracted")
KEY = ("source", "uri", "doc_id")
COLUMNS: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "source": pl.String,
    "uri": pl.String,
    "doc_id": pl.String,
    "text_id": pl.String,
    "n_bytes": pl.Int64,
    "text_bytes": pl.Int64,
    "mime": pl.String,
    "language": pl.String,
    "licence": pl.String,
    "origin": pl.String,
    "trust": pl.Float64,
    "fetched_at": pl.Datetime("us", "UTC"),
}
"""The columns that are checked; each must be there, without nulls."""

Failure = tuple[int, str, str, object]
"""Row index, expectation, column, offending value."""
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Verdict:
    """Which rows fail which expectation, and a report of it."""

    ok: bool
    n_rows: int
    failures: tuple[Failure, ...]
    html: str
    """A page that loads nothing from anywhere."""
    table_rows: tuple[dict[str, object], ...]
    """One row per expectation: column, expectation, checked, failed, examples."""


def validate(frame: pl.DataFrame) -> Verdict:
    """Check rows of the documents table; a ValueError when a checked column is not there."""
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise ValueError(f"rows of documents lack the columns {', '.join(missing)}")
    typed = frame.select(pl.col(name).cast(kind, strict=False) for name, kind in COLUMNS.items())
    results = _run(typed, datetime.now(UTC)) if frame.height else []
    failures = tuple(
        failure for result in results if not result.success for failure in _failures(result, frame)
    )
    checks = [_check(result, frame.height) for result in results]
    return Verdict(
        ok=not failures,
        n_rows=frame.height,
        failures=failures,
        html=render("Rows of the documents table", frame.height, checks),
        table_rows=tuple(check.row() for check in checks),
    )


def _run(typed: pl.DataFrame, now: datetime) -> Sequence[Any]:
    import great_expectations as gx

    suite = gx.ExpectationSuite(name="documents", expectations=_expectations(now))
    with _LOCK:  # one context, and it is not written for threads
        batch = _batches().get_batch(
            batch_parameters={"dataframe": typed.to_pandas(use_pyarrow_extension_array=True)}
        )
        report = batch.validate(
            suite,
            result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
        )
    return sorted(report.results, key=lambda result: (_column(result), _name(result)))


@cache
def _batches() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("documents")
    return asset.add_batch_definition_whole_dataframe("rows")


def _expectations(now: datetime) -> list[Any]:
    import great_expectations.expectations as gxe

    regexes = {"doc_id": SHA256, "text_id": SHA256, "source": SOURCE, "language": LANGUAGE}
    return [
        *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in COLUMNS),
        *(gxe.ExpectColumnValuesToMatchRegex(column=c, regex=r) for c, r in regexes.items()),
        *(
            gxe.ExpectColumnValueLengthsToBeBetween(column=name, min_value=1)
            for name in ("uri", "mime", "licence")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="n_bytes", min_value=1, max_value=MAX_DOCUMENT_BYTES
        ),
        gxe.ExpectColumnValuesToBeBetween(column="text_bytes", min_value=1),
        gxe.ExpectColumnValuesToBeBetween(column="trust", min_value=0, max_value=1),
        gxe.ExpectColumnValuesToBeBetween(column="fetched_at", max_value=now + CLOCK_TOLERANCE),
        gxe.ExpectColumnValuesToBeInSet(column="origin", value_set=list(ORIGINS)),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=list(KEY)),
    ]


def _failures(result: Any, frame: pl.DataFrame) -> Iterator[Failure]:
    """Name the failing rows; an expectation that could not be computed fails every row.

    Of rows with one key the first stands, only its repetitions fail.
    """
    column, found = _column(result), result.result
    rows = found.get("unexpected_index_list")
    names = column.split("+")
    stands = set()
    if len(names) > 1:
        stands = set(frame.select(pl.struct(names).is_first_distinct()).to_series().arg_true())
    for row in sorted(set(range(frame.height) if rows is None else rows) - stands):
        values = [frame[name][row] for name in names]
        yield row, _name(result), column, values[0] if len(values) == 1 else tuple(values)


def _check(result: Any, n_rows: int) -> Check:
    found = result.result
    examples = found.get("partial_unexpected_list") or []
    failed = int(found.get("unexpected_count", 0 if result.success else n_rows))
    return Check(
        column=_column(result),
        expectation=_name(result),
        checked=int(found.get("element_count", n_rows)),
        failed=failed,
        examples=tuple(str(value)[:80] for value in examples[:3]),
    )


def _name(result: Any) -> str:
    return str(result.expectation_config.type)


def _column(result: Any) -> str:
    arguments = result.expectation_config.kwargs
    return str(arguments.get("column") or "+".join(arguments["column_list"]))
