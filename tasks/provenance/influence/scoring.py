"""The parts of an influence score, computed for any queries, and the methods that add them up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.provenance.influence.calibrate import Lds, Retrained, calibrate
from tasks.provenance.influence.combine import combine, fit_weights, standardise
from tasks.provenance.influence.ekfac import fit_factors, require_kronfluence, score_queries
from tasks.provenance.influence.embedding import score_embedding
from tasks.provenance.influence.lexical import score_bigrams, score_tfidf
from tasks.provenance.influence.samples import Samples, Tokens

if TYPE_CHECKING:
    from torch import nn

    from tasks.provenance.influence.proxy import Influenceable

Floats = NDArray[np.float64]
Method = Literal["combined", "lexical"]
PARTS: dict[str, tuple[str, ...]] = {
    "combined": ("tfidf", "bigrams", "ekfac", "embedding"),
    "lexical": ("tfidf", "bigrams"),
}
"""What each method adds up; "lexical" needs neither the model nor kronfluence."""
UNFITTED = {"tfidf": 0.2, "bigrams": 1.0, "ekfac": 0.25, "embedding": 0.35}
"""Weights of a score that no retraining has calibrated."""
NUM_EARLY = 3
COMPANION_SEED = 1000
"""Seeds of companions begin so far above the model's, apart from those of retrainings."""


def seeds_of(seed: int, companions: int) -> list[int]:
    """Give the seed of the model and those of its companions."""
    return [seed, *range(seed + COMPANION_SEED, seed + COMPANION_SEED + companions)]


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A trained model, with checkpoints of it and of companions from other seeds.

    Gradients of one model are noisy: their scores are averaged over checkpoints and seeds.
    """

    trainer: "Influenceable"
    train: Tokens
    early: Sequence["nn.Module"]
    """Checkpoints of the first epochs, where the embedding's gradients say most."""
    curved: Sequence["nn.Module"]
    """Checkpoints whose curvature is known; the last one is the model that is explained."""
    factors: Path
    """Folder of what `fit_factors` wrote; read by the method "combined" only."""


@dataclass(frozen=True, kw_only=True)
class Halves:
    """Queries and subsets that weights are fitted on, and the others, that the LDS is measured on."""

    fit_queries: tuple[int, ...]
    fit_subsets: tuple[int, ...]
    fresh_queries: tuple[int, ...]
    fresh_subsets: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Weights of each method's parts, and how well methods and parts predict retrainings."""

    weights: Mapping[str, Mapping[str, float]]
    lds: Mapping[str, Lds]
    """By method and by part, on fresh queries and subsets; empty when nothing was retrained."""


def require_method(method: Method) -> None:
    """Raise MissingError, before any work, when the libraries of a method are not installed."""
    if "ekfac" in PARTS[method]:
        require_kronfluence()


def train_explained(
    trainer: "Influenceable", train: Tokens, seeds: Sequence[int], method: Method, folder: Path
) -> Explained:
    """Train once per seed and estimate the curvature; the first seed makes the explained model.

    The trainer's last two checkpoints are taken for curvature (of companions the one before the
    last) and its first ones for the embedding.
    """
    runs = [trainer.train(train, seed) for seed in seeds]
    curved = [model for run in runs[1:] for model in run[-2:-1]] + runs[0][-2:]
    if method == "combined":
        fit_factors(trainer, curved, train, folder)
    early = [model for run in runs for model in run[:NUM_EARLY]]
    return Explained(trainer=trainer, train=train, early=early, curved=curved, factors=folder)


def score_parts(model: Explained, queries: Samples, method: Method) -> dict[str, Floats]:
    """Score all training samples for each text by each part: [texts, samples]."""
    tokens, by_text = queries.tokens, queries.by_text
    found = {
        "tfidf": by_text(score_tfidf(model.train, tokens)),
        "bigrams": by_text(score_bigrams(model.train, tokens)),
    }
    if method == "combined":
        curved = score_queries(model.trainer, model.curved, model.train, tokens, model.factors)
        rows = [score_embedding(model.trainer, m, model.train, tokens) for m in model.early]
        found["ekfac"] = _over_checkpoints([by_text(scores) for scores in curved])
        found["embedding"] = _over_checkpoints([by_text(scores) for scores in rows])
    return found


def combine_parts(parts: Mapping[str, Floats], method: str, weights: Mapping[str, float]) -> Floats:
    """Add up the parts of a method: [texts, samples]."""
    return combine({name: parts[name] for name in PARTS[method]}, weights)


def halve(num_queries: int, num_subsets: int, seed: int) -> Halves:
    """Split queries and subsets at random into one half to fit on and one to measure on."""
    draw = np.random.default_rng(seed)
    queries = [int(at) for at in draw.permutation(num_queries)]
    subsets = [int(at) for at in draw.permutation(num_subsets)]
    return Halves(
        fit_queries=tuple(queries[: num_queries // 2]),
        fit_subsets=tuple(subsets[: num_subsets // 2]),
        fresh_queries=tuple(queries[num_queries // 2 :]),
        fresh_subsets=tuple(subsets[num_subsets // 2 :]),
    )


def calibrate_parts(
    parts: Mapping[str, Floats], retrained: Retrained | None, halves: Halves | None
) -> Calibration:
    """Fit the weights of each method on one half and measure methods and parts on the other."""
    offered = [method for method, names in PARTS.items() if set(names) <= set(parts)]
    if retrained is None or halves is None:
        return Calibration(weights={m: {n: UNFITTED[n] for n in PARTS[m]} for m in offered}, lds={})
    fit = retrained.select(halves.fit_queries, halves.fit_subsets)
    fresh = retrained.select(halves.fresh_queries, halves.fresh_subsets)
    lds = {
        name: calibrate(scores[list(halves.fresh_queries)], fresh) for name, scores in parts.items()
    }
    weights: dict[str, Mapping[str, float]] = {}
    for method in offered:
        mine = {name: parts[name][list(halves.fit_queries)] for name in PARTS[method]}
        weights[method] = fit_weights(mine, fit)
        combined = combine_parts(parts, method, weights[method])
        lds[method] = calibrate(combined[list(halves.fresh_queries)], fresh)
    return Calibration(weights=weights, lds=lds)


def _over_checkpoints(scores: Sequence[Floats]) -> Floats:
    return np.sum([standardise(one) for one in scores], axis=0)
