"""The ledger: sources, documents, runs, artifacts, parts, answers, and who came from what.

SQLite in one file by default, PostgreSQL by URL, the same SQL. Every row carries the hash of its
columns, and every write is an entry of a hash-chained log in the same transaction, so that a row
that was changed, removed or added behind the ledger's back is found and named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import sqlalchemy as sa

from storage import answers, erasure
from storage import ledger_queries as queries
from storage import ledger_schema as schema
from storage.erasure import LOOKUP_KEYS
from storage.errors import CorruptError, NotFoundError
from storage.ledger_engine import check_file, reading, writing
from storage.ledger_log import Head, read_head, record, verify_log
from storage.ledger_rows import (
    batches,
    doc_source_row,
    edge_rows,
    json_text,
    now,
    part_row,
    read_part,
)
from storage.ledger_schema import Row
from storage.records import Answer, Part, Problem

MAX_NODES = 100_000
"""How many nodes a closure visits at most."""

_LATEST = 5
_ANSWERS = 1_000


@dataclass(frozen=True)
class Edge:
    """Node `dst` came from node `src`; `rel` says how."""

    dst: str
    src: str
    rel: str


@dataclass(frozen=True)
class Cited:
    """A document that an answer quotes or cites, and the source that it came from."""

    doc_id: str
    source: str
    uri: str
    licence: str
    grade: str
    status: str
    """Of the source: active or revoked; "" when it is not registered."""


@dataclass(frozen=True)
class Ledger:
    """The ledger behind a SQLAlchemy URL. Holds no connection, so it pickles."""

    url: str

    def add_source(
        self,
        name: str,
        uri: str = "",
        licence: str = "",
        trust: float = 0.5,
        *,
        publisher: str = "",
        status: Literal["active", "revoked"] = "active",
    ) -> str:
        """Record a source or its new facts and give its node."""
        row: Row = {"name": name, "uri": uri, "licence": licence, "trust": float(trust)}
        row |= {"publisher": publisher, "status": status, "recorded_at": now()}
        self._record(schema.source, [row])
        return f"source:{name}"

    def set_source_status(self, name: str, status: Literal["active", "revoked"]) -> None:
        """Set the status of a source; NotFoundError without it."""
        found = self.get("source", name.replace("|", "%7C"))
        if found is None:
            raise NotFoundError("no such source", item=f"source:{name}")
        self._record(schema.source, [{**found, "status": status}])

    def add_documents(self, rows: Iterable[Mapping[str, object]]) -> int:
        """Record rows of the documents table, and that each comes from its source; count the changes."""
        count = 0
        for batch in batches(rows):
            documents: list[Row] = [
                {"doc_id": r["doc_id"], "n_bytes": int(str(r.get("n_bytes") or 0))} for r in batch
            ]
            edges = [(f"doc:{r['doc_id']}", f"source:{r['source']}", "from") for r in batch]
            with writing(self.url) as connection:
                count += record(connection, schema.document, documents)
                count += record(connection, schema.doc_source, map(doc_source_row, batch))
                count += record(connection, schema.derived, edge_rows(edges))
        return count

    def start_run(
        self,
        run_id: str,
        flow: str,
        params: Mapping[str, object],
        prefect_run_id: str = "",
        mlflow_run_id: str = "",
    ) -> str:
        """Record that a run began and give its node."""
        row: Row = {"run_id": run_id, "flow": flow, "params": json_text(params)}
        row |= {"prefect_run_id": prefect_run_id, "mlflow_run_id": mlflow_run_id}
        row |= {"state": "running", "metrics": "{}", "started_at": now(), "finished_at": ""}
        self._record(schema.run, [row])
        return f"run:{run_id}"

    def finish_run(
        self,
        run_id: str,
        state: Literal["finished", "failed", "crashed"],
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Record how a run ended; saying so twice changes nothing."""
        found = self.get("run", run_id)
        if found is None:
            raise NotFoundError("was never started", item=f"run:{run_id}")
        row = {**found, "state": state, "metrics": json_text(metrics or {})}
        if row != found:
            self._record(schema.run, [{**row, "finished_at": now()}])

    def add_artifact(  # noqa: PLR0913  one argument per recorded column
        self,
        node: str,
        kind: str,
        path: str,
        sha256: str,
        run_id: str,
        params: Mapping[str, object] | None = None,
        *,
        status: Literal["live", "stale", "purged"] = "live",
    ) -> None:
        """Record something that a run made: a snapshot, an index, a report."""
        row: Row = {"node": node, "kind": kind, "path": path, "sha256": sha256, "run_id": run_id}
        row |= {"params": json_text(params or {}), "status": status, "created_at": now()}
        with writing(self.url) as connection:
            if record(connection, schema.artifact, [row]) and run_id:
                made = edge_rows([(node, f"run:{run_id}", "generated")])
                record(connection, schema.derived, made)

    def artifacts(self, kind: str) -> list[Row]:
        """Give all artifacts of a kind, sorted by node."""
        table = schema.artifact
        query = sa.select(table).where(table.c.kind == kind).order_by(table.c.node)
        with reading(self.url) as connection:
            rows = connection.execute(query).mappings()
            return [{k: v for k, v in row.items() if k != "row_hash"} for row in rows]

    def derive(self, dst: str, sources: Iterable[str], rel: str) -> None:
        """Record that `dst` came from each of the sources."""
        for batch in batches((dst, src, rel) for src in sources):
            self._record(schema.derived, edge_rows(batch))

    def add_parts(self, table: str, parts: Iterable[Part], run_id: str) -> int:
        """Record the files of a table with their SHA-256, and count those that were new."""
        return sum(
            self._record(schema.part, [part_row(table, part, run_id) for part in batch])
            for batch in batches(parts)
        )

    def parts(self, table: str) -> list[Part]:
        """Give all files ever recorded for a table, sorted by path."""
        part = schema.part
        query = sa.select(part).where(part.c.table_name == table).order_by(part.c.path)
        with reading(self.url) as connection:
            return [read_part(row._asdict()) for row in connection.execute(query)]

    def add_answer(self, answer: Answer) -> None:
        """Store an answer with its citations and what it rests on, in one transaction."""
        self.add_answers([answer])

    def add_answers(self, found: Iterable[Answer]) -> int:
        """Store answers as add_answer does, many in one transaction; count the rows that changed.

        An answer that was erased stays erased.
        """
        count = 0
        for given in batches(found, _ANSWERS):
            with writing(self.url) as connection:
                gone = erasure.erased(connection, [answer.answer_id for answer in given])
                batch = [answer for answer in given if answer.answer_id not in gone]
                rows = [answers.answer_row(answer) for answer in batch]
                spans = chain.from_iterable(map(answers.span_rows, batch))
                edges = chain.from_iterable(map(answers.edges, batch))
                count += record(connection, schema.answer, rows)
                count += record(connection, schema.answer_span, spans)
                count += record(connection, schema.derived, edge_rows(edges))
        return count

    def cited(self, answer_id: str) -> list[Cited]:
        """Give the documents and sources behind an answer, without what indexes and runs add."""
        values = {"answer_id": answer_id.removeprefix("answer:")}
        with reading(self.url) as connection:
            rows = queries.CITED.ask(connection, values)
            return [Cited(*row) for row in dict.fromkeys(map(tuple, rows))]

    def answers_of(self, doc_ids: Iterable[str]) -> list[str]:
        """Give the ids of all answers that quote or cite any of the documents, sorted."""
        found: set[str] = set()
        with reading(self.url) as connection:
            for batch in batches(doc_ids, LOOKUP_KEYS):
                if len(batch) == 1:
                    rows = queries.ANSWERS_OF.ask(connection, {"doc_id": batch[0]})
                else:
                    rows = connection.execute(queries.ANSWERS_OF_MANY, {"doc_ids": batch}).all()
                found.update(row[0] for row in rows)
        return sorted(found)

    def mark_answers(self, ids: Iterable[str], state: Literal["live", "stale"], reason: str) -> int:
        """Set the state of answers and count those that changed; an erased one stays erased."""
        return erasure.mark_answers(self.url, ids, state, reason)

    def erase_answers(self, ids: Iterable[str], reason: str) -> int:
        """Blank question, text, quote hashes and salts of answers, and count those that changed."""
        return erasure.erase_answers(self.url, ids, reason)

    def erase_documents(
        self, pairs: Iterable[tuple[str, str]], reason: str, *, keep_title: bool = False
    ) -> int:
        """Revoke (document, source) pairs, blank title and salt, and count the rows changed."""
        return erasure.erase_documents(self.url, pairs, reason, keep_title=keep_title)

    def shrink(self) -> None:
        """Rewrite the database so that no byte of an overwritten row is left in its files."""
        erasure.shrink(self.url)

    def answer(self, answer_id: str) -> Answer:
        """Read an answer by its id, with or without "answer:"; NotFoundError names the latest ids."""
        wanted = answer_id.removeprefix("answer:")
        with reading(self.url) as connection:
            found = self._answers(connection, schema.answer.c.answer_id == wanted, 1)
            if found:
                return found[0]
            latest = self._answers(connection, sa.true(), _LATEST)
        names = ", ".join(answer.answer_id for answer in latest)
        raise NotFoundError(
            "no such answer",
            item=f"answer:{wanted}",
            way_out=f"The latest are {names}" if names else 'Ask first: `suyuan ask "…"`',
        )

    def answers(self, limit: int = 20) -> list[Answer]:
        """Give the latest answers, newest first."""
        with reading(self.url) as connection:
            return self._answers(connection, sa.true(), limit)

    def up(self, node: str, limit: int = MAX_NODES) -> list[Edge]:
        """Give all edges by which a node came to be: what it was made from, and that from what."""
        return self._closure(node, "dst", "src", limit)

    def down(self, node: str, limit: int = MAX_NODES) -> list[Edge]:
        """Give all edges that lead on from a node: what was made from it, and from that."""
        return self._closure(node, "src", "dst", limit)

    def get(self, kind: str, key: str) -> Row | None:
        """Read one row of a table by its key (composite keys joined by "|"); None when absent."""
        table = schema.ROW_TABLES[kind]
        names = schema.key_columns(table)
        values = key.split("|")
        if len(values) != len(names):
            raise ValueError(f"the key of {kind} is {'|'.join(names)}, not {key!r}")
        matches = [
            sa.cast(table.c[name], sa.Text) == value.replace("%7C", "|")
            for name, value in zip(names, values, strict=True)
        ]
        with reading(self.url) as connection:
            row = connection.execute(sa.select(table).where(*matches)).mappings().first()
        return None if row is None else {k: v for k, v in row.items() if k != "row_hash"}

    def head(self) -> Head:
        """Give the last entry of the log; keep it elsewhere to prove later that none was cut off."""
        with reading(self.url) as connection:
            return read_head(connection)

    def verify(self, seen: Head | None = None) -> list[Problem]:
        """Prove the file, the log and every row; name each violation `ledger:<table>/<key>`.

        With a head that was seen earlier, prove also that the log still contains it.
        """
        try:
            with reading(self.url) as connection:
                return [*check_file(connection), *verify_log(connection, seen)]
        except CorruptError as error:
            return [Problem(node="ledger", reason=error.cause)]

    def check_rows(self, kind: str, value: str) -> list[Problem]:
        """Prove the rows of a table that share a first key column, each against its own hash."""
        table = schema.ROW_TABLES[kind]
        names = schema.key_columns(table)
        query = sa.select(table).where(table.c[names[0]] == value)
        with reading(self.url) as connection:
            rows = [row._asdict() for row in connection.execute(query)]
        return [
            Problem(node=f"ledger:{kind}/{schema.key_of(names, row)}", reason="the row was changed")
            for row in rows
            if schema.hash_row(row) != row["row_hash"]
        ]

    def counts(self) -> dict[str, int]:
        """Count the rows of each table and the entries of the log."""
        tables = {**schema.ROW_TABLES, "log": schema.log}
        with reading(self.url) as connection:
            return {
                name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for name, table in tables.items()
            }

    def _record(self, table: sa.Table, rows: list[Row]) -> int:
        with writing(self.url) as connection:
            return record(connection, table, rows)

    def _answers(
        self, connection: sa.Connection, which: sa.ColumnElement[bool], limit: int
    ) -> list[Answer]:
        answer, span = schema.answer, schema.answer_span
        newest = (answer.c.created_at.desc(), answer.c.answer_id.desc())
        query = sa.select(answer).where(which).order_by(*newest).limit(limit)
        found = []
        for row in connection.execute(query).all():
            mine = sa.select(span).where(span.c.answer_id == row.answer_id)
            spans = connection.execute(mine.order_by(span.c.ordinal)).all()
            found.append(answers.read_answer(row._asdict(), [s._asdict() for s in spans]))
        return found

    def _closure(self, node: str, near: str, far: str, limit: int) -> list[Edge]:
        edge = schema.derived
        reached = sa.select(sa.literal(node, sa.Text).label("node")).cte("reached", recursive=True)
        step = sa.select(edge.c[far]).join(reached, edge.c[near] == reached.c.node)
        reached = reached.union(step)  # UNION drops what was seen before, so cycles end
        some = sa.select(reached.c.node).limit(limit).subquery()
        query = sa.select(edge.c.dst, edge.c.src, edge.c.rel).join(
            some, edge.c[near] == some.c.node
        )
        with reading(self.url) as connection:
            rows = connection.execute(query.order_by(edge.c.dst, edge.c.src, edge.c.rel))
            return [Edge(dst=row.dst, src=row.src, rel=row.rel) for row in rows]
