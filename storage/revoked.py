"""Questions that a revocation asks the ledger: answers on documents, what is revoked, artifacts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from storage import ledger_schema as schema
from storage.ledger_engine import reading
from storage.ledger_rows import batches

_LOOKUP_KEYS = 1_000
_READ_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class CitedBy:
    """An answer rests on a document of a source, with this grade."""

    answer_id: str
    grade: str
    doc_id: str
    source: str


def citations_of(url: str, doc_ids: Iterable[str]) -> list[CitedBy]:
    """Give every citation of any of the documents, by answer; none of answers that were erased."""
    span, answer = schema.answer_span, schema.answer
    columns = (span.c.answer_id, span.c.grade, span.c.doc_id, span.c.source)
    gone = sa.select(answer.c.answer_id).where(answer.c.state == "erased")
    found: set[CitedBy] = set()
    with reading(url) as connection:
        erased = set(connection.execute(gone).scalars())
        for batch in batches(doc_ids, _LOOKUP_KEYS):
            query = sa.select(*columns).where(span.c.doc_id.in_(batch)).distinct()
            found.update(CitedBy(*row) for row in connection.execute(query))
    live = [one for one in found if one.answer_id not in erased]
    return sorted(live, key=lambda one: (one.answer_id, one.doc_id, one.source, one.grade))


def answers_taken(url: str, by: str) -> dict[str, int]:
    """Count the answers that something made stale, and those that it erased."""
    table = schema.answer
    query = sa.select(table.c.state, sa.func.count()).where(table.c.stale_reason == by)
    with reading(url) as connection:
        found = {row[0]: row[1] for row in connection.execute(query.group_by(table.c.state))}
    return {state: int(found.get(state, 0)) for state in ("stale", "erased")}


def places_taken(url: str, by: str) -> int:
    """Count the places of documents that something revoked."""
    table = schema.doc_source
    query = sa.select(sa.func.count()).where(table.c.status_reason == by)
    with reading(url) as connection:
        return int(connection.execute(query).scalar_one())


def answer_texts(url: str) -> Iterator[tuple[str, str]]:
    """Give id and all words of every answer: its text, its question."""
    table = schema.answer
    query = sa.select(table.c.answer_id, table.c.text, table.c.question).order_by(table.c.answer_id)
    with reading(url) as connection:
        rows = connection.execution_options(yield_per=_READ_ROWS).execute(query)
        for answer_id, text, question in rows:
            yield answer_id, f"{text}\n{question}"


def revoked_documents(url: str, source: str) -> dict[str, str]:
    """Give the documents of a source that were revoked, and by what."""
    table = schema.doc_source
    mine = (table.c.source == source) & (table.c.status == "revoked")
    query = sa.select(table.c.doc_id, table.c.status_reason).where(mine).distinct()
    with reading(url) as connection:
        return {row.doc_id: row.status_reason for row in connection.execute(query)}


def revoked_by(url: str, doc_id: str) -> set[str]:
    """Give what revoked a document, from whichever sources."""
    table = schema.doc_source
    mine = (table.c.doc_id == doc_id) & (table.c.status == "revoked")
    with reading(url) as connection:
        return set(connection.execute(sa.select(table.c.status_reason).where(mine)).scalars())


def kept_names(url: str, flows: Iterable[str]) -> Iterator[str]:
    """Give what the ledger keeps though documents go: addresses, licences, sources, runs' parameters.

    Of the runs only those of these flows, which no question of a person is a parameter of.
    """
    places, source, run = schema.doc_source.c, schema.source.c, schema.run.c
    queries = [
        sa.select(places.uri).distinct(),
        sa.select(places.licence).distinct(),
        *(sa.select(column).distinct() for column in (source.name, source.uri, source.publisher)),
        sa.select(run.params).where(run.flow.in_(list(flows))).distinct(),
    ]
    with reading(url) as connection:
        for query in queries:
            yield from connection.execution_options(yield_per=_READ_ROWS).execute(query).scalars()


def source_names(url: str) -> list[str]:
    """Give the names of all sources, sorted."""
    with reading(url) as connection:
        query = sa.select(schema.source.c.name).order_by(schema.source.c.name)
        return list(connection.execute(query).scalars())


def live_artifacts(url: str, kind: str) -> list[schema.Row]:
    """Give the artifacts of a kind that are not purged."""
    table = schema.artifact
    query = sa.select(table).where((table.c.kind == kind) & (table.c.status != "purged"))
    with reading(url) as connection:
        rows = connection.execute(query.order_by(table.c.node)).mappings()
        return [{k: v for k, v in row.items() if k != "row_hash"} for row in rows]


def running_runs(url: str, flows: Iterable[str]) -> list[str]:
    """Give the runs of these flows that have not ended, as far as the ledger knows."""
    table = schema.run
    mine = (table.c.state == "running") & table.c.flow.in_(list(flows))
    with reading(url) as connection:
        return list(connection.execute(sa.select(table.c.run_id).where(mine)).scalars())
