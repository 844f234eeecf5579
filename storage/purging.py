"""Deletion of rows for good: out of the newest version, out of every older one, off the disk.

Delta Lake keeps what a version replaced: old files, commits with the least and greatest values of
each column, checkpoints. A purge rewrites the parts that hold the rows, starts the log anew at a
checkpoint, and deletes everything older. Each step may be killed and done again.
"""

from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from storage import table_log
from storage.digest import spec_digest
from storage.errors import SuyuanError
from storage.records import Part
from storage.table_log import LOG_FOLDER, PURGES_FILE
from storage.tables import Table

_ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class Purge:
    """What a purge did."""

    rows: int
    """Rows that left the newest version."""
    parts: int
    """Live parts that were rewritten or dropped."""
    files: int
    """Files that were deleted: old parts, commits and checkpoints."""
    version: int
    """The newest version; -1 when the table is absent."""


def purge_rows(table: Table, keys: pl.DataFrame, *, run_id: str, by: str) -> Purge:
    """Delete the rows that match a row of `keys` on its columns, with every trace of them.

    `by` names the cause, such as "revocation:<id>": reading a purged version names it. Done a
    second time, or after a kill, it completes what is left. Nobody else may write meanwhile.
    """
    version = table.version()
    found = _affected(table, keys) if version >= 0 else {}
    state = table.purges()
    if version < 0 or not (found or state.pending == by or _left_files(table, keys)):
        return Purge(rows=0, parts=0, files=0, version=version)
    table_log.write_purges(table.files, replace(state, pending=by))
    rows, parts = _rewrite(table, keys, found, run_id, by)
    files = _delete_files(table, keys)
    base = table.checkpoint()
    done = [*(one for one in state.done if one["by"] != by), {"by": by, "base": base}]
    table_log.write_purges(table.files, replace(state, base=base, done=done, pending=by))
    files += _cut_log(table, base)
    table_log.write_purges(table.files, replace(state, base=base, done=done, pending=""))
    return Purge(rows=rows, parts=parts, files=files, version=base)


def matching_rows(table: Table, keys: pl.DataFrame) -> int:
    """Count the rows of the newest version that match."""
    matches = table.scan().join(_keys(keys).lazy(), on=keys.columns, how="semi")
    return int(matches.select(pl.len()).collect().item())


def affected_parts(table: Table, keys: pl.DataFrame) -> list[str]:
    """Name the live parts that hold a matching row."""
    return sorted(_affected(table, keys))


def _affected(table: Table, keys: pl.DataFrame) -> dict[str, Part]:
    if keys.is_empty():
        return {}
    wanted = _keys(keys).lazy()
    found = {}
    for part in table.live():
        rows = table.scan_files([part.path]).join(wanted, on=keys.columns, how="semi")
        if rows.select(pl.len()).collect().item():
            found[part.path] = part
    return found


def _rewrite(
    table: Table, keys: pl.DataFrame, found: dict[str, Part], run_id: str, by: str
) -> tuple[int, int]:
    """Rewrite until no live part holds a matching row: another writer may have moved some."""
    rows = parts = 0
    for _ in range(_ROUNDS):
        if not found:
            break
        kept = {path: _without(table, part, keys, by) for path, part in found.items()}
        table.replace(kept, run_id=run_id, by=by)
        rows += sum(old.n_rows - (n.n_rows if (n := kept[p]) else 0) for p, old in found.items())
        parts += len(found)
        found = _affected(table, keys)
    return rows, parts


def _without(table: Table, part: Part, keys: pl.DataFrame, by: str) -> Part | None:
    """Write the rows of a part that do not match as a part of their own; None when none is left."""
    rows = table.read_part(part.path)
    left = rows.filter(_kept(rows, part, keys))
    if left.num_rows == 0:
        return None
    name = "kept-" + spec_digest(part=part.path, by=by, rows=left.num_rows)
    values = [pa.array([part.partition[c]] * left.num_rows) for c in table.spec.partition_by]
    for column, array in zip(table.spec.partition_by, values, strict=True):
        left = left.append_column(column, array)
    return table.write_part(name, left, part.partition)


def _kept(rows: pa.Table, part: Part, keys: pl.DataFrame) -> pa.Array:
    inside = [name for name in keys.columns if name in rows.schema.names]
    frame = pl.DataFrame(pl.from_arrow(rows.select(inside))).with_columns(
        pl.lit(value).alias(name) for name, value in part.partition.items() if name in keys.columns
    )
    marked = _keys(keys).with_columns(pl.lit(True).alias("_doomed"))
    joined = frame.join(marked, on=keys.columns, how="left", maintain_order="left")
    return joined["_doomed"].is_null().to_arrow()


def _keys(keys: pl.DataFrame) -> pl.DataFrame:
    return keys.unique()


def _left_files(table: Table, keys: pl.DataFrame) -> bool:
    """Say whether a file that no version names, left by a killed run, holds a matching row."""
    live = {part.path for part in table.live()}
    return any(_holds(table, path, keys) for path in _data_files(table) if path not in live)


def _delete_files(table: Table, keys: pl.DataFrame) -> int:
    """Delete the parts of older versions, and what killed runs left of the doomed rows."""
    live = {part.path for part in table.live()}
    _, older = table_log.replay(table.files, table.version())
    gone = [
        path
        for path in _data_files(table)
        if path not in live and (path in older or _holds(table, path, keys))
    ]
    for path in gone:
        table.files.delete(path)
    return len(gone)


def _data_files(table: Table) -> list[str]:
    hidden = (f"{LOG_FOLDER}/", PURGES_FILE)
    return [path for path in table.files.walk() if not path.startswith(hidden)]


def _holds(table: Table, path: str, keys: pl.DataFrame) -> bool:
    """Say whether a file holds a matching row; one that cannot be read is taken to."""
    try:
        rows = table.scan_files([path]).join(_keys(keys).lazy(), on=keys.columns, how="semi")
        return bool(rows.select(pl.len()).collect().item())
    except (SuyuanError, pl.exceptions.PolarsError, OSError):
        return True


def _cut_log(table: Table, base: int) -> int:
    """Delete the commits and checkpoints of versions before the base."""
    older = table_log.older_files(table.files, base)
    for path in older:
        table.files.delete(path)
    return len(older)
