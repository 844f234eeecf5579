"""The evaluation reports: what the flow returns, the CLI prints and the trackers log."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from tasks.evaluate.known_item import NAME as KNOWN_ITEM
from tasks.evaluate.metrics import Interval
from tasks.evaluate.questions import QuestionSet
from tasks.evaluate.retrieval import HEADLINE, RetrievalScores
from tasks.evaluate.rows import Refusal

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


class RetrievalReport(BaseModel):
    """Figures of each retrieval mode on one question set."""

    set: str = Field(description="Name of the question set.")
    digest: str = Field(description="SHA-256 of passages, questions and judgements.")
    against: str = Field(description='"own corpus", or the digest of the published index.')
    encoder: str
    passages: int
    questions: int
    skipped: int = Field(description="Questions left out by design: unjudged or impossible.")
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


def retrieval_report(
    questions: QuestionSet, scores: RetrievalScores, *, against: str, encoder: str, passages: int
) -> RetrievalReport:
    """Put set and scores into one record."""
    return RetrievalReport(
        set=questions.name,
        digest=questions.digest(),
        against=against,
        encoder=encoder,
        passages=passages,
        questions=len(questions.queries),
        skipped=questions.skipped,
        num_refused=len(questions.refused),
        refused=listed(questions.refused),
        modes={
            mode: {name: _figure(interval) for name, interval in score.figures.items()}
            for mode, score in scores.modes.items()
        },
        best_single=scores.best_single,
        hybrid_minus_best_single=_figure(scores.difference) if scores.difference else None,
        limits=KNOWN_ITEM_LIMITS if questions.name == KNOWN_ITEM else "",
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
