"""Check a written sentence against the passages it should rest on.

A sentence passes when its bytes stand in a passage, or when one passage holds all its anchors
(numbers, identifiers, names) and says much the same by MaxSim and coverage. This finds
invention, not contradiction: "not" turned into "always" can pass.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tasks.answer.composing import Evidence
from tasks.answer.scoring import Idf, Passage, Scored, Scorer, TokenEncoder
from tasks.shared.text import analyse

MIN_SUPPORT = 0.5
"""Least probability of support for a sentence in other words."""
_MIN_TERMS = 3
"""A shorter sentence says too little to be checked."""
WEIGHTS: Mapping[str, tuple[float, float, float]] = {
    "e5": (-6.52608, 2.53795, 7.5411),
    "minilm": (-4.65241, 2.55505, 4.81213),
}
"""By encoder: intercept, weight of MaxSim, weight of coverage; `benchmarks/answer_gate.py` fits them."""

_QUOTED_CODE = re.compile(r"`+([^`\n]+)`+")
_CJK = r"\u3040-\u30ff\u3400-\u9fff"
_LETTER = rf"[^\W{_CJK}]"
_WORD = re.compile(rf"(?:@|--?|\$)?{_LETTER}(?:(?:{_LETTER}|[.:/+#-])*(?:{_LETTER}|[+#]))?\(?")
_CODE_MARK = re.compile(r"[@$_()#+/:\\]|^--?|\w\.\w|[a-z][A-Z]|[A-Z]{2}|\d")
_CHINESE_NUMBER = re.compile(r"[一二三四五六七八九十百千万亿〇零两]{2,}")
_HAS_CJK = re.compile(rf"[{_CJK}]")
_CASED = re.compile(r"[@_$(]|[a-z][A-Z]")


@dataclass(frozen=True)
class SupportChecker:
    """Checks sentences against the same passages."""

    passages: Sequence[Passage]
    encoder: TokenEncoder
    idf: Idf

    def check(self, sentence: str) -> Evidence | None:
        """Return what a sentence rests on, or None when nothing supports it."""
        sentence = sentence.strip()
        if len(analyse(sentence)) < _MIN_TERMS:
            return None
        return self._verbatim(sentence) or self._reworded(sentence)

    def _verbatim(self, sentence: str) -> Evidence | None:
        for passage in self.passages:
            start = passage.hit.text.find(sentence)
            if start >= 0:
                end = start + len(sentence)
                return Evidence(hit=passage.hit, start=start, end=end, grade="quoted", score=1.0)
        return None

    def _reworded(self, sentence: str) -> Evidence | None:
        needed = anchors(sentence)
        able = [
            passage
            for passage in self.passages
            if all(occurs(anchor, passage.hit.text) for anchor in needed)
        ]
        scored = Scorer(sentence, self.encoder, self.idf).score(able) if able else []
        weights = WEIGHTS.get(self.encoder.name, WEIGHTS["e5"])
        best = max(scored, key=lambda one: support_probability(one, weights), default=None)
        if best is None or (probability := support_probability(best, weights)) < MIN_SUPPORT:
            return None
        same = [one for one in scored if one.hit is best.hit]
        start, end = _range_with_anchors(best, same, needed)
        return Evidence(hit=best.hit, start=start, end=end, grade="cited", score=probability)


def support_probability(scored: Scored, weights: tuple[float, float, float]) -> float:
    """Estimate how likely a sentence supports what it was scored against."""
    intercept, by_max_sim, by_coverage = weights
    logit = intercept + by_max_sim * scored.max_sim + by_coverage * scored.coverage
    return 1.0 / (1.0 + math.exp(-logit))


def anchors(sentence: str) -> frozenset[str]:
    """Find what a passage must contain literally: code, identifiers, numbers, names."""
    found = {piece for quoted in _QUOTED_CODE.findall(sentence) for piece in quoted.split()}
    found |= set(_CHINESE_NUMBER.findall(sentence))
    among_cjk = _HAS_CJK.search(sentence) is not None
    for match in _WORD.finditer(sentence):
        word = match.group()
        is_name = word[0].isupper() and not _opens_sentence(sentence, match.start())
        if among_cjk or is_name or _CODE_MARK.search(word):
            found.add(word.rstrip("("))
    return frozenset(anchor for anchor in found if any(char.isalnum() for char in anchor))


def occurs(anchor: str, text: str) -> bool:
    """Tell whether a text contains an anchor as a whole word; case counts only in code."""
    before = rf"(?<!{_LETTER})" if re.match(_LETTER, anchor) else ""
    after = rf"(?!{_LETTER})" if re.match(_LETTER, anchor[-1]) else ""
    pattern = before + re.escape(anchor) + after
    flags = re.NOFLAG if _CASED.search(anchor) else re.IGNORECASE
    return re.search(pattern, text, flags) is not None


def _opens_sentence(sentence: str, start: int) -> bool:
    return not any(char.isalnum() for char in sentence[:start])


def _range_with_anchors(
    best: Scored, same: Iterable[Scored], needed: Iterable[str]
) -> tuple[int, int]:
    """Widen the best sentence to the nearest ones that hold the anchors it lacks."""
    start, end = best.start, best.end
    others = sorted(same, key=lambda one: abs(one.start - best.start))
    for anchor in sorted(needed):
        holder = next((one for one in others if occurs(anchor, one.text)), best)
        start, end = min(start, holder.start), max(end, holder.end)
    return start, end
