"""Rows of a Parquet file as documents, a few at a time."""

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from storage.records import RawDocument
from tasks.ingest.failures import BadInput, ExtractError
from tasks.ingest.fields import Fields, need_text
from tasks.ingest.read_rows import Rows

BATCH_ROWS = 64
MAX_GROUP_BYTES = 4 << 30
"""Uncompressed size of the used columns in one row group; a larger claim is refused."""

_UNUSABLE = (
    pa.types.is_nested,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)


def read_parquet(stream: IO[bytes], rows: Rows) -> Iterator[RawDocument | BadInput]:
    """Read the text column and the small scalar ones; a text repeated by a dictionary stays one."""
    try:
        with pq.ParquetFile(stream) as probe:
            columns = _scalar_columns(probe.schema_arrow)
            fields = need_text(columns, rows.spec)
            _check_sizes(probe.metadata, set(columns))
        stream.seek(0)
        with pq.ParquetFile(stream, read_dictionary=_strings(probe.schema_arrow)) as file:
            yield from _rows(file, columns, fields, rows)
    except (pa.ArrowException, OSError) as error:
        raise ExtractError(
            "parquet.broken",
            f"the file is cut or damaged ({str(error)[:200]}): write or copy it again",
        ) from error


def _rows(
    file: pq.ParquetFile, columns: list[str], fields: Fields, rows: Rows
) -> Iterator[RawDocument | BadInput]:
    number = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
        for index in range(batch.num_rows):
            number += 1
            row = {
                name: _value(column[index])
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield rows.document(row, fields, number, f"row={number}")


def _value(cell: pa.Scalar) -> object:
    """Give a cell's value; bytes that are no UTF-8 become a surrogate, which condemns their row."""
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return "\udcff"


def _scalar_columns(schema: pa.Schema) -> list[str]:
    """Leave nested and binary columns out: no part of them can become text or metadata."""
    return [field.name for field in schema if not any(test(field.type) for test in _UNUSABLE)]


def _strings(schema: pa.Schema) -> list[str]:
    kinds = (pa.types.is_string, pa.types.is_large_string)
    return [field.name for field in schema if any(test(field.type) for test in kinds)]


def _check_sizes(metadata: pq.FileMetaData, columns: set[str]) -> None:
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        chunks = [group.column(number) for number in range(group.num_columns)]
        size = sum(
            chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in columns
        )
        if size > MAX_GROUP_BYTES:
            raise ExtractError(
                "file.bomb",
                f"a row group claims {size} bytes: write smaller row groups",
            )
