"""The evaluation reports: what the flow returns, the CLI prints and the trackers log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, Field

from tasks.evaluate.known_item import NAME as KNOWN_ITEM
from tasks.evaluate.metrics import Interval
from tasks.evaluate.questions import QuestionSet
from tasks.evaluate.retrieval import HEADLINE, RetrievalScores
from tasks.evaluate.rows import Refusal, Row
from tasks.evaluate.sets import LabelledRows

MAX_LISTED = 100
"""Refused rows shown in a report; all of them are counted."""
KNOWN_ITEM_LIMITS = (
    "Questions are phrases of the documents themselves: easier than a person's, and in favour of "
    "lexical search. Compare index versions with these figures; do not judge a product by them."
)


class Figure(BaseModel):
    """A mean over n questions with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


class Refused(BaseModel):
    """A row that was not used."""

    place: str
    reason: str


class EvaluateReport(BaseModel):
    """Figures of each retrieval mode on one question set."""

    set: str = Field(description="Name of the question set.")
    digest: str = Field(description="SHA-256 of passages, questions and judgements.")
    against: str = Field(description='"own corpus", or the digest of the published index.')
    encoder: str
    passages: int
    questions: int
    skipped: int = Field(description="Questions left out by design: unjudged or impossible.")
    unreachable: int = Field(description="Judged ids that the index lacks; they count as missed.")
    num_refused: int
    refused: list[Refused] = Field(description=f"The first {MAX_LISTED} refused rows.")
    modes: dict[str, dict[str, Figure]]
    best_single: str
    hybrid_minus_best_single: Figure | None = Field(description=f"Paired, in {HEADLINE}.")
    limits: str = Field(description="What these figures do not show.")
    run_id: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """One line a mode, for a table."""
        return [
            {"retriever": mode} | {name: _text(figure) for name, figure in figures.items()}
            for mode, figures in self.modes.items()
        ]

    def markdown(self) -> str:
        """Summarise the evaluation for the Prefect page."""
        rows = self.rows()
        names = list(rows[0])
        lines = [names, ["---"] * len(names), *([row[name] for name in names] for row in rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return (
            f"## {self.set}: {self.questions} questions, {self.passages} passages\n\n{table}\n\n"
            f"Means with 95 % intervals, encoder {self.encoder}, against {self.against}. "
            f"{self.num_refused} rows were refused, {self.skipped} questions left out. "
            f"{self.limits}\n"
        )

    def metrics(self) -> dict[str, float]:
        """Flat names and means for the tracker, which allows no @ in a name."""
        flat = {
            f"{mode}/{name.replace('@', '_at_')}": figure.mean
            for mode, figures in self.modes.items()
            for name, figure in figures.items()
        }
        return flat | {"questions": float(self.questions), "refused": float(self.num_refused)}


class LabelledReport(BaseModel):
    """Figures of a detector on labelled rows."""

    task: str
    set: str
    rows: int
    num_refused: int
    refused: list[Refused]
    figures: dict[str, Any]
    run_id: str = ""

    def metrics(self) -> dict[str, float]:
        """Numbers among the figures, at any depth: `precision/mean`."""
        return dict(_numbers("", self.figures))


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What was searched: the set's own corpus or the published index."""

    against: str
    passages: int
    ids: frozenset[str]
    """Every id that a search can return."""


def searched(rows: pl.DataFrame, against: str) -> Searched:
    """Describe the rows of an index: columns doc_id and uri."""
    ids = frozenset(rows["doc_id"]) | frozenset(rows["uri"])
    return Searched(against=against, passages=rows.height, ids=ids)


def retrieval_report(
    questions: QuestionSet,
    scores: RetrievalScores,
    where: Searched,
    encoder: str,
    run_id: str = "",
) -> EvaluateReport:
    """Put set and scores into one record."""
    judged = {name for row in questions.relevant.values() for name in row}
    return EvaluateReport(
        set=questions.name,
        digest=questions.digest(),
        against=where.against,
        encoder=encoder,
        passages=where.passages,
        questions=len(questions.queries),
        skipped=questions.skipped,
        unreachable=len(judged - where.ids),
        num_refused=len(questions.refused),
        refused=listed(questions.refused),
        modes={
            mode: {name: _figure(interval) for name, interval in score.figures.items()}
            for mode, score in scores.modes.items()
        },
        best_single=scores.best_single,
        hybrid_minus_best_single=_figure(scores.difference) if scores.difference else None,
        limits=KNOWN_ITEM_LIMITS if questions.name == KNOWN_ITEM else "",
        run_id=run_id,
    )


def score_labelled(
    task: str,
    path: Path,
    read: Callable[[Path], LabelledRows],
    judge: Callable[[Sequence[Row]], Any],
) -> LabelledReport:
    """Judge a detector on the rows of a file; `judge` gives a dataclass of scores.

    What the reader refused comes first, then what the judge reports as `refused`.
    """
    labelled = read(path)
    figures = asdict(judge(labelled.rows))
    also = [Refusal(path.name, reason) for reason in figures.pop("refused", ())]
    refused = [*labelled.refused, *also]
    return LabelledReport(
        task=task,
        set=path.name,
        rows=len(labelled.rows),
        num_refused=len(refused),
        refused=listed(refused),
        figures=figures,
    )


def listed(refused: Sequence[Refusal]) -> list[Refused]:
    """Give the first refusals for a report."""
    return [Refused(place=row.place, reason=row.reason) for row in refused[:MAX_LISTED]]


def _figure(interval: Interval) -> Figure:
    mean, low, high = (round(value, 6) for value in (interval.mean, interval.low, interval.high))
    return Figure(mean=mean, low=low, high=high, n=interval.n)


def _text(figure: Figure) -> str:
    return f"{figure.mean:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _numbers(prefix: str, value: object) -> list[tuple[str, float]]:
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float):
        return [(prefix, float(value))]
    if not isinstance(value, Mapping):
        return []
    return [
        row
        for name, inner in value.items()
        for row in _numbers(f"{prefix}/{name}" if prefix else str(name), inner)
    ]
