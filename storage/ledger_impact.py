"""What the ledger knows to have touched a source, a document or licences: one state, typed queries.

No closure over all edges: from a document over samples and a model to its answers everything is
reached, which says nothing. Each kind of thing has its own query here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

import sqlalchemy as sa

from storage import ledger_schema as schema
from storage.ledger_engine import reading

KINDS = ("cache", "prompt")
"""Kinds of nodes that are found by the edges `derived`."""

_row, _span, _answer, _edge = schema.doc_source, schema.answer_span, schema.answer, schema.derived
_OPEN = "Z"
"""Later than every time: letters come after digits in every collation."""


@dataclass(frozen=True)
class Listing:
    """How many there are, and the names of the first of them."""

    count: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Writer:
    """What wrote answers: the name of a generator within a time; "" is open."""

    generator: str
    since: str = ""
    before: str = ""


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
class Documents:
    """The documents of a selection."""

    ids: tuple[str, ...]
    texts: frozenset[str]
    n_bytes: int


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What the ledger finds for a selection."""

    documents: Documents
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
        quoted, cited = _answers(connection, selection, limit)
        return Reached(
            documents=_documents(connection, selection),
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


def answers_by(url: str, spans: Iterable[Writer], limit: int) -> Listing:
    """Give the answers that any of the generators wrote in its time, not erased, the newest first.

    The generators' times must not overlap: each answer counts for one of them.
    """
    count, ids = 0, set[str]()
    with reading(url) as connection:
        any_erased = connection.execute(_erased().limit(1)).first() is not None
        count_by, newest_by = _by_writer(any_erased)
        for span in spans:
            values = {**asdict(span), "before": span.before or _OPEN}
            number = int(connection.execute(count_by, values).scalar_one())
            if number:
                newest = connection.execute(newest_by, {**values, "limit": limit})
                ids.update(newest.scalars())
            count += number
    return Listing(count, tuple(sorted(ids, reverse=True)[:limit]))


@cache
def _by_writer(any_erased: bool) -> tuple[sa.Select[tuple[int]], sa.Select[tuple[str]]]:
    """Build the count and the newest ids; a state is compared only where one can matter."""
    mine = [
        _answer.c.generator == sa.bindparam("generator"),
        _answer.c.created_at >= sa.bindparam("since"),
        _answer.c.created_at < sa.bindparam("before"),
        *([_answer.c.state != "erased"] if any_erased else []),
    ]
    latest = (_answer.c.created_at.desc(), _answer.c.answer_id.desc())
    newest = sa.select(_answer.c.answer_id).order_by(*latest).limit(sa.bindparam("limit"))
    return sa.select(sa.func.count()).select_from(_answer).where(*mine), newest.where(*mine)


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


def _documents(connection: sa.Connection, selection: Selection) -> Documents:
    document = schema.document
    query = (
        sa.select(_row.c.doc_id, _row.c.text_id, document.c.n_bytes)
        .join(document, document.c.doc_id == _row.c.doc_id, isouter=True)
        .where(selection.rows)
    )
    rows = connection.execute(query).all()
    sizes = {doc_id: int(n_bytes or 0) for doc_id, _, n_bytes in rows}
    return Documents(
        ids=tuple(sorted(sizes)),
        texts=frozenset(text_id for _, text_id, _ in rows if text_id),
        n_bytes=sum(sizes.values()),
    )


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
    """Give the answers that quote, and those that cite only: each counts by its strongest grade.

    Two counts of distinct answers in order of an index, no grouping: those that cite only are all
    without those that quote.
    """
    live = [selection.spans]
    if connection.execute(_erased().limit(1)).first():
        live.append(_span.c.answer_id.not_in(_erased()))
    mine = [*live, _span.c.grade.in_(("quoted", "cited"))]
    quotes = [*live, _span.c.grade == "quoted"]
    both = sa.select(*(_distinct_answers(which) for which in (mine, quotes)))
    in_all, quoted = connection.execute(both).one()
    answers = sa.select(_span.c.answer_id).order_by(_span.c.answer_id.desc()).limit(limit)
    strongest = sa.func.max(_span.c.grade)  # "quoted" comes after "cited" in the alphabet too
    newest = {
        "quoted": answers.where(*quotes).distinct(),
        "cited": answers.where(*mine).group_by(_span.c.answer_id).having(strongest == "cited"),
    }

    def listing(grade: str, count: int) -> Listing:
        ids = tuple(connection.execute(newest[grade]).scalars()) if count else ()
        return Listing(count, ids)

    return listing("quoted", quoted), listing("cited", in_all - quoted)


def _distinct_answers(which: Sequence[sa.ColumnElement[bool]]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count(_span.c.answer_id.distinct())).where(*which).scalar_subquery()


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
