"""What all attempts at a step of a revocation did together: it is what the certificate counts."""

from collections.abc import Mapping

from tasks.provenance.revocation.work import Detail

_WHOLE = frozenset({"fingerprints", "answers", "trace", "models", "proof"})
"""Steps that say how things stand, whoever made them so: their last word is the whole."""
_WHOLE_FACTS = frozenset(
    {
        ("tombstone", "documents"),
        ("tombstone", "ledger_rows"),
        ("spans", "segments"),
        ("bytes", "blobs"),
        ("bytes", "ledger_rows"),
    }
)
"""The same of single facts."""


def together(step: str, before: Mapping[str, object], now: Detail) -> Detail:
    """Add what an attempt did to what those before it did: numbers add up, lists grow."""
    if step in _WHOLE:
        return now
    return {**before, **{name: _joined(step, name, before.get(name), now[name]) for name in now}}


def _joined(step: str, name: str, before: object, now: object) -> object:
    if (step, name) in _WHOLE_FACTS:
        return now
    if isinstance(before, int) and isinstance(now, int):
        return before + now
    if isinstance(before, list) and isinstance(now, list):
        return list(dict.fromkeys([*before, *now]))
    return now
