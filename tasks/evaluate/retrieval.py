"""Score retrieval modes on one question set: the same questions, each mode's own ranking."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

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

Mode = Literal["bm25", "dense", "hybrid"]
MODES: tuple[Mode, ...] = get_args(Mode)
SINGLES = ("bm25", "dense")
DEPTH = max(RECALL_CUTS)
HEADLINE = f"ndcg@{CUT}"

Ranking = list[tuple[str, float]]
"""(passage id, score), best first."""
SearchMany = Callable[[Sequence[str], int, Mode], Sequence[Ranking]]
"""(questions, k, mode) -> ranked passages of each question, in the questions' order."""

BATCH = 32
"""Questions searched at once: their hits are held with all their texts."""


class Found(Protocol):
    """What counts of a hit."""

    @property
    def doc_id(self) -> str:
        """Id of the document, or of the passage in a set's own corpus."""
        ...

    @property
    def uri(self) -> str:
        """Where the document is."""
        ...

    @property
    def score(self) -> float:
        """Higher is better."""
        ...


class Searcher(Protocol):
    """What evaluation needs of an open index."""

    def search_many(
        self, questions: Sequence[str], k: int, mode: Mode
    ) -> Sequence[Sequence[Found]]:
        """Give the k best chunks of each question, best first."""
        ...


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
    modes: Sequence[Mode] = MODES,
    *,
    depth: int = DEPTH,
    seed: int = 0,
) -> RetrievalScores:
    """Search every question in every mode and score the rankings."""
    texts = list(questions.queries.values())
    scores: dict[str, ModeScore] = {}
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


def rank_documents(searcher: Searcher, judged: Container[str]) -> SearchMany:
    """Make a search that names documents: by id where the set judges ids, else by URI."""

    def search_many(questions: Sequence[str], k: int, mode: Mode) -> list[Ranking]:
        rankings: list[Ranking] = []
        for first in range(0, len(questions), BATCH):
            found = searcher.search_many(questions[first : first + BATCH], k, mode)
            rankings.extend([(_name(hit, judged), hit.score) for hit in hits] for hits in found)
        return rankings

    return search_many


def _name(hit: Found, judged: Container[str]) -> str:
    return hit.doc_id if hit.doc_id in judged or not hit.uri else hit.uri


def unique(ranking: Iterable[tuple[str, float]]) -> list[str]:
    """Keep the first place of each id: a document is as good as its best passage."""
    return list(dict.fromkeys(name for name, _ in ranking))
