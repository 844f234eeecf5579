"""The append-only log of the ledger: every write of a row is an entry chained to the one before."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.ledger_rows import batches
from storage.ledger_schema import (
    GENESIS,
    ROW_TABLES,
    Row,
    chain_hash,
    hash_row,
    head,
    key_columns,
    key_of,
    log,
)
from storage.ledger_shape import insert, shape_of
from storage.records import Problem

_LOOKUP_ROWS = 1_000
_SHARED_ROWS = 16
_READ_ROWS = 5_000


@dataclass(frozen=True)
class Head:
    """The last entry of the log. Kept elsewhere, it proves later that nothing was cut off."""

    seq: int
    chain: str


def read_head(connection: sa.Connection, *, lock: bool = False) -> Head:
    """Read the head; with lock, no other writer can move it before this transaction ends."""
    query = sa.select(head.c.seq, head.c.chain).where(head.c.id == 1)
    row = connection.execute(query.with_for_update() if lock else query).one()
    return Head(seq=row.seq, chain=row.chain)


def record(
    connection: sa.Connection,
    table: sa.Table,
    rows: Iterable[Row],
    *,
    overwrite: Collection[str] = (),
) -> int:
    """Insert or change rows, log each of them, and count them; equal rows are left out.

    Columns that keep their first value are changed only when `overwrite` names them.
    """
    kept = table.info["first"].difference(overwrite)
    before = read_head(connection, lock=True)
    shape = shape_of(table)
    by_key = {shape.key(row): row for row in rows}
    stored = _stored(connection, table, list(by_key.values()))
    new: list[Row] = []
    changed: list[Row] = []
    entries: list[tuple[str, str]] = []
    for key, row in by_key.items():
        old = stored.get(key)
        full = row if old is None else _changed(kept, row, old)
        if full is not None:
            row_hash = shape.hash(full)
            (new if old is None else changed).append({**full, "row_hash": row_hash})
            entries.append((key, row_hash))
    if new:
        insert(connection, table, new)
    if changed:
        _update(connection, table, changed)
    _append(connection, shape.kind, entries, before)
    return len(entries)


def _changed(kept: Collection[str], row: Row, old: Mapping[str, Any]) -> Row | None:
    """Give the row to write over an old one; None when nothing but the kept columns differ."""
    full = {**row, **{name: old[name] for name in kept if old[name] != ""}}
    same = all(full[name] == value for name, value in old.items() if name != "row_hash")
    return None if same else full


def _stored(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Row]
) -> dict[str, Mapping[str, Any]]:
    """Read what is stored under the keys of rows, and perhaps some of their neighbours."""
    names = key_columns(table)
    found: dict[str, Mapping[str, Any]] = {}
    for condition in _lookups([table.c[name] for name in names], rows):
        for row in connection.execute(sa.select(table).where(condition)).mappings():
            values = dict(row)
            found[key_of(names, values)] = values
    return found


def _lookups(
    key: Sequence[sa.Column[Any]], rows: Sequence[Row]
) -> Iterator[sa.ColumnElement[bool]]:
    """Seek by the first column of the key, and by the second where many rows share the first."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key[0].name], []).append(row)
    shared = {
        name: {row[key[1].name] for row in group}
        for name, group in groups.items()
        if len(group) > _SHARED_ROWS
    }
    for piece in batches([name for name in groups if name not in shared], _LOOKUP_ROWS):
        yield key[0].in_(piece)
    for name, seconds in shared.items():
        for piece in batches(seconds, _LOOKUP_ROWS):
            yield sa.and_(key[0] == name, key[1].in_(piece))


def _update(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    names = key_columns(table)
    matches = [table.c[name] == sa.bindparam(f"key_{name}") for name in names]
    others = [name for name in table.c.keys() if name not in names]  # noqa: SIM118  not a mapping
    values = [
        {**{f"key_{n}": row[n] for n in names}, **{n: row[n] for n in others}} for row in rows
    ]
    change = sa.update(table).where(*matches).values({n: sa.bindparam(n) for n in others})
    connection.execute(change, values)


def _append(
    connection: sa.Connection, kind: str, entries: Sequence[tuple[str, str]], before: Head
) -> None:
    if not entries:
        return
    chain = before.chain
    rows: list[Row] = []
    for seq, (key, row_hash) in enumerate(entries, before.seq + 1):
        chain = chain_hash(chain, kind, key, row_hash)
        rows.append({"seq": seq, "kind": kind, "key": key, "row_hash": row_hash, "chain": chain})
    insert(connection, log, rows)
    connection.execute(sa.update(head).values(seq=before.seq + len(rows), chain=chain))


def verify_log(connection: sa.Connection, seen: Head | None = None) -> list[Problem]:
    """Prove the chain, then every row against its own hash and against its last log entry.

    With a head that was seen earlier, prove that the log still contains it.
    """
    latest: dict[tuple[str, str], str] = {}
    problems = list(_chain_problems(connection, latest))
    for table in ROW_TABLES.values():
        problems.extend(_row_problems(connection, table, latest))
    missing = (Problem(node=f"ledger:{k}/{n}", reason="the row is missing") for k, n in latest)
    return [*problems, *missing, *_head_problems(connection, seen)]


def _head_problems(connection: sa.Connection, seen: Head | None) -> Iterator[Problem]:
    if seen is None or seen.seq == 0:
        return
    chain = connection.execute(sa.select(log.c.chain).where(log.c.seq == seen.seq)).scalar()
    if chain != seen.chain:
        yield _log_problem(seen.seq, "the log is not the one seen earlier")


def _chain_problems(
    connection: sa.Connection, latest: dict[tuple[str, str], str]
) -> Iterator[Problem]:
    seq, chain = 0, GENESIS
    for row in _stream(connection, sa.select(log).order_by(log.c.seq)):
        if row.seq != seq + 1:
            yield _log_problem(seq + 1, "the entry is missing")
        if row.chain != chain_hash(chain, row.kind, row.key, row.row_hash):
            yield _log_problem(row.seq, "the entry does not continue the chain")
        seq, chain = row.seq, row.chain
        latest[row.kind, row.key] = row.row_hash
    if read_head(connection) != Head(seq=seq, chain=chain):
        yield Problem(node="ledger:head/1", reason="the log does not end where the head says")


def _row_problems(
    connection: sa.Connection, table: sa.Table, latest: dict[tuple[str, str], str]
) -> Iterator[Problem]:
    names = key_columns(table)
    for row in _stream(connection, sa.select(table)):
        values = row._asdict()
        key = key_of(names, values)
        reason = _row_reason(values, latest.pop((table.name, key), None))
        if reason:
            yield Problem(node=f"ledger:{table.name}/{key}", reason=reason)


def _row_reason(values: Mapping[str, Any], logged: str | None) -> str:
    if logged is None:
        return "the row is not in the log"
    if hash_row(values) != values["row_hash"]:
        return "the row was changed"
    return "" if values["row_hash"] == logged else "the row is not the one last logged"


def _log_problem(seq: int, reason: str) -> Problem:
    return Problem(node=f"ledger:log/{seq}", reason=reason)


def _stream(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    yield from connection.execution_options(yield_per=_READ_ROWS).execute(query)
