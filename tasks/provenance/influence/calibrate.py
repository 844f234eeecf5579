"""How far influence scores can be relied on: the linear datamodelling score (LDS).

Park et al. 2023 (TRAK): retrain on random halves of the documents; the sum of the scores of a
half should rank the halves as their measured losses do. The LDS is the Spearman correlation of the
two, averaged over queries.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.provenance.influence.samples import Tokens

if TYPE_CHECKING:
    from tasks.provenance.influence.proxy import Influenceable

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Progress = Callable[[str, int, int], None]
RESAMPLES = 2000
MIN_SUBSETS = 5
MIN_QUERIES = 5
"""With fewer there is no interval to speak of."""


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """Which samples each retraining saw, and the loss that it gave each query."""

    masks: Masks
    """[subsets, samples]"""
    losses: Floats
    """[subsets, queries]"""

    def select(self, queries: Sequence[int], subsets: Sequence[int]) -> "Retrained":
        """Keep some queries and some subsets."""
        return Retrained(
            masks=self.masks[list(subsets)], losses=self.losses[np.ix_(subsets, queries)]
        )


@dataclass(frozen=True, kw_only=True)
class Lds:
    """The LDS with its 95 % interval and standard error over queries."""

    value: float
    low: float
    high: float
    error: float
    num_queries: int
    num_subsets: int


def draw_subsets(documents: Sequence[str], number: int, seed: int, share: float = 0.5) -> Masks:
    """Draw random parts of the documents: which samples are in, [subsets, samples]."""
    names, which = np.unique(np.asarray(documents), return_inverse=True)
    size = max(1, round(len(names) * share))
    masks = np.zeros((number, len(documents)), bool)
    for at in range(number):
        chosen = np.random.default_rng([seed, at]).permutation(len(names))[:size]
        masks[at] = np.isin(which, chosen)
    return masks


def retrain(
    trainer: "Influenceable",
    train: Tokens,
    queries: Tokens,
    masks: Masks,
    seeds: Sequence[int],
    progress: Progress,
) -> Retrained:
    """Train on each subset, once per seed, and measure every query; losses are means over seeds."""
    from tasks.provenance.influence.proxy import measure_losses

    losses = np.zeros((len(masks), len(queries)))
    for at, mask in enumerate(masks):
        for seed in seeds:
            model = trainer.train(train[mask], seed)[-1]
            losses[at] += measure_losses(trainer, model, queries) / len(seeds)
        progress("retrain", at + 1, len(masks))
    return Retrained(masks=masks, losses=losses)


def predict(scores: Floats, masks: Masks) -> Floats:
    """Sum the scores of each subset's samples: [queries, subsets]."""
    return scores @ masks.T.astype(float)


def correlate(predicted: Floats, losses: Floats) -> Floats:
    """Correlate ranks of predicted help with ranks of measured losses, falling: one per query.

    Of a query whose prediction or loss does not differ between subsets nothing can be said: 0.
    """
    ours, truth = _centred_ranks(predicted), _centred_ranks(-losses.T)
    norm = np.sqrt((ours**2).sum(axis=1) * (truth**2).sum(axis=1))
    return np.divide((ours * truth).sum(axis=1), norm, out=np.zeros(len(norm)), where=norm > 0)


def lds_per_query(scores: Floats, retrained: Retrained) -> Floats:
    """Give the LDS of each query."""
    return correlate(predict(scores, retrained.masks), retrained.losses)


def calibrate(scores: Floats, retrained: Retrained, seed: int = 0) -> Lds:
    """Give the LDS with its interval; a ValueError when there are too few subsets or queries."""
    if len(retrained.masks) < MIN_SUBSETS or len(scores) < MIN_QUERIES:
        raise ValueError(f"an LDS needs at least {MIN_SUBSETS} subsets and {MIN_QUERIES} queries")
    values = lds_per_query(scores, retrained)
    low, high = bootstrap(values, seed)
    return Lds(
        value=float(values.mean()),
        low=low,
        high=high,
        error=float(values.std(ddof=1) / np.sqrt(len(values))),
        num_queries=len(values),
        num_subsets=len(retrained.masks),
    )


def bootstrap(values: Floats, seed: int = 0) -> tuple[float, float]:
    """Give the 95 % percentile interval of a mean (Efron 1979)."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return min(float(low), float(values.mean())), max(float(high), float(values.mean()))


def _centred_ranks(values: Floats) -> Floats:
    ranks = np.array([_ranks(row) for row in values])
    return ranks - ranks.mean(axis=1, keepdims=True)


def _ranks(row: Floats) -> Floats:
    """Give ranks from 1; equal values share the mean of theirs."""
    _, which, counts = np.unique(row, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]
