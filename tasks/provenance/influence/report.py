"""The influence report: what the flow returns, the CLI prints and the trackers log."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field

from tasks.provenance.influence.calibrate import Lds
from tasks.provenance.influence.pipeline import Evaluation, Totals
from tasks.provenance.influence.scores import describe_lds
from tasks.provenance.influence.scoring import Calibration, Method
from tasks.provenance.influence.totals import Effect, Total

MAX_LISTED = 20
MAX_SHOWN = 5
"""Documents shown on a terminal; `--json` has more."""
UNCALIBRATED = "uncalibrated"

_WORDS: dict[str, tuple[str, str]] = {
    UNCALIBRATED: (UNCALIBRATED, "未校准"),
    "samples": ("samples", "样本"),
    "documents": ("documents", "文档"),
    "denied": ("documents not to be trained on", "许可证不允许训练的文档"),
    "texts": ("texts", "评测文本"),
    "refused": ("lines refused", "拒收行"),
    "sources": ("sources", "来源"),
    "helped_most": ("documents that helped most", "帮助最大的文档"),
    "helped_least": ("documents that helped least", "帮助最小的文档"),
    "removed": ("loss added without it", "去掉后增加的损失"),
    "meaning": (
        "score: sum over samples, mean over texts, 95 % interval; 0 is what average samples have",
        "分数：样本之和、文本之均值，95 % 区间；0 为平均样本的水平",
    ),
}


class LdsFigure(BaseModel):
    """How well scores predict retraining, with its 95 % interval over queries."""

    value: float
    low: float
    high: float
    error: float = Field(description="Standard error over queries.")
    num_queries: int
    num_subsets: int


class EffectFigure(BaseModel):
    """A mean over the evaluation's texts with its 95 % interval, and what it says."""

    value: float
    low: float
    high: float
    verdict: str = Field(description='"helped", "hurt", or "unclear" when the interval holds 0.')


class TotalFigure(BaseModel):
    """What the samples of one document or source did together."""

    name: str
    num_documents: int
    num_samples: int
    score: EffectFigure = Field(description="Sum of scores; 0 is what average samples have.")
    removed: EffectFigure | None = Field(
        description="Measured: loss per token (nats) that is added when it is left out."
    )


