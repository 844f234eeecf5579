"""nDCG@10, recall@10 and MRR@10 of BM25, dense and hybrid search, with RRF (k = 60) as the peer.

Labelled sets are read from SUYUAN_DATA. Bar: hybrid is not below the better single retriever on
any set. `--quick` asks 300 questions a set, of the same corpora.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import Result, environment, measured, publish
from infra.settings import Settings
from tasks.evaluate.metrics import Interval, paired_difference
from tasks.evaluate.questions import QuestionSet
from tasks.evaluate.retrieval import (
    DEPTH,
    HEADLINE,
    MODES,
    ModeScore,
    Ranking,
    RetrievalScores,
    compare,
    rank_documents,
    score_rankings,
    unique,
)
from tasks.evaluate.sets import read_set
from tasks.features.passages import index_passages
from tasks.shared.embedding import encoder as load_encoder
from tasks.shared.engine import SerialEngine
from tasks.shared.weights import EncoderName, prepare_encoder

QUICK_QUESTIONS = 300
RRF_K = 60
"""The constant of Cormack, Clarke & Büttcher, SIGIR 2009, and of most products."""


class Case(NamedTuple):
    """A set with the encoders that can read it."""

    title: str
    path: str
    queries: str
    encoders: tuple[EncoderName, ...]
    rrf_margin: float
    """By how much hybrid must beat RRF."""


XQUAD = "xquad/xquad.{}.dev.json.gz"
CASES = (
    Case("SQuAD 1.1 en", "squad/squad_1.1_dev.json.gz", "", ("e5", "minilm"), 0.015),
    Case("CMRC 2018 zh", "cmrc2018/cmrc2018_dev.json.gz", "", ("e5",), 0.0),
    Case("XQuAD zh to en", XQUAD.format("en"), XQUAD.format("zh"), ("e5",), 0.0),
)


def reciprocal_rank_fusion(rankings: Sequence[Ranking], k: int = RRF_K) -> Ranking:
    """Add 1 / (k + rank) over the rankings: what the peers ship."""
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, name in enumerate(unique(ranking), start=1):
            scores[name] += 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda row: (-row[1], row[0]))


def run_case(
    questions: QuestionSet, encoder: EncoderName, settings: Settings
) -> Iterator[ModeScore]:
    """Index the set's passages once and score each mode, then RRF over the single ones."""
    texts = list(questions.queries.values())
    weights = prepare_encoder(encoder, settings.models)
    found: dict[str, Sequence[Ranking]] = {}
    with tempfile.TemporaryDirectory() as folder:
        with measured() as spent:
            searcher = index_passages(
                questions.texts(), weights, load_encoder, SerialEngine(), Path(folder)
            )
        print(f"  index of {len(questions.corpus)}: {spent.cpu:.1f} CPU-s", file=sys.stderr)
        for mode in MODES:
            with measured() as spent:
                found[mode] = rank_documents(searcher, ())(texts, DEPTH, mode)
            print(f"  {mode}: {1000 * spent.cpu / len(texts):.2f} CPU-ms a query", file=sys.stderr)
    pairs = zip(found["bm25"], found["dense"], strict=True)
    found["rrf60"] = [reciprocal_rank_fusion(pair) for pair in pairs]
    for name, rankings in found.items():
        yield score_rankings(name, [unique(row) for row in rankings], questions)


def results(case: Case, label: str, scores: RetrievalScores) -> list[Result]:
    """Compare hybrid with the better single mode and with RRF; list the single modes beside it."""
    singles = [scores.modes[mode] for mode in ("bm25", "dense")]
    best, rrf = scores.modes[scores.best_single], scores.modes["rrf60"]
    return [
        _hybrid(label, scores, best, HEADLINE, margin=0.0),
        _hybrid(label, scores, rrf, HEADLINE, margin=case.rrf_margin),
        _hybrid(label, scores, best, "recall@10"),
        _hybrid(label, scores, best, "mrr@10"),
        *(_alone(label, score) for score in singles),
    ]


def _hybrid(
    label: str,
    scores: RetrievalScores,
    peer: ModeScore,
    metric: str,
    margin: float | None = None,
) -> Result:
    """Compare in one metric; with a margin, hybrid must reach the peer's mean plus it."""
    ours = scores.modes["hybrid"]
    mean, theirs = ours.figures[metric].mean, peer.figures[metric].mean
    difference = paired_difference(ours.values[metric], peer.values[metric])
    return Result(
        name=f"{label}, hybrid",
        ours=mean,
        peer=theirs,
        peer_name=peer.mode,
        unit=metric,
        n=difference.n,
        bar="" if margin is None else f"ours >= peer + {margin}" if margin else "ours >= peer",
        passes=None if margin is None else mean >= theirs + margin,
        detail={"interval": _bounds(ours.figures[metric]), "difference": _bounds(difference)},
    )


def _alone(label: str, score: ModeScore) -> Result:
    """Show a single mode's nDCG@10, with its other figures as details."""
    headline = score.figures[HEADLINE]
    others = {name: figure.mean for name, figure in score.figures.items()}
    return Result(
        name=f"{label}, {score.mode} alone",
        ours=headline.mean,
        unit=HEADLINE,
        n=headline.n,
        detail={"interval": _bounds(headline), **others},
    )


def _bounds(interval: Interval) -> list[float]:
    return [interval.low, interval.high]


def main() -> int:
    """Run every case; exit 1 when a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_QUESTIONS} questions a set")
    quick = parser.parse_args().quick
    settings = Settings().apply()
    env = environment(threads=1, depth=DEPTH, questions=QUICK_QUESTIONS if quick else "all")
    rows: list[Result] = []
    for case in CASES:
        other = settings.data / case.queries if case.queries else None
        questions = read_set(settings.data / case.path, other)
        questions = questions.sample(QUICK_QUESTIONS if quick else 0)
        for encoder in case.encoders:
            label = f"{case.title}, {encoder}"
            print(label, file=sys.stderr)
            scores = {score.mode: score for score in run_case(questions, encoder, settings)}
            rows += results(case, label, compare(scores))
    publish("retrieval", env, rows, quick=quick)
    return 0 if all(row.passes is not False for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
