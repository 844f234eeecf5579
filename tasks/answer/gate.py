"""Decide whether the passages speak about the question at all: a calibrated refusal.

A logistic model over four signals of the best passages, fitted on questions whose articles were
removed from the corpus, against questions whose articles were in it. `benchmarks/answer_gate.py`
remakes the constants. It finds questions about absent topics; a question that a passage almost
answers is not its business.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.records import Hit
from tasks.answer.scoring import Idf, Scored
from tasks.shared.text import analyse

SIGNALS = ("max_sim", "coverage", "cosine", "bm25_mass")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Logistic model: the log odds of "answerable" are intercept + weights x signals."""

    intercept: float
    max_sim: float
    coverage: float
    cosine: float
    bm25_mass: float
    threshold: float
    """Probability below which to refuse: 95 % of the answerable questions stay above it."""

    def probability(self, signals: Mapping[str, float]) -> float:
        """Estimate how likely the passages answer the question."""
        logit = self.intercept + sum(getattr(self, name) * signals[name] for name in SIGNALS)
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))


GATES: Mapping[tuple[str, str], Gate] = {
    ("e5", "en"): Gate(
        intercept=-40.46,
        max_sim=21.54,
        coverage=0.14,
        cosine=30.75,
        bm25_mass=7.352,
        threshold=0.616,
    ),
}
"""By encoder, and by language: "en", "zh", or "cross" when passages are in the other one."""


def relevance(
    question: str, hits: Sequence[Hit], scored: Sequence[Scored], idf: Idf
) -> dict[str, float]:
    """Measure the signals; all are 0 when nothing was found."""
    mass = sum(idf(analyse(question)))
    return {
        "max_sim": max((one.max_sim for one in scored), default=0.0),
        "coverage": max((one.coverage for one in scored), default=0.0),
        "cosine": max((hit.cosine for hit in hits), default=0.0),
        "bm25_mass": max((hit.bm25 for hit in hits), default=0.0) / max(mass, 1e-9),
    }


def gate_for(encoder: str, question: str, hits: Sequence[Hit]) -> Gate:
    """Choose the gate; an encoder without one for the language uses its English one."""
    language = _pair(question, hits)
    gate = GATES.get((encoder, language)) or GATES.get((encoder, "en"))
    if gate is None:
        raise ValueError(f"no gate is fitted for encoder {encoder!r}: {sorted(GATES)}")
    return gate


def _pair(question: str, hits: Sequence[Hit]) -> str:
    asked_in_cjk = _CJK.search(question) is not None
    if hits and all((_CJK.search(hit.text) is not None) != asked_in_cjk for hit in hits):
        return "cross"
    return "zh" if asked_in_cjk else "en"
