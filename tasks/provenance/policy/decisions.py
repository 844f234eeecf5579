"""What may be done with a text: the algebra of SPDX expressions over a policy table.

An expression, or a text made of several sources, comes down to the set of licences that bind:
AND and several sources join the sets, OR takes the caller's best arm, and of a set the strictest
verdict holds with the obligations of all. So AND is commutative, associative and idempotent, deny
dominates it, OR is never worse than its best arm, and one more source never loosens anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar

from license_expression import ExpressionError, ParseError

from storage.records import UNKNOWN_LICENCE
from tasks.provenance.licences.declarations import MAX_EXPRESSION
from tasks.provenance.licences.names import spdx
from tasks.provenance.policy.file import default_policy, load_policy
from tasks.provenance.policy.table import VERDICTS, Policy, Term, Use, Verdict

__all__ = [
    "Decision",
    "Obligation",
    "Policy",
    "Selection",
    "combine",
    "decide",
    "default_policy",
    "load_policy",
    "refusal_to_index",
    "refusal_to_quote",
    "select_for_training",
]

R = TypeVar("R", bound=Mapping[str, Any])
_DUTIES: Mapping[Verdict, tuple[Literal["attribute", "share-alike"], ...]] = {
    "allow": (),
    "attribute": ("attribute",),
    "share-alike": ("attribute", "share-alike"),
}


@dataclass(frozen=True, kw_only=True, order=True)
class Obligation:
    """Something to do, or to leave, when a text under this licence is used."""

    licence: str
    kind: Literal["attribute", "share-alike"] | Term


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The verdict on one use, with all that it asks for."""

    use: Use
    verdict: Verdict
    obligations: tuple[Obligation, ...]
    """Sorted; none when the use is denied."""
    because: str
    """The licences that decide, with their families."""
    chosen: str
    """The licences that bind: of every OR the arm that was taken; "" for a text of no source."""

    @property
    def allowed(self) -> bool:
        """Tell whether the use may go ahead, with its obligations."""
        return self.verdict != "deny"

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Give share-alike licences that cannot all cover one text: keep such parts apart."""
        alike = tuple(o.licence for o in self.obligations if o.kind == "share-alike")
        return alike if len(alike) > 1 else ()


@dataclass(frozen=True, kw_only=True)
class Refused(Generic[R]):
    """A row that may not be used, and why."""

    row: R
    reason: str


@dataclass(frozen=True, kw_only=True)
class Selection(Generic[R]):
    """Rows that may be trained on, and those that may not."""

    allowed: tuple[R, ...]
    refused: tuple[Refused[R], ...]
    counts: Mapping[str, int]
    """Refused rows by reason."""
    obligations: tuple[Obligation, ...]
    """What the allowed rows together ask for."""
    policy: str
    """Digest of the policy that decided."""


def decide(expression: str, use: Use, policy: Policy | None = None) -> Decision:
    """Decide on one use of a text under an SPDX expression; what cannot be read is unknown."""
    return _decide(expression, use, policy or default_policy())


def combine(expressions: Iterable[str], use: Use, policy: Policy | None = None) -> Decision:
    """Decide on one use of a text that is made of several sources."""
    policy = policy or default_policy()
    sets = [_binding(expression, use, policy) for expression in expressions]
    return _judge(frozenset().union(*sets), use, policy)


def select_for_training(rows: Iterable[R], policy: Policy | None = None) -> Selection[R]:
    """Part rows (mappings with a column `licence`) into those to train on and those refused."""
    policy = policy or default_policy()
    allowed: list[R] = []
    refused: list[Refused[R]] = []
    counts: dict[str, int] = {}
    licences: dict[str, None] = {}
    for row in rows:
        licence = str(row.get("licence") or UNKNOWN_LICENCE)
        decision = _decide(licence, "train", policy)
        if decision.allowed:
            allowed.append(row)
            licences[licence] = None
        else:
            refused.append(Refused(row=row, reason=decision.because))
            counts[decision.because] = counts.get(decision.because, 0) + 1
    return Selection(
        allowed=tuple(allowed),
        refused=tuple(refused),
        counts=counts,
        obligations=combine(licences, "train", policy).obligations,
        policy=policy.digest,
    )


def refusal_to_index(policy: Policy, licence: str) -> str:
    """Say why a document under this licence may not be indexed, with the way out; "" if it may."""
    decision = _decide(licence, "index", policy)
    if decision.allowed:
        return ""
    return (
        f"the policy {policy.name!r} denies indexing: {decision.because}; "
        "state another licence with --licence if you hold one, or change the file that "
        "SUYUAN_POLICY names, and ingest again"
    )


def refusal_to_quote(policy: Policy, licence: str) -> str:
    """Say why passages under this licence may not be quoted; "" if they may."""
    decision = _decide(licence, "quote", policy)
    return "" if decision.allowed else f"the policy {policy.name!r} denies it: {decision.because}"


@lru_cache(maxsize=4096)
def _decide(expression: str, use: Use, policy: Policy) -> Decision:
    return _judge(_binding(expression, use, policy), use, policy)


@lru_cache(maxsize=4096)
def _binding(expression: str, use: Use, policy: Policy) -> frozenset[str]:
    """Give the licences that bind for a use."""
    if len(expression) > MAX_EXPRESSION:
        return frozenset((UNKNOWN_LICENCE,))
    try:
        parsed = spdx().parse(expression, validate=False)
        found = _walk(parsed, use, policy) if parsed is not None else None
    except (ExpressionError, ParseError, RecursionError):
        found = None
    return found or frozenset((UNKNOWN_LICENCE,))


def _walk(node: Any, use: Use, policy: Policy) -> frozenset[str]:
    operator = type(node).__name__
    if operator not in ("AND", "OR"):
        return frozenset((node.render(),))
    arms = [_walk(arm, use, policy) for arm in node.args]
    if operator == "AND":
        return frozenset().union(*arms)
    return min(arms, key=lambda arm: _cost(arm, use, policy))


def _cost(licences: frozenset[str], use: Use, policy: Policy) -> tuple[int, int, Sequence[str]]:
    """Order arms: the milder verdict, then fewer obligations, then the names."""
    judged = _judge(licences, use, policy)
    return VERDICTS.index(judged.verdict), len(judged.obligations), sorted(licences)


def _judge(licences: frozenset[str], use: Use, policy: Policy) -> Decision:
    rows = [(licence, policy.family(licence)) for licence in sorted(licences)]
    verdicts: list[Verdict] = ["allow", *(family.verdict(use) for _, family in rows)]
    verdict = max(verdicts, key=VERDICTS.index)
    named = [row for row in rows if verdict != "deny" or row[1].verdict(use) == "deny"]
    obligations = {
        Obligation(licence=licence, kind=kind)
        for licence, family in rows
        if verdict != "deny"
        for kind in (*_DUTIES[family.verdict(use)], *family.terms)
    }
    words = [f"{licence} ({family.name}): {use} {family.verdict(use)}" for licence, family in named]
    return Decision(
        use=use,
        verdict=verdict,
        obligations=tuple(sorted(obligations)),
        because="; ".join(words),
        chosen=" AND ".join(sorted(licences)),
    )
