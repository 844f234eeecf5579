"""Read JSON Lines row by row, plain or gzip; a bad row is refused by line number, not fatal."""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from storage.errors import InputError, MissingError

MAX_LINE_BYTES = 16 * 2**20
MAX_ROWS = 20_000_000
MAX_FILE_BYTES = 2**30
"""Bound of a file that must be read whole, after decompression."""
_GZIP_MAGIC = b"\x1f\x8b"

T = TypeVar("T")
Row = dict[str, object]
Stream = gzip.GzipFile | io.BufferedReader


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that could not be used: where it stands, and why."""

    place: str
    """"<file>:<line>" or "<file>:data[0].paragraphs[1]"."""
    reason: str


class RowError(ValueError):
    """This row cannot be used; the message is the reason."""


def open_maybe_gzip(path: Path) -> Stream:
    """Open for reading; gzip is recognised by its first bytes, not by its name."""
    if not path.is_file():
        raise MissingError("no such file", item=str(path), way_out="Check the path of the set.")
    with path.open("rb") as probe:
        packed = probe.read(2) == _GZIP_MAGIC
    return gzip.open(path, "rb") if packed else path.open("rb")


def read_whole(path: Path) -> bytes:
    """Read a file of at most MAX_FILE_BYTES; raise InputError when damaged or larger."""
    with open_maybe_gzip(path) as stream:
        try:
            data = stream.read(MAX_FILE_BYTES + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _damaged(path, 0) from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"larger than {MAX_FILE_BYTES} bytes", item=str(path))
    return data


def numbered_lines(path: Path, refused: list[Refusal]) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, line without its end); a line over MAX_LINE_BYTES is refused."""
    with open_maybe_gzip(path) as stream:
        for number in range(1, MAX_ROWS + 2):
            try:
                line = stream.readline(MAX_LINE_BYTES)
                fits = not line or line.endswith(b"\n") or _at_end(stream)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise _damaged(path, number) from error
            if not line:
                return
            if fits:
                yield number, line.rstrip(b"\r\n")
            else:
                refused.append(Refusal(f"{path.name}:{number}", f"over {MAX_LINE_BYTES} bytes"))
    raise InputError(f"more than {MAX_ROWS} rows", item=str(path))


def _at_end(stream: Stream) -> bool:
    """Tell whether a line without an end was the file's last; if not, skip the rest of it."""
    skipped = 0
    while piece := stream.readline(MAX_LINE_BYTES):
        skipped += len(piece)
        if skipped > MAX_FILE_BYTES:
            raise InputError(f"one line holds over {MAX_FILE_BYTES} bytes")
        if piece.endswith(b"\n"):
            return False
    return skipped == 0


def parse_rows(
    path: Path, parse: Callable[[Row, int], T], refused: list[Refusal]
) -> Iterator[tuple[int, T]]:
    """Yield (line number, parse(row, number)) of each JSON object; RowError makes a refusal."""
    for number, line in numbered_lines(path, refused):
        if not line.strip():
            continue
        try:
            yield number, parse(_json_object(line), number)
        except RowError as error:
            refused.append(Refusal(f"{path.name}:{number}", str(error)))


def _json_object(line: bytes) -> Row:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RowError(f"not UTF-8 at byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise RowError(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise RowError(f"a JSON {type(row).__name__}, not an object")
    return row


def text_field(row: Row, *names: str, default: str | None = None) -> str:
    """Give the first of these fields that is there, as non-empty text or the default."""
    value = next((row[name] for name in names if name in row), default)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise RowError(f"field {' or '.join(names)} is missing or not text")
    if not value.strip() and default is None:
        raise RowError(f"field {' or '.join(names)} is empty")
    return value


def _damaged(path: Path, number: int) -> InputError:
    where = f" at line {number}" if number else ""
    return InputError(f"damaged gzip data{where}", item=str(path), way_out="Fetch the file again.")
