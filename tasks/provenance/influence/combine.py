"""One score of several: each part standardised per query, weighed as subset retrainings advise."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tasks.provenance.influence.calibrate import Retrained, predict

Floats = NDArray[np.float64]


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
    """Choose weights by non-negative least squares of measured on predicted help, over all queries.

    The optimum is the ordinary solution on the parts that it uses, so that trying every choice of
    the few parts finds it exactly. The largest weight is 1; when no part predicts anything all
    are. Measure the result on other queries and other subsets than these.
    """
    names = list(parts)
    predicted = [predict(standardise(parts[name]), retrained.masks) for name in names]
    columns = np.stack([_centred(one).ravel() for one in predicted], axis=1)
    target = standardise(-retrained.losses.T).ravel()
    best, chosen = float(target @ target), np.zeros(len(names))
    for number in range(1, len(names) + 1):
        for used in map(list, combinations(range(len(names)), number)):
            found = np.linalg.lstsq(columns[:, used], target, rcond=None)[0]
            rest = target - columns[:, used] @ found
            if (found > 0).all() and rest @ rest < best:
                best, chosen = float(rest @ rest), np.zeros(len(names))
                chosen[used] = found
    scaled = chosen / chosen.max() if chosen.max() > 0 else np.ones(len(names))
    return {name: round(float(weight), 4) for name, weight in zip(names, scaled, strict=True)}


def _centred(values: Floats) -> Floats:
    return values - values.mean(axis=1, keepdims=True)