class InfluenceReport(BaseModel):
    """Which documents and sources helped a model on an evaluation set, and how sure that is."""

    run_id: str
    model: str = Field(description="Node of the model: model:<name>@<version>.")
    sha256: str = Field(description="SHA-256 of the model's weights.")
    trained_on: str = Field(description="Node of the snapshot of the documents.")
    num_documents: int
    num_samples: int
    num_denied: int = Field(description="Documents that the licence policy keeps out of training.")
    evaluation: str
    num_texts: int
    refused: list[str] = Field(description=f"The first {MAX_LISTED} refused lines.")
    num_refused: int
    method: str
    lds: LdsFigure | None = Field(description="None: uncalibrated.")
    parts: dict[str, LdsFigure] = Field(description="LDS of each method and part on its own.")
    weights: dict[str, float]
    sources: list[TotalFigure]
    helped_most: list[TotalFigure] = Field(description="Documents with the highest totals.")
    helped_least: list[TotalFigure] = Field(description="Documents with the lowest totals.")
    warning: str = ""

    @property
    def standing(self) -> str:
        """Say how far the scores can be relied on: the LDS with its interval, or uncalibrated."""
        if self.lds is None:
            return UNCALIBRATED
        return describe_lds((self.lds.value, self.lds.low, self.lds.high))

    def rows(self) -> list[dict[str, Any]]:
        """One line a source, for a table."""
        return [
            {
                "source": total.name,
                "documents": total.num_documents,
                "samples": total.num_samples,
                "influence": _text(total.score),
                "loss added without it": _text(total.removed) if total.removed else "not measured",
                "verdict": total.removed.verdict if total.removed else "not measured",
                "standing": self.standing,
            }
            for total in self.sources
        ]

    def metrics(self) -> dict[str, float]:
        """Flat numbers for the tracker; no LDS when there is none."""
        flat = {"samples": float(self.num_samples), "texts": float(self.num_texts)}
        if self.lds is not None:
            flat |= {"lds": self.lds.value, "lds_low": self.lds.low, "lds_high": self.lds.high}
        flat |= {f"lds/{name}": figure.value for name, figure in self.parts.items()}
        return flat | {"refused": float(self.num_refused)}

    def text(self, lang: str) -> str:
        """Render for a terminal, in English or Chinese; no score without its standing."""
        return "\n".join(self._lines({key: _say(key, lang) for key in _WORDS}))

    def _lines(self, words: Mapping[str, str]) -> Iterator[str]:
        standing = words[UNCALIBRATED] if self.lds is None else self.standing
        yield f"{self.model} · {self.evaluation} · {self.method} · {standing}"
        facts = {"samples": self.num_samples, "documents": self.num_documents}
        facts |= {"denied": self.num_denied, "texts": self.num_texts, "refused": self.num_refused}
        yield f"├─ {' · '.join(f'{words[key]} {n}' for key, n in facts.items())}"
        for key in ("sources", "helped_most", "helped_least"):
            yield f"├─ {words[key]}"
            for total in getattr(self, key)[:MAX_SHOWN]:
                measured = f"{words['removed']} {_text(total.removed)}" if total.removed else ""
                figures = filter(None, (_text(total.score), standing, measured))
                yield f"│  {total.name} · {' · '.join(figures)}"
        if self.warning:
            yield f"├─ {self.warning}"
        yield f"└─ {words['meaning']}"

    def markdown(self) -> str:
        """Summarise for the Prefect page."""
        rows = self.rows()
        names = list(rows[0])
        lines = [names, ["---"] * len(names), *([str(row[n]) for n in names] for row in rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        documents = "\n".join(
            f"- `{total.name}` {_text(total.score)}, {self.standing}"
            for total in self.helped_most[:5]
        )
        return (
            f"## `{self.model}` on {self.evaluation}: {self.standing}\n\n{table}\n\n"
            f"Scores are sums over samples and texts' means with 95 % intervals; 0 is what average "
            f"samples have. Method {self.method}, {self.num_samples} samples of "
            f"{self.num_documents} documents ({self.num_denied} more may not be trained on), "
            f"{self.num_texts} texts, {self.num_refused} lines refused.\n\nDocuments that helped most:\n\n{documents}\n"
        )


def influence_report(
    about: Mapping[str, Any],
    evaluation: Evaluation,
    method: Method,
    calibration: Calibration,
    totals: Totals,
) -> InfluenceReport:
    """Put everything into one record; `about` has run_id, model, sha256, trained_on, num_denied, warning."""
    lds, documents = calibration.lds.get(method), totals.documents
    return InfluenceReport(
        **about,
        num_documents=len(documents),
        num_samples=sum(total.num_samples for total in documents),
        evaluation=evaluation.name,
        num_texts=evaluation.num_texts,
        refused=list(evaluation.refused[:MAX_LISTED]),
        num_refused=len(evaluation.refused),
        method=method,
        lds=_lds(lds) if lds else None,
        parts={name: _lds(found) for name, found in calibration.lds.items()},
        weights=dict(calibration.weights[method]),
        sources=[_total(total) for total in totals.sources],
        helped_most=[_total(total) for total in documents[:MAX_LISTED]],
        helped_least=[_total(total) for total in reversed(documents[-MAX_LISTED:])],
    )


def _say(key: str, lang: str) -> str:
    return _WORDS[key][1 if lang == "zh" else 0]


def _lds(lds: Lds) -> LdsFigure:
    return LdsFigure(**asdict(lds))


def _total(total: Total) -> TotalFigure:
    return TotalFigure(
        name=total.name,
        num_documents=total.num_documents,
        num_samples=total.num_samples,
        score=_effect(total.score),
        removed=_effect(total.removed) if total.removed else None,
    )


def _effect(effect: Effect) -> EffectFigure:
    return EffectFigure(**asdict(effect), verdict=effect.verdict)


def _text(figure: EffectFigure) -> str:
    return f"{figure.value:+.3g} [{figure.low:+.3g}, {figure.high:+.3g}]"
