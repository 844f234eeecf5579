"""How far sources are trusted: computed from evidence, overruled by people, explained."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from storage.errors import MissingError
from storage.home import Home
from storage.trust import Override, Verdict
from tasks.provenance.trust.evidence import gather
from tasks.provenance.trust.score import (
    WEIGHTS,
    Component,
    Decided,
    ShownComponent,
    SourceTrust,
    score,
)
from tasks.provenance.trust.view import render_trust, say_evidence

__all__ = ["SourceTrust", "give_feedback", "refresh_trust", "render_trust", "trust_of"]


def refresh_trust(home: Home, run_id: str, at: datetime | None = None) -> dict[str, SourceTrust]:
    """Compute and record the trust of every active source; equal evidence records nothing new."""
    for name, components in gather(home, at).items():
        row = _row(home, name)
        if row is None or row["status"] == "revoked":
            continue
        computed = round(score(float(row["trust"]), components), 4)
        shown = {key: asdict(_shown(key, part)) for key, part in components.items()}
        home.trust_records.record(name, computed, shown, run_id)
    return trust_of(home)


def trust_of(home: Home, source: str = "") -> dict[str, SourceTrust]:
    """Give the trust of one source or of all, with its evidence and every decision of a person."""
    if source:
        return {source: _view(home, source)}
    found = {}
    for name in _names(home):
        row = _row(home, name)
        if row is not None and row["status"] != "revoked":
            found[name] = _view(home, name)
    return found


def give_feedback(home: Home, answer_id: str, *, accept: bool, who: str, why: str) -> str:
    """Record what a person thinks of an answer and give its id.

    NotFoundError without the answer; MissingError when it was erased: nobody can judge it any more.
    """
    found = home.ledger.answer(answer_id)
    if found.state == "erased":
        raise MissingError(
            f"was erased ({found.stale_reason}), so it can no longer be judged",
            item=f"answer:{found.answer_id}",
            way_out="Ask the question again, and judge the new answer",
        )
    verdict: Verdict = "accepted" if accept else "rejected"
    home.trust_records.feedback(found.answer_id, verdict, who, why)
    return found.answer_id


def _names(home: Home) -> list[str]:
    """Name the sources that hold or held anything."""
    tables = (home.table(name).scan().select("source") for name in ("documents", "quarantine"))
    return sorted({name for table in tables for name in table.unique().collect()["source"]})


def _row(home: Home, source: str) -> Mapping[str, Any] | None:
    return home.ledger.get("source", source.replace("|", "%7C"))


def _shown(name: str, part: Component) -> ShownComponent:
    return ShownComponent(
        value=part.value,
        weight=WEIGHTS[name],
        n=part.n,
        evidence=say_evidence(name, part.facts, "en"),
        facts=part.facts,
    )


def _view(home: Home, source: str) -> SourceTrust:
    found = home.trust_records.effective(source)
    parts = found.score.components if found.score else {}
    history = home.trust_records.history(source)
    return SourceTrust(
        source=source,
        trust=found.trust,
        by=found.by,
        declared=found.declared,
        score=found.score.score if found.score else None,
        computed_at=found.score.computed_at if found.score else "",
        components={name: ShownComponent(**part) for name, part in parts.items()},
        override=_decided(found.override) if found.override else None,
        decisions=tuple(_decided(entry) for entry in history if isinstance(entry, Override)),
    )


def _decided(entry: Override) -> Decided:
    return Decided(
        action=entry.action,
        trust=entry.trust,
        who=entry.who,
        why=entry.why,
        decided_at=entry.decided_at,
    )
