"""Trust in the ledger: computed scores, what people decided instead, and feedback on answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from storage import ledger_schema as schema
from storage.errors import InputError, NotFoundError
from storage.ledger_engine import reading, writing
from storage.ledger_log import record
from storage.ledger_rows import json_text, now
from storage.ledger_schema import Row

Verdict = Literal["accepted", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """Trust as it was computed from evidence."""

    source: str
    score: float
    components: Mapping[str, Any]
    """Name -> {value, weight, n, evidence}."""
    run_id: str
    computed_at: str


@dataclass(frozen=True, kw_only=True)
class Override:
    """What a person decided: trust set to a value, or the last decision lifted."""

    source: str
    trust: float
    action: Literal["set", "lift"]
    who: str
    why: str
    decided_at: str


@dataclass(frozen=True, kw_only=True)
class Effective:
    """Trust that counts, and where it comes from; the override wins, and all are shown."""

    source: str
    trust: float
    by: Literal["override", "computed", "declared"]
    declared: float
    """What the source was registered with."""
    score: Score | None
    override: Override | None


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What a person said about an answer."""

    answer_id: str
    verdict: Verdict
    who: str
    why: str
    given_at: str


@dataclass(frozen=True)
class TrustRecords:
    """The trust records in the ledger behind a SQLAlchemy URL."""

    url: str

    def record(
        self, source: str, score: float, components: Mapping[str, object], run_id: str
    ) -> None:
        """Record a computed score; the same score from the same components changes nothing."""
        _check(source, score)
        latest = self.current(source)
        text = json_text(components)
        if latest and (latest.score, json_text(latest.components)) == (float(score), text):
            return
        row: Row = {"source": source, "computed_at": now(), "score": float(score)}
        self._write(schema.trust, {**row, "components": text, "run_id": run_id})

    def current(self, source: str) -> Score | None:
        """Give the latest computed score; None when there is none."""
        scores = self._scores(source, 1)
        return scores[0] if scores else None

    def override(self, source: str, trust: float, who: str, why: str) -> None:
        """Set the trust of a source by hand; it holds until it is lifted or set again.

        InputError when the source was revoked: its trust counts for nothing any more.
        """
        self._refuse_revoked(source)
        self._decide(source, trust, "set", who, why)

    def lift(self, source: str, who: str, why: str) -> None:
        """Take the override of a source back; InputError when there is none."""
        standing = self.effective(source).override
        if standing is None:
            raise InputError("has no override to lift", item=f"source:{source}")
        self._decide(source, standing.trust, "lift", who, why)

    def effective(self, source: str) -> Effective:
        """Give the trust that counts; NotFoundError when the source is unknown."""
        declared = self._declared(source)
        score, decisions = self.current(source), self._decisions(source, 1)
        standing = decisions[0] if decisions and decisions[0].action == "set" else None
        found: tuple[float, Literal["override", "computed", "declared"]] = (declared, "declared")
        if score is not None:
            found = (score.score, "computed")
        if standing is not None:
            found = (standing.trust, "override")
        return Effective(
            source=source,
            trust=found[0],
            by=found[1],
            declared=declared,
            score=score,
            override=standing,
        )

    def history(self, source: str) -> list[Score | Override]:
        """Give every score and every decision about a source, newest first."""
        both: list[Score | Override] = [*self._scores(source), *self._decisions(source)]
        return sorted(both, key=_time, reverse=True)

    def feedback(self, answer_id: str, verdict: Verdict, who: str, why: str) -> None:
        """Record what a person thinks of an answer."""
        if verdict not in {"accepted", "rejected"}:
            raise InputError(f"{verdict!r} is neither accepted nor rejected", item=answer_id)
        row: Row = {"answer_id": answer_id.removeprefix("answer:"), "given_at": now()}
        self._write(schema.feedback, {**row, "verdict": verdict, "who": who, "why": why})

    def feedbacks(self) -> list[Feedback]:
        """Give all feedback, oldest first."""
        table = schema.feedback
        query = sa.select(table).order_by(table.c.given_at, table.c.answer_id)
        with reading(self.url) as connection:
            rows = connection.execute(query).mappings().all()
        return [Feedback(**{k: row[k] for k in Feedback.__dataclass_fields__}) for row in rows]

    def _decide(
        self, source: str, trust: float, action: Literal["set", "lift"], who: str, why: str
    ) -> None:
        _check(source, trust)
        self._declared(source)
        if not why.strip() or not who.strip():
            raise InputError(
                "an override needs who and why", item=f"source:{source}", way_out="Give both"
            )
        row: Row = {"source": source, "decided_at": now(), "trust": float(trust)}
        self._write(schema.trust_override, {**row, "action": action, "who": who, "why": why})

    def _write(self, table: sa.Table, row: Row) -> None:
        with writing(self.url) as connection:
            record(connection, table, [row])

    def _declared(self, source: str) -> float:
        table = schema.source
        query = sa.select(table.c.trust).where(table.c.name == source)
        with reading(self.url) as connection:
            found = connection.execute(query).scalar()
            if found is not None:
                return float(found)
            names = connection.execute(sa.select(table.c.name).order_by(table.c.name)).scalars()
            way_out = f"There are: {', '.join(names) or 'none'}"
        raise NotFoundError("no such source", item=f"source:{source}", way_out=way_out)

    def _refuse_revoked(self, source: str) -> None:
        table = schema.source
        query = sa.select(table.c.status).where(table.c.name == source)
        with reading(self.url) as connection:
            status = connection.execute(query).scalar()
        if status == "revoked":
            raise InputError(
                "was revoked, so its trust counts for nothing",
                item=f"source:{source}",
                way_out=f"`suyuan trust {source}` shows by what; "
                "with a new right to it, ingest it under another name",
            )

    def _scores(self, source: str, limit: int | None = None) -> list[Score]:
        table = schema.trust
        query = sa.select(table).where(table.c.source == source)
        with reading(self.url) as connection:
            found = connection.execute(query.order_by(table.c.computed_at.desc()).limit(limit))
            rows = [{k: row[k] for k in Score.__dataclass_fields__} for row in found.mappings()]
        return [Score(**{**row, "components": json.loads(row["components"])}) for row in rows]

    def _decisions(self, source: str, limit: int | None = None) -> list[Override]:
        table = schema.trust_override
        query = sa.select(table).where(table.c.source == source)
        with reading(self.url) as connection:
            found = connection.execute(query.order_by(table.c.decided_at.desc()).limit(limit))
            names = Override.__dataclass_fields__
            return [Override(**{k: row[k] for k in names}) for row in found.mappings()]


def _time(entry: Score | Override) -> str:
    return entry.computed_at if isinstance(entry, Score) else entry.decided_at


def _check(source: str, trust: float) -> None:
    if not 0 <= trust <= 1:
        raise InputError(f"trust {trust} is not within 0 and 1", item=f"source:{source}")
