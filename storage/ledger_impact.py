"""What the ledger knows to have touched a source, a document or licences: one state, typed queries.

No closure over all edges: from a document over samples and a model to its answers everything is
reached, which says nothing. Each kind of thing has its own query here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from storage import ledger_schema as schema
from storage.ledger_engine import reading

KINDS = ("cache", "prompt")
"""Kinds of nodes that are found by the edges `derived`."""

_row, _span, _answer, _edge = schema.doc_source, schema.answer_span, schema.answer, schema.derived


@dataclass(frozen=True)
class Listing:
    """How many there are, and the names of the first of them."""

    count: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """The rows of `doc_source` that are meant: those with one of the values in a column."""

    column: Literal["source", "doc_id", "licence"]
    values: tuple[str, ...]

    @property
    def rows(self) -> sa.ColumnElement[bool]:
        """Give the condition; what was revoked is gone already."""
        return sa.and_(_row.c[self.column].in_(self.values), _row.c.status != "revoked")

    @property
    def spans(self) -> sa.ColumnElement[bool]:
        """Give the condition for the citations that rest on these rows."""
        if self.column != "licence":
            return _span.c[self.column].in_(self.values)
        pairs = sa.select(_row.c.doc_id, _row.c.source).where(self.rows)
        return sa.tuple_(_span.c.doc_id, _span.c.source).in_(pairs)


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What the ledger finds for a selection."""

    documents: tuple[str, ...]
    texts: frozenset[str]
    n_bytes: int
    carried: Mapping[str, tuple[str, ...]]
    """Documents that another active source carries as well, with those sources."""
    quoted: Listing
    """Answers that quote."""
    cited: Listing
    """Answers that cite and do not quote."""
    made: Mapping[str, tuple[str, ...]]
    """Nodes of each of KINDS."""


def find_reached(url: str, selection: Selection, limit: int) -> Reached:
    """Ask the ledger what a selection has touched; names of answers up to a limit, counts exact."""
    with reading(url) as connection:
        columns = sa.select(_row.c.doc_id, _row.c.text_id).where(selection.rows).distinct()
        rows = connection.execute(columns).all()
        documents = tuple(sorted({row.doc_id for row in rows}))
        quoted, cited = _answers(connection, selection, limit)
        return Reached(
            documents=documents,
            texts=frozenset(row.text_id for row in rows if row.text_id),
            n_bytes=_n_bytes(connection, selection),
            carried=_carried(connection, selection),
            quoted=quoted,
            cited=cited,
            made=_made(connection, selection),
        )


def licences(url: str) -> list[str]:
    """Give every licence expression of a document, sorted."""
    query = sa.select(_row.c.licence).distinct().order_by(_row.c.licence)
    with reading(url) as connection:
        return list(connection.execute(query).scalars())


def answers_by(url: str, generator: str, since: str, before: str, limit: int) -> Listing:
    """Give the answers that a generator wrote within a time, not erased; "" is open."""
    mine = [_answer.c.generator == generator, _answer.c.created_at >= since]
    mine.append(_answer.c.state != "erased")
    if before:
        mine.append(_answer.c.created_at < before)
    count = sa.select(sa.func.count()).select_from(_answer).where(*mine)
    newest = (
        sa.select(_answer.c.answer_id)
        .where(*mine)
        .order_by(_answer.c.created_at.desc(), _answer.c.answer_id.desc())
        .limit(limit)
    )
    with reading(url) as connection:
        number = int(connection.execute(count).scalar_one())
        ids = tuple(connection.execute(newest).scalars()) if number else ()
    return Listing(number, ids)


def generators(url: str) -> list[str]:
    """Give the name of every generator of an answer: one index seek each, however many answers."""
    found: list[str] = []
    smallest = sa.select(sa.func.min(_answer.c.generator)).where(
        _answer.c.generator > sa.bindparam("last")
    )
    with reading(url) as connection:
        last: str | None = ""
        while (last := connection.execute(smallest, {"last": last}).scalar()) is not None:
            found.append(last)
    return found


