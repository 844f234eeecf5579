"""Revocations in the ledger: what was asked for, which steps are done, and the certificate."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from ulid import ULID

from storage import ledger_schema as schema
from storage.errors import ConflictError, NotFoundError
from storage.ledger_engine import reading, writing
from storage.ledger_log import read_head, record
from storage.ledger_rows import json_text, now
from storage.ledger_schema import Row

State = Literal["planned", "running", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """One request to take something out again."""

    revocation_id: str
    scope: str
    """`source:<name>`, `doc:<sha>` or `licence:<expression>`."""
    reason: str
    requested_by: str
    requested_at: str
    state: State
    plan: Mapping[str, Any]
    failure: str
    """Why the last attempt failed; "" otherwise."""
    done_at: str
    certificate: str
    """DSSE envelope as JSON; "" until done."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step that is done."""

    step: str
    detail: Mapping[str, Any]
    finished_at: str


@dataclass(frozen=True)
class Revocations:
    """The revocations in the ledger behind a SQLAlchemy URL."""

    url: str

    def open(self, scope: str, reason: str, who: str, plan: Mapping[str, object]) -> str:
        """Begin a revocation and give its id, or the id of the one of this scope that is not done.

        One that goes on keeps its first reason and asker; its plan becomes the new one.
        """
        with writing(self.url) as connection:
            read_head(connection, lock=True)  # two that open the same scope get one id
            row = _unfinished(connection, scope)
            if row is None:
                row = {"revocation_id": str(ULID()), "scope": scope, "reason": reason}
                row |= {"requested_by": who, "requested_at": now(), "state": "planned"}
                row |= {"failure": "", "done_at": "", "certificate": ""}
            elif row["state"] == "failed":
                row |= {"state": "running", "failure": ""}
            record(connection, schema.revocation, [{**row, "plan": json_text(plan)}])
        return str(row["revocation_id"])

    def get(self, revocation_id: str) -> Revocation:
        """Read a revocation; NotFoundError without it."""
        with reading(self.url) as connection:
            return _revocation(_row(connection, revocation_id))

    def list(self, state: State | None = None) -> Sequence[Revocation]:
        """Give all revocations, or those in a state, oldest first."""
        table = schema.revocation
        query = sa.select(table).order_by(table.c.requested_at, table.c.revocation_id)
        if state is not None:
            query = query.where(table.c.state == state)
        with reading(self.url) as connection:
            return [_revocation(dict(row)) for row in connection.execute(query).mappings()]

    def step_done(self, revocation_id: str, step: str, detail: Mapping[str, object]) -> None:
        """Record that a step is done, and what it did; done again, the new record counts."""
        row: Row = {"revocation_id": revocation_id, "step": step, "state": "done"}
        row |= {"detail": json_text(detail), "finished_at": now()}
        with writing(self.url) as connection:
            found = _open_row(connection, revocation_id)
            record(connection, schema.revocation_step, [row])
            record(connection, schema.revocation, [{**found, "state": "running", "failure": ""}])

    def steps(self, revocation_id: str) -> Sequence[Step]:
        """Give the steps that are done, in the order in which they ended."""
        with reading(self.url) as connection:
            rows = _steps(connection, revocation_id)
        return [
            Step(step=r["step"], detail=json.loads(r["detail"]), finished_at=r["finished_at"])
            for r in rows
        ]

    def finish(self, revocation_id: str, certificate: str) -> None:
        """Close a revocation with its certificate; the same certificate again changes nothing."""
        with writing(self.url) as connection:
            row = _row(connection, revocation_id)
            if row["state"] == "done" and row["certificate"] == certificate:
                return
            row = _open_row(connection, revocation_id)
            row |= {"state": "done", "failure": "", "done_at": now(), "certificate": certificate}
            record(connection, schema.revocation, [row])

    def fail(self, revocation_id: str, why: str) -> None:
        """Record that an attempt failed; opening the same scope again goes on with it."""
        with writing(self.url) as connection:
            row = _open_row(connection, revocation_id)
            record(connection, schema.revocation, [{**row, "state": "failed", "failure": why}])


def _unfinished(connection: sa.Connection, scope: str) -> Row | None:
    table = schema.revocation
    query = sa.select(table).where(table.c.scope == scope, table.c.state != "done")
    row = connection.execute(query.order_by(table.c.requested_at)).mappings().first()
    return None if row is None else _plain(row)


def _row(connection: sa.Connection, revocation_id: str) -> Row:
    table = schema.revocation
    query = sa.select(table).where(table.c.revocation_id == revocation_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError("no such revocation", item=f"revocation:{revocation_id}")
    return _plain(row)


def _open_row(connection: sa.Connection, revocation_id: str) -> Row:
    row = _row(connection, revocation_id)
    if row["state"] == "done":
        raise ConflictError(
            "is done and certified",
            item=f"revocation:{revocation_id}",
            way_out="Open a new one for the same scope",
        )
    return row


def _steps(connection: sa.Connection, revocation_id: str) -> Sequence[Any]:
    table = schema.revocation_step
    query = sa.select(table).where(table.c.revocation_id == revocation_id)
    return list(connection.execute(query.order_by(table.c.finished_at, table.c.step)).mappings())


def _plain(row: Any) -> Row:
    return {k: v for k, v in row.items() if k != "row_hash"}


def _revocation(row: Mapping[str, Any]) -> Revocation:
    values = {name: row[name] for name in Revocation.__dataclass_fields__}
    return Revocation(**{**values, "plan": json.loads(values["plan"])})
