"""Rows of one table in bulk: their keys, hashes and values without walking the schema for each.

`hash_row` of the schema says what the hash of a row is; here the same JSON is written by one
format string a table. A row that holds what JSON must escape takes the ordinary way.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from storage.ledger_schema import Row, hash_row, key_columns, key_of


class Shape:
    """Key, hash and values of the rows of a table."""

    def __init__(self, table: sa.Table) -> None:
        self.kind = str(table.name)  # the schema's own name is not a plain str, which drivers adapt
        self.names = key_columns(table)
        self.columns = [column.name for column in table.columns]
        self.values = itemgetter(*self.columns)
        """Values of a whole row in the order of the columns."""
        self.insert = str(sa.insert(table).compile(dialect=sa.create_engine("sqlite://").dialect))
        hashed = [table.c[name] for name in sorted(self.columns) if name != "row_hash"]
        self._hashed = itemgetter(*[column.name for column in hashed])
        self._reals = [column.name for column in hashed if isinstance(column.type, sa.Double)]
        self._nullable = [column.name for column in hashed if column.nullable]
        self._marks = {column.name: _mark(column) for column in hashed}
        self._quotes = sum(mark.count('"') + 2 for mark in self._marks.values())
        self._formats: dict[tuple[str, ...], str] = {}

    def key(self, row: Mapping[str, Any]) -> str:
        """Name a row inside its table."""
        return key_of(self.names, row)

    def hash(self, row: Row) -> str:
        """Hash a row without its hash; a ValueError when a number is not finite."""
        if self._reals and not all(math.isfinite(row[name]) for name in self._reals):  # type: ignore[arg-type]
            return hash_row(row)
        nulls = tuple([name for name in self._nullable if row[name] is None])
        text = self._format(nulls) % self._hashed(row)
        if text.count('"') != self._quotes or "\\" in text or not text.isprintable():
            return hash_row(row)
        return hashlib.sha256(text.encode()).hexdigest()

    def _format(self, nulls: Sequence[str]) -> str:
        """Give the format of rows that have nulls there; a null takes its value and prints none of it."""
        key = tuple(nulls)
        if key not in self._formats:
            marks = {**self._marks, **dict.fromkeys(key, "null%.0s")}
            self._formats[key] = "{" + ",".join(f'"{n}":{m}' for n, m in marks.items()) + "}"
        return self._formats[key]


@lru_cache(maxsize=64)
def shape_of(table: sa.Table) -> Shape:
    """Give the shape of a table, made once."""
    return Shape(table)


def _mark(column: sa.Column[Any]) -> str:
    if isinstance(column.type, sa.Text):
        return '"%s"'
    return "%r" if isinstance(column.type, sa.Double) else "%d"


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert whole rows; SQLite takes the plain tuples, which halves the cost of a row."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.insert(table), rows)
        return
    shape = shape_of(table)
    connection.exec_driver_sql(shape.insert, [shape.values(row) for row in rows])
