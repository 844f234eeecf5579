"""Gather an audit from what is stored now; nothing is changed."""

from storage.home import Home
from storage.ledger_impact import signed_heads
from storage.ledger_rows import now
from storage.revoked import source_names
from tasks.provenance.audit.answers import audit_answers
from tasks.provenance.audit.records import Audit, HeadsKept, TrustLine
from tasks.provenance.lineage.model_why import explain_model

MOST_ANSWERS = 1_000


def collect(home: Home, model: str = "", max_answers: int = MOST_ANSWERS) -> Audit:
    """Audit a model, or the newest answers when no model is named; NotFoundError without it."""
    return Audit(
        subject=model or "answers",
        made_at=now(),
        answers=None if model else audit_answers(home, max_answers),
        model=explain_model(home, model) if model else None,
        revocations=tuple(one for one in home.revocations.list() if one.state != "done"),
        trust=tuple(_trust(home, name) for name in source_names(home.ledger_url)),
        heads=_heads(home),
    )


def _trust(home: Home, source: str) -> TrustLine:
    found = home.trust_records.effective(source)
    row = home.ledger.get("source", source.replace("|", "%7C")) or {}
    return TrustLine(
        source=source,
        status=str(row.get("status", "")),
        trust=found.trust,
        by=found.by,
        who=found.override.who if found.override else "",
        why=found.override.why if found.override else "",
    )


def _heads(home: Home) -> HeadsKept:
    heads, entries = signed_heads(home.ledger_url), home.ledger.head().seq
    return HeadsKept(
        n_heads=len(heads),
        first_signed_at=heads[0][1] if heads else "",
        last_signed_at=heads[-1][1] if heads else "",
        n_entries=entries,
        n_unsigned=entries - (heads[-1][0] if heads else 0),
    )
