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
        intercept=-47.0196,
        max_sim=27.2339,
        coverage=0.169673,
        cosine=33.1374,
        bm25_mass=12.0009,
        threshold=0.8071,
    ),
    ("e5", "zh"): Gate(
        intercept=-32.3647,
        max_sim=17.9386,
        coverage=7.40841,
        cosine=20.084,
        bm25_mass=4.15873,
        threshold=0.501869,
    ),
    ("e5", "cross"): Gate(
        intercept=-43.0501,
        max_sim=24.9143,
        coverage=9.83959,
        cosine=42.3761,
        bm25_mass=4.54115,
        threshold=0.20529,
    ),
    ("minilm", "en"): Gate(
        intercept=-20.3869,
        max_sim=11.1093,
        coverage=4.77174,
        cosine=18.2716,
        bm25_mass=13.7769,
        threshold=0.747588,
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
