"""Rows of JSON Lines, CSV and TSV as documents: one bad row never stops the others."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from typing import IO

from storage.records import RawDocument
from tasks.ingest.decode import guess_encoding
from tasks.ingest.failures import BadInput, ExtractError
from tasks.ingest.fields import (
    Fields,
    Place,
    find_fields,
    need_text,
    row_document,
    row_too_long,
    row_uri,
)
from tasks.ingest.opening import PEEK_BYTES
from tasks.ingest.sources import SourceSpec

MAX_ROWS = 50_000_000
MAX_CSV_FIELD = 1 << 30
_SKIP_CHARACTERS = 1 << 16
_KEPT_CHARACTERS = 1 << 20


class Rows:
    """Turns the rows of one container into documents with distinct URIs."""

    def __init__(self, uri: str, container_id: str, spec: SourceSpec) -> None:
        """Start at the first row of a file."""
        self.spec = spec
        self._uri = uri
        self._container_id = container_id
        self._seen: set[bytes] = set()

    def document(
        self, row: dict[str, object], fields: Fields, number: int, locator: str
    ) -> RawDocument | BadInput:
        """Make a document or say why not."""
        place = Place(
            uri=self._uri, container_id=self._container_id, number=number, locator=locator
        )
        try:
            raw = row_document(row, fields, place, self.spec)
        except ExtractError as error:
            return self.bad(
                number, error, repr(row)[:_KEPT_CHARACTERS], row_uri(row, fields, place)
            )
        return self._distinct(raw, number)

    def bad(self, number: int, error: ExtractError, data: str = "", uri: str = "") -> BadInput:
        """Describe a row that cannot be used."""
        return BadInput(
            uri=uri or f"{self._uri}#{number}",
            reason=error.reason,
            detail=f"row {number}: {error.detail}",
            data=data.encode("utf-8", "replace"),
        )

    def _distinct(self, raw: RawDocument, number: int) -> RawDocument | BadInput:
        key = hashlib.blake2b(raw.uri.encode(), digest_size=8).digest()
        if key not in self._seen:
            self._seen.add(key)
            return raw
        return BadInput(
            uri=f"{raw.uri}@{number}",
            reason="row.duplicate_id",
            detail=f"row {number}: an earlier row of this file has the same id: "
            "make ids distinct or name another id_field",
            data=raw.data,
        )


def read_jsonl(stream: io.BufferedReader, rows: Rows) -> Iterator[RawDocument | BadInput]:
    """Read one JSON object a line; a line over the limit is skipped without loading it."""
    with _text(stream, newline="\n") as lines:
        for number, line in bounded_lines(lines, rows.spec.max_record_bytes):
            if line is None:
                yield rows.bad(number, row_too_long(rows.spec))
            elif line.strip():
                yield _json_row(line, number, rows)


def read_csv(
    stream: io.BufferedReader, rows: Rows, delimiter: str = ""
) -> Iterator[RawDocument | BadInput]:
    """Read a table with a header line; quoted fields may hold line breaks."""
    csv.field_size_limit(min(rows.spec.max_record_bytes, MAX_CSV_FIELD))
    with _text(stream, newline="") as text:
        lines = _Lines(text, rows)
        header = lines.header()
        mark = delimiter or max(",;\t|", key=header.count)
        columns = [name.strip() for name in next(csv.reader([header], delimiter=mark), [])]
        fields = need_text(columns, rows.spec)
        reader = csv.reader(lines, delimiter=mark)
        for number in range(1, MAX_ROWS):
            cells = _next_row(reader)
            yield from lines.take_bad()
            if cells is None:
                return
            yield _csv_row(cells, columns, fields, (number, lines.number), rows)


def bounded_lines(lines: IO[str], limit: int) -> Iterator[tuple[int, str | None]]:
    """Number the lines from 1; a line over the limit is None, and is never held in memory."""
    for number in range(1, MAX_ROWS):
        line = lines.readline(limit + 1)
        if not line:
            return
        if len(line) > limit and not line.endswith(("\n", "\r")):
            _skip_line(lines)
            yield number, None
        else:
            yield number, line


class _Lines:
    """Lines for csv.reader, which cannot take a gap: too long ones are noted and left out."""

    def __init__(self, text: IO[str], rows: Rows) -> None:
        self.number = 0
        self._rows = rows
        self._lines = bounded_lines(text, rows.spec.max_record_bytes)
        self._bad: list[BadInput] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._lines:
            self.number = number
            if line is not None:
                return line
            self._bad.append(self._rows.bad(number, row_too_long(self._rows.spec)))
        raise StopIteration

    def header(self) -> str:
        """Read the first line; raise when it is too long to be one."""
        line = next(self, "")
        if self._bad:
            raise row_too_long(self._rows.spec)
        return line

    def take_bad(self) -> list[BadInput]:
        """Hand over the rows that were left out since the last call."""
        bad, self._bad = self._bad, []
        return bad


def _next_row(reader: Iterator[list[str]]) -> list[str] | ExtractError | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        too_long = "larger than field limit" in str(error)
        return ExtractError(
            "row.too_long" if too_long else "row.broken_csv",
            f"the row cannot be split into fields ({error}): look for a quote that is not closed",
        )


def _csv_row(
    cells: list[str] | ExtractError,
    columns: list[str],
    fields: Fields,
    place: tuple[int, int],
    rows: Rows,
) -> RawDocument | BadInput:
    number, line = place
    if isinstance(cells, ExtractError):
        return rows.bad(number, cells)
    if len(cells) != len(columns):
        error = ExtractError(
            "row.broken_csv",
            f"{len(cells)} fields where the header has {len(columns)}: mend quotes or separators",
        )
        return rows.bad(number, error, repr(cells)[:_KEPT_CHARACTERS])
    row: dict[str, object] = dict(zip(columns, cells, strict=True))
    return rows.document(row, fields, number, f"row={number};line={line}")


def _json_row(line: str, number: int, rows: Rows) -> RawDocument | BadInput:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        broken = ExtractError("row.broken_json", f"not JSON ({error}): write one object a line")
        return rows.bad(number, broken, line[:_KEPT_CHARACTERS])
    if isinstance(row, str):
        row = {"text": row}
    if not isinstance(row, dict):
        broken = ExtractError("row.broken_json", "not an object: write one object a line")
        return rows.bad(number, broken, line[:_KEPT_CHARACTERS])
    return rows.document(row, find_fields(tuple(row), rows.spec), number, f"line={number}")


def _skip_line(lines: IO[str]) -> None:
    while rest := lines.readline(_SKIP_CHARACTERS):
        if rest.endswith(("\n", "\r")):
            return


def _text(stream: io.BufferedReader, newline: str) -> io.TextIOWrapper:
    """Decode a stream; bytes that are no text become surrogates, which condemn only their row."""
    head = stream.peek(PEEK_BYTES)
    if not head:
        raise ExtractError("file.empty", "the file has no content: fill it or exclude it")
    encoding = guess_encoding(head)
    return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline=newline)
