"""Digests: the content address of bytes, of parameters and of the rows of a table."""

import hashlib
import json
import secrets
from collections.abc import Sequence

import numpy as np
import polars as pl

SPEC_CHARS = 16
_SALT_BYTES = 16
_ROOT_FORMAT = "suyuan-rows/1"


def sha256_hex(data: bytes) -> str:
    """Give the SHA-256 of some bytes in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: object) -> bytes:
    """Serialise to JSON with sorted keys, no spaces, in UTF-8; NaN and infinity are a ValueError."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def spec_digest(**parameters: object) -> str:
    """Name a set of parameters by 16 hex digits."""
    return sha256_hex(canonical_json(parameters))[:SPEC_CHARS]


def new_salt() -> str:
    """Give random bytes in hex that keep a hash from being confirmed by guessing what was hashed."""
    return secrets.token_hex(_SALT_BYTES)


def rows_root(frame: pl.DataFrame, columns: Sequence[str]) -> str:
    """Digest the rows of a frame over some columns, whatever the order of the rows.

    Each value is written as `<bytes>:<value>` (null as `-`), so that two different rows never
    give the same line; lines are sorted by their bytes and hashed under a header that names the
    columns and counts the rows. Floats enter by their bits. Nested columns are a ValueError.
    """
    header = canonical_json([_ROOT_FORMAT, frame.height, *columns])
    hasher = hashlib.sha256(header + b"\n")
    if not columns or frame.is_empty():
        return hasher.hexdigest()
    cells = pl.DataFrame([_cell(frame[name]) for name in columns])
    lines = cells.select(pl.concat_str(pl.all(), pl.lit("\n")).alias("line"))["line"].sort()
    for piece in lines.to_arrow().to_pylist():
        hasher.update(piece.encode())
    return hasher.hexdigest()


def _cell(column: pl.Series) -> pl.Series:
    text = _as_text(column)
    frame = pl.DataFrame({"text": text})
    length = pl.col("text").str.len_bytes().cast(pl.String)
    cell = pl.concat_str(length, pl.lit(":"), pl.col("text")).fill_null("-")
    return frame.select(cell.alias(column.name))[column.name]


def _as_text(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if kind in {pl.String, pl.Null}:
        return column.cast(pl.String)
    if kind.is_integer() or kind == pl.Boolean:
        return column.cast(pl.Int64).cast(pl.String)
    if kind.is_float():
        bits = column.fill_null(0.0).cast(pl.Float64).to_numpy().view(np.int64)
        return pl.select(
            pl.when(column.is_not_null()).then(pl.Series(bits).cast(pl.String))
        ).to_series()
    if kind == pl.Datetime:
        return column.dt.epoch("us").cast(pl.String)
    if kind == pl.Binary:
        return column.bin.encode("hex")
    raise ValueError(f"column {column.name} of type {kind} cannot enter a root")
