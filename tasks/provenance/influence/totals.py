"""Totals for owners: how much each document and each source helped or hurt on an evaluation set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.provenance.influence.calibrate import Progress, bootstrap
from tasks.provenance.influence.samples import PAD, Samples, Tokens

if TYPE_CHECKING:
    from tasks.provenance.influence.proxy import Influenceable

Floats = NDArray[np.float64]
Verdict = Literal["helped", "hurt", "unclear"]
MAX_LEFT_OUT = 8
"""Sources that are left out and retrained without, the largest first."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A mean over queries with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Say helped or hurt only when the interval does not hold 0."""
        if self.low > 0:
            return "helped"
        return "hurt" if self.high < 0 else "unclear"


@dataclass(frozen=True, kw_only=True)
class Total:
    """What the samples of one document or source did together."""

    name: str
    """A doc_id or the name of a source."""
    num_documents: int
    num_samples: int
    score: Effect
    """Sum of the scores of its samples; 0 is what as many average samples would have."""
    removed: Effect | None
    """Rise of the loss per token, in nats, of a model retrained without it; None: not measured."""


def totals(
    scores: Floats,
    rows: pl.DataFrame,
    by: Literal["doc_id", "source"],
    removed: Mapping[str, Effect] | None = None,
) -> list[Total]:
    """Sum the scores [queries, samples] of each document or source; the most helpful first."""
    names = rows[by].to_numpy()
    documents = rows["doc_id"].to_numpy()
    found = []
    for name in np.unique(names):
        mine = names == name
        found.append(
            Total(
                name=str(name),
                num_documents=len(np.unique(documents[mine])),
                num_samples=int(mine.sum()),
                score=effect(scores[:, mine].sum(axis=1)),
                removed=(removed or {}).get(str(name)),
            )
        )
    return sorted(found, key=lambda total: -total.score.value)


def leave_out(
    trainer: "Influenceable",
    train: Tokens,
    sources: Sequence[str],
    queries: Samples,
    seeds: Sequence[int],
    progress: Progress,
) -> dict[str, Effect]:
    """Retrain without each of the largest sources and measure what the evaluation loses by it.

    This is no estimate: the loss per token of the model without the source, minus that of the
    model with it, on the same queries. Nothing is measured for a single source.
    """
    from tasks.provenance.influence.proxy import measure_losses

    names, counts = np.unique(np.asarray(sources), return_counts=True)
    largest = [str(names[at]) for at in np.argsort(-counts, kind="stable")[:MAX_LEFT_OUT]]
    if len(names) < 2:
        return {}
    lengths = queries.by_text((queries.tokens[:, 1:] != PAD).sum(axis=1))

    def losses(keep: NDArray[np.bool_]) -> Floats:
        models = [trainer.train(train[keep], seed)[-1] for seed in seeds]
        runs = [measure_losses(trainer, model, queries.tokens) for model in models]
        return queries.by_text(np.mean(runs, axis=0)) / lengths

    full = losses(np.ones(len(train), bool))
    found = {}
    for done, name in enumerate(largest, start=1):
        found[name] = effect(losses(np.asarray(sources) != name) - full)
        progress("leave out", done, len(largest))
    return found


def effect(values: Floats) -> Effect:
    """Give the mean over queries and its interval."""
    low, high = bootstrap(values)
    return Effect(value=float(values.mean()), low=low, high=high)
