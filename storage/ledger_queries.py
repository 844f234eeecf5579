"""The questions that are asked of the ledger most, built once: building one costs more than asking it."""

import sqlalchemy as sa

from storage import ledger_schema as schema

_span, _source = schema.answer_span, schema.source

ANSWERS_OF = sa.select(_span.c.answer_id).where(_span.c.doc_id == sa.bindparam("doc_id")).distinct()
"""Answers that quote or cite a document."""

ANSWERS_OF_MANY = (
    sa.select(_span.c.answer_id)
    .where(_span.c.doc_id.in_(sa.bindparam("doc_ids", expanding=True)))
    .distinct()
)
"""Answers that quote or cite any of the documents."""

CITED = (
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
