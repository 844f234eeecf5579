"""The questions that are asked of the ledger most, built once: building one costs more than asking it."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from storage import ledger_schema as schema

_span, _source = schema.answer_span, schema.source


class Question:
    """A query with its text for SQLite, where an answer takes less time than finding a compiled query."""

    def __init__(self, query: sa.Select[Any]) -> None:
        self._query = query
        compiled: Any = query.compile(dialect=sqlite.dialect())
        self._text, self._names, self._fixed = str(compiled), compiled.positiontup, compiled.params

    def ask(self, connection: sa.Connection, values: Mapping[str, object]) -> Sequence[sa.Row[Any]]:
        """Give all rows."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._query, values).all()
        bound = {**self._fixed, **values}
        found = connection.exec_driver_sql(self._text, tuple(bound[name] for name in self._names))
        return found.all()


ANSWERS_OF = Question(
    sa.select(_span.c.answer_id).where(_span.c.doc_id == sa.bindparam("doc_id")).distinct()
)
"""Answers that quote or cite a document."""

ANSWERS_OF_MANY = (
    sa.select(_span.c.answer_id)
    .where(_span.c.doc_id.in_(sa.bindparam("doc_ids", expanding=True)))
    .distinct()
)
"""Answers that quote or cite any of the documents."""

CITED = Question(
    sa.select(
        _span.c.doc_id,
        _span.c.source,
        _span.c.uri,
        _span.c.licence,
        _span.c.grade,
        sa.func.coalesce(_source.c.status, "").label("status"),
    )
    .join(_source, _source.c.name == _span.c.source, isouter=True)
    .where(_span.c.answer_id == sa.bindparam("answer_id"))
    .order_by(_span.c.ordinal)
)
"""Documents behind an answer, each with the status of its source."""