def _n_bytes(connection: sa.Connection, selection: Selection) -> int:
    document = schema.document
    mine = sa.select(_row.c.doc_id).where(selection.rows)
    query = sa.select(sa.func.coalesce(sa.func.sum(document.c.n_bytes), 0))
    return int(connection.execute(query.where(document.c.doc_id.in_(mine))).scalar_one())


def _carried(connection: sa.Connection, selection: Selection) -> dict[str, tuple[str, ...]]:
    other, source = _row.alias("other"), schema.source
    mine = sa.select(_row.c.doc_id).where(selection.rows)
    query = (
        sa.select(other.c.doc_id, other.c.source)
        .join(source, source.c.name == other.c.source)
        .where(
            other.c.doc_id.in_(mine),
            other.c[selection.column].not_in(selection.values),
            other.c.status.not_in(("revoked", "gone")),
            source.c.status == "active",
        )
        .distinct()
        .order_by(other.c.doc_id, other.c.source)
    )
    found: dict[str, tuple[str, ...]] = {}
    for doc_id, name in connection.execute(query):
        found[doc_id] = (*found.get(doc_id, ()), name)
    return found


def _answers(
    connection: sa.Connection, selection: Selection, limit: int
) -> tuple[Listing, Listing]:
    """Give the answers that quote, and those that cite only: each counts by its strongest grade."""
    strongest = sa.func.max(_span.c.grade)  # "quoted" comes after "cited" in the alphabet too
    query = (
        sa.select(_span.c.answer_id, strongest.label("grade"))
        .where(
            selection.spans,
            _span.c.grade.in_(("quoted", "cited")),
            _span.c.answer_id.not_in(_erased()),
        )
        .group_by(_span.c.answer_id)
    )
    found = query.subquery()
    sums = sa.select(found.c.grade, sa.func.count()).group_by(found.c.grade)
    counts = {grade: int(number) for grade, number in connection.execute(sums)}

    def listing(grade: str) -> Listing:
        newest = query.having(strongest == grade).order_by(_span.c.answer_id.desc()).limit(limit)
        known = grade in counts
        ids = tuple(connection.execute(newest).scalars()) if known else ()
        return Listing(counts.get(grade, 0), ids)

    return listing("quoted"), listing("cited")


def _erased() -> sa.Select[tuple[str]]:
    return sa.select(_answer.c.answer_id).where(_answer.c.state == "erased")


def _made(connection: sa.Connection, selection: Selection) -> dict[str, tuple[str, ...]]:
    """Follow edges from the source, the documents and their answers to caches and prompts only."""
    of_kinds = sa.or_(*(_edge.c.dst.between(f"{kind}:", f"{kind};") for kind in KINDS))
    nodes: set[str] = set()
    if connection.execute(sa.select(_edge.c.dst).where(of_kinds).limit(1)).first():
        documents = sa.select(sa.literal("doc:") + _row.c.doc_id).where(selection.rows)
        answers = sa.select(sa.literal("answer:") + _span.c.answer_id).where(selection.spans)
        seeds = [documents, answers]
        if selection.column == "source":
            seeds += [sa.select(sa.literal(f"source:{name}")) for name in selection.values]
        start = sa.union(*seeds).subquery()
        reached = sa.select(start.c[0].label("node")).cte("reached", recursive=True)
        step = sa.select(_edge.c.dst).join(reached, _edge.c.src == reached.c.node).where(of_kinds)
        found = connection.execute(sa.select(reached.union(step).c.node))
        nodes = {node for node in found.scalars() if node.split(":")[0] in KINDS}
    return {kind: tuple(sorted(n for n in nodes if n.startswith(f"{kind}:"))) for kind in KINDS}


def signed_heads(url: str) -> list[tuple[int, str]]:
    """Give size and time of every signed head of the log, smallest first."""
    head = schema.tree_head
    query = sa.select(head.c.size, head.c.signed_at).order_by(head.c.size)
    with reading(url) as connection:
        return [(int(row.size), str(row.signed_at)) for row in connection.execute(query)]
