"""One score of several: each part standardised per query, weighed as subset retrainings advise."""

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tasks.provenance.influence.calibrate import Retrained, correlate, predict

Floats = NDArray[np.float64]
GRID = (0.0, 0.25, 0.5, 1.0)
"""Weights that are tried; coarse, so that there is little to overfit."""


def standardise(scores: Floats) -> Floats:
    """Shift and scale each query's scores to mean 0 and deviation 1; a constant row gives zeros."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    deviation = scores.std(axis=1, keepdims=True)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)


def combine(parts: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """Sum the standardised parts with their weights: [queries, samples]."""
    summed = [weights[name] * standardise(scores) for name, scores in parts.items()]
    return np.sum(summed, axis=0)


def fit_weights(parts: Mapping[str, Floats], retrained: Retrained) -> dict[str, float]:
    """Choose the weights of the grid whose prediction agrees best with the retrainings.

    The largest weight is 1; of equally good ones the first of the grid is taken. Measure the
    result on other queries and other subsets than these.
    """
    names = list(parts)
    predicted = [predict(standardise(parts[name]), retrained.masks) for name in names]
    best, chosen = -np.inf, dict.fromkeys(names, 1.0)
    for weights in product(GRID, repeat=len(names)):
        if max(weights) != 1.0:
            continue  # a multiple of another one
        mixed = np.sum([w * p for w, p in zip(weights, predicted, strict=True)], axis=0)
        found = float(correlate(mixed, retrained.losses).mean())
        if found > best:
            best, chosen = found, dict(zip(names, weights, strict=True))
    return chosen
