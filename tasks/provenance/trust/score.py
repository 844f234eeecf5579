"""Trust of a source as a number: evidence by component, weighed, and drawn to a person's prior.

With the components i that have evidence, n_i observations each, values v_i from 0 to 1:

    mean  = Σ w_i · r_i · v_i / Σ w_i · r_i        r_i = n_i / (n_i + HALF_N)
    score = λ · mean + (1 − λ) · prior             λ = n / (n + PRIOR_N), n = max n_i

A component without evidence has no value and takes no part; with none at all the score is the
prior, which is what the person who ingested the source said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

HALF_N = 10
"""Observations at which a component has half of its weight."""
PRIOR_N = 20
"""Observations at which evidence and prior count alike."""
WEIGHTS: Mapping[str, float] = {
    "duplicates": 1.0,
    "contradictions": 2.0,
    "age": 0.5,
    "licences": 1.0,
    "quarantine": 1.0,
    "helpfulness": 2.0,
}
"""What is said, and how people judged it, counts more than how the source is kept."""

Fact = float | int | str


@dataclass(frozen=True, kw_only=True)
class Component:
    """One kind of evidence about a source."""

    value: float | None
    """From 0 (bad) to 1 (good); None without evidence."""
    n: int
    """Observations behind the value."""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """What the sentence of evidence tells."""


@dataclass(frozen=True, kw_only=True)
class ShownComponent:
    """A component as it is recorded and shown."""

    value: float | None
    weight: float
    n: int
    evidence: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision of a person about a source."""

    action: Literal["set", "lift"]
    trust: float
    who: str
    why: str
    decided_at: str


@dataclass(frozen=True, kw_only=True)
class SourceTrust:
    """How far a source is trusted, and all that this rests on."""

    source: str
    trust: float
    """What counts."""
    by: Literal["override", "computed", "declared"]
    declared: float
    """What the person who ingested it said."""
    score: float | None
    """What was computed last; None before the first refresh."""
    computed_at: str
    components: Mapping[str, ShownComponent]
    override: Decided | None
    decisions: tuple[Decided, ...]
    """Every decision of a person, newest first."""


def score(prior: float, components: Mapping[str, Component]) -> float:
    """Compute the trust of a source; see the module for the formula."""
    known = {name: part for name, part in components.items() if part.value is not None and part.n}
    if not known:
        return prior
    weights = {name: WEIGHTS[name] * part.n / (part.n + HALF_N) for name, part in known.items()}
    total = sum(weights[name] * float(part.value or 0) for name, part in known.items())
    most = max(part.n for part in known.values())
    share = most / (most + PRIOR_N)
    return share * total / sum(weights.values()) + (1 - share) * prior
