"""Score retrieval modes on one question set: the same questions, each mode's own ranking."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tasks.evaluate.metrics import (
    CUT,
    RECALL_CUTS,
    Floats,
    Interval,
    bootstrap_interval,
    judge,
    paired_difference,
    per_query,
)
from tasks.evaluate.questions import QuestionSet

MODES = ("bm25", "dense", "hybrid")
SINGLES = ("bm25", "dense")
DEPTH = max(RECALL_CUTS)
HEADLINE = f"ndcg@{CUT}"

Ranking = list[tuple[str, float]]
"""(passage id, score), best first."""
SearchMany = Callable[[Sequence[str], int, str], Sequence[Ranking]]
"""(questions, k, mode) -> at most k ranked passages of each question, in the questions' order."""


@dataclass(frozen=True, kw_only=True)
class ModeScore:
    """Metrics of one mode: each query's value, and the means with their intervals."""

    mode: str
    values: Mapping[str, Floats]
    figures: Mapping[str, Interval]


@dataclass(frozen=True, kw_only=True)
class RetrievalScores:
    """All modes on one set; the difference is hybrid minus the better single mode, in nDCG@10."""

    modes: Mapping[str, ModeScore]
    best_single: str
    """"" when no single mode was asked for."""
    difference: Interval | None


def evaluate_retrieval(
    questions: QuestionSet,
    search_many: SearchMany,
    modes: Sequence[str] = MODES,
    *,
    depth: int = DEPTH,
    seed: int = 0,
) -> RetrievalScores:
    """Search every question in every mode and score the rankings."""
    texts = list(questions.queries.values())
    scores = {}
    for mode in modes:
        rankings = [unique(row) for row in search_many(texts, depth, mode)]
        scores[mode] = score_rankings(mode, rankings, questions, depth=depth, seed=seed)
    return compare(scores, seed=seed)


def score_rankings(
    mode: str,
    rankings: Sequence[Sequence[str]],
    questions: QuestionSet,
    *,
    depth: int = DEPTH,
    seed: int = 0,
) -> ModeScore:
    """Score rankings that are in the order of the set's questions."""
    judgements = [questions.relevant[query] for query in questions.queries]
    values = per_query(judge(rankings, judgements, depth), [k for k in RECALL_CUTS if k <= depth])
    figures = {name: bootstrap_interval(value, seed=seed) for name, value in values.items()}
    return ModeScore(mode=mode, values=values, figures=figures)


def compare(scores: Mapping[str, ModeScore], *, seed: int = 0) -> RetrievalScores:
    """Name the best single mode and compare hybrid with it, query by query."""
    singles = [mode for mode in SINGLES if mode in scores]
    best = max(singles, key=lambda mode: scores[mode].figures[HEADLINE].mean, default="")
    difference = None
    if best and "hybrid" in scores:
        ours, theirs = scores["hybrid"].values[HEADLINE], scores[best].values[HEADLINE]
        difference = paired_difference(ours, theirs, seed=seed)
    return RetrievalScores(modes=scores, best_single=best, difference=difference)


def unique(ranking: Iterable[tuple[str, float]]) -> list[str]:
    """Keep the first place of each id: a document is as good as its best passage."""
    return list(dict.fromkeys(name for name, _ in ranking))
