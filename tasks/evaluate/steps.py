"""Prefect tasks of evaluation."""

from pathlib import Path

import polars as pl
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.evaluate.known_item import NUM_QUESTIONS, known_items, sources_of
from tasks.evaluate.questions import QuestionSet
from tasks.evaluate.retrieval import (
    Mode,
    RetrievalScores,
    Searcher,
    evaluate_retrieval,
    rank_documents,
)
from tasks.evaluate.sets import read_set


@task(name="read-questions", cache_policy=NO_CACHE)
def read_questions(path: str, queries: str, limit: int, seed: int) -> QuestionSet:
    """Read a question set and draw at most limit questions of it; no path gives an empty set."""
    if not path:
        return QuestionSet(name="", corpus=(), queries={}, relevant={})
    return read_set(Path(path), Path(queries) if queries else None).sample(limit, seed)


@task(name="draw-known-items", cache_policy=NO_CACHE)
def draw_known_items(rows: pl.DataFrame, limit: int, seed: int) -> QuestionSet:
    """Make questions of phrases that one document of the index alone carries; 0 is the default."""
    return known_items(sources_of(rows), limit or NUM_QUESTIONS, seed=seed)


@task(name="score-retrieval", cache_policy=NO_CACHE)
def score(
    questions: QuestionSet, searcher: Searcher, modes: list[Mode], seed: int
) -> RetrievalScores:
    """Search all questions in each mode and score the rankings."""
    judged = {name for row in questions.relevant.values() for name in row}
    return evaluate_retrieval(questions, rank_documents(searcher, judged), modes, seed=seed)
