"""Ranking metrics per query, and their means with 95 % intervals.

Cumulated gain follows Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques",
ACM TOIS 20(4), 2002, with the discount 1 / log2(rank + 1) that trec_eval and BEIR use. The gain of
a passage is its grade (graded) or 1 (binary). Arrays are named by axes: q queries, k ranks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Judgements = Mapping[str, int]
"""Grade of each relevant passage of one query; what is not named has grade 0."""

CUT = 10
RECALL_CUTS = (1, 5, 10, 20, 50, 100)
RESAMPLES = 1000
_BATCH_CELLS = 2_000_000
"""Resampled values held in memory at once."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over n queries with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a ranking of depth k earned per query, beside the best it could have earned."""

    gains_qk: Floats
    """Grade of the passage at each rank; 0 when it is not relevant or the list ended."""
    ideal_qk: Floats
    """The query's grades in falling order, cut at k."""
    num_relevant_q: Floats


def judge(
    rankings: Sequence[Sequence[str]], judgements: Sequence[Judgements], depth: int
) -> Judged:
    """Look up the grades of ranked passages; a passage listed again earns nothing.

    Raises ValueError when a query has no relevant passage: no metric is defined for it.
    """
    if len(rankings) != len(judgements):
        raise ValueError(f"{len(rankings)} rankings for {len(judgements)} judged queries")
    gains, ideal = np.zeros((2, len(rankings), depth))
    num_relevant = np.zeros(len(rankings))
    for row, (ranking, grades) in enumerate(zip(rankings, judgements, strict=True)):
        best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
        if not best:
            raise ValueError(f"query {row} has no relevant passage")
        num_relevant[row] = len(best)
        ideal[row, : len(best)] = best[:depth]
        gains[row] = _grades(ranking, grades, depth)
    return Judged(gains_qk=gains, ideal_qk=ideal, num_relevant_q=num_relevant)


def _grades(ranking: Sequence[str], grades: Judgements, depth: int) -> Floats:
    found = np.zeros(depth)
    seen: set[str] = set()
    for rank, passage in enumerate(ranking[:depth]):
        if passage not in seen:
            found[rank] = max(grades.get(passage, 0), 0)
            seen.add(passage)
    return found


def recall(judged: Judged, k: int) -> Floats:
    """Share of the relevant passages that are among the first k, per query."""
    return (judged.gains_qk[:, :k] > 0).sum(axis=1) / judged.num_relevant_q


def hit(judged: Judged, k: int = 1) -> Floats:
    """1 where any of the first k passages is relevant, else 0, per query."""
    return (judged.gains_qk[:, :k] > 0).any(axis=1).astype(float)


def reciprocal_rank(judged: Judged, k: int = CUT) -> Floats:
    """1 / rank of the first relevant passage, 0 when it is beyond k, per query."""
    relevant_qk = judged.gains_qk[:, :k] > 0
    return np.where(relevant_qk.any(axis=1), 1.0 / (relevant_qk.argmax(axis=1) + 1.0), 0.0)


def ndcg(judged: Judged, k: int = CUT, *, graded: bool = False) -> Floats:
    """Discounted cumulated gain of the first k divided by that of the best ranking, per query."""
    gains_qk, ideal_qk = judged.gains_qk[:, :k], judged.ideal_qk[:, :k]
    if not graded:
        gains_qk, ideal_qk = (gains_qk > 0).astype(float), (ideal_qk > 0).astype(float)
    discount_k = 1.0 / np.log2(np.arange(gains_qk.shape[1]) + 2.0)
    # summed alike on both sides, so that a perfect ranking gives exactly 1
    return (gains_qk * discount_k).sum(axis=1) / (ideal_qk * discount_k).sum(axis=1)


def per_query(judged: Judged, recall_cuts: Sequence[int] = RECALL_CUTS) -> dict[str, Floats]:
    """Compute every reported metric; `ndcg_graded@10` only where grades differ."""
    values = {
        f"ndcg@{CUT}": ndcg(judged),
        f"mrr@{CUT}": reciprocal_rank(judged),
        "hit@1": hit(judged),
        **{f"recall@{k}": recall(judged, k) for k in recall_cuts},
    }
    if judged.ideal_qk.max(initial=1.0) > 1:
        values[f"ndcg_graded@{CUT}"] = ndcg(judged, graded=True)
    return values


def bootstrap_interval(
    values_q: Floats, *, seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95
) -> Interval:
    """Resample the queries (percentile bootstrap, Efron 1979); never outside the values' range."""
    if len(values_q) == 0:
        raise ValueError("an interval needs at least one value")
    means = np.concatenate(list(_resampled_means(values_q, seed, resamples)))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    mean = float(values_q.mean())
    return Interval(
        mean=mean, low=min(float(low), mean), high=max(float(high), mean), n=len(values_q)
    )


def _resampled_means(values_q: Floats, seed: int, resamples: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    batch = max(1, _BATCH_CELLS // len(values_q))
    for at in range(0, resamples, batch):
        drawn = rng.integers(0, len(values_q), (min(batch, resamples - at), len(values_q)))
        yield values_q[drawn].mean(axis=1)


def paired_difference(ours_q: Floats, theirs_q: Floats, *, seed: int = 0) -> Interval:
    """Give the mean of ours - theirs over the same queries, with its interval."""
    if ours_q.shape != theirs_q.shape:
        raise ValueError(f"{ours_q.shape} and {theirs_q.shape} are not the same queries")
    return bootstrap_interval(ours_q - theirs_q, seed=seed)
