"""Choose the few sentences that answer, and the twins that say the same elsewhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.answer.scoring import Scored
from tasks.shared.text import analyse

MAX_TWINS = 3
"""Further places of one sentence that are cited."""
_SCORE_STEP = 0.02
"""Scores closer than this are a tie, which the more trusted source wins."""
_MIN_SHARE = 0.8
"""A further sentence must reach this share of the best score."""
_SAME = 0.8
"""Sentences that share this much of their terms (Jaccard) are twins."""
_STATEMENT_END = re.compile(r"[.!;。！；…][\"'”’»)\]」』】》）*_`]*$")
_QUESTION_END = re.compile(r"[?？][\"'”’»)\]」』】》）*_`]*$")
_CODE = re.compile(
    r"(?:async\s+def|def|class|import|from\s+\S+\s+import|return|if\s+__name__)\b"
    r"|>>>|\.\.\.|@\w|[$%]\s|[\w.\[\]]+\s*=|[\w.]+\(|[<{|]"
)
"""How a line of code or markup begins."""
_NEGATIONS = frozenset(
    analyse("not no never none cannot without don t isn doesn 不 没 无 未 非 别")
)
_MIN_TERMS = 3
_HEADING_TERMS = 8
"""A line of fewer terms without closing punctuation is a heading or a label."""


@dataclass(frozen=True)
class Selected:
    """A sentence for the answer, and near-equal sentences of other places as corroboration."""

    best: Scored
    twins: tuple[Scored, ...] = ()


def select_sentences(scored: Sequence[Scored], max_sentences: int) -> list[Selected]:
    """Return at most max_sentences, best first; empty only if nothing was scored.

    Ties go to the more trusted source, then to the higher score, then to what came first.
    """
    ranked = sorted(scored, key=_order)
    candidates = [one for one in ranked if is_statement(one.text)] or ranked
    if not candidates:
        return []
    least = _MIN_SHARE * max(one.score for one in candidates)
    groups: list[tuple[Scored, frozenset[str], list[Scored]]] = []
    for one in candidates:
        terms = frozenset(analyse(one.text))
        twins = next((group[2] for group in groups if _similar(terms, group[1])), None)
        if twins is not None:
            twins.append(one)
        elif len(groups) < max_sentences and (not groups or one.score >= least):
            groups.append((one, terms, []))
    return [Selected(best, tuple(twins[:MAX_TWINS])) for best, _terms, twins in groups]


def is_statement(text: str) -> bool:
    """Tell whether a sentence says something: no question, heading, label or line of code."""
    body = text.strip()
    if body.startswith("#") or _QUESTION_END.search(body) or _CODE.match(body):
        return False
    num_terms = len(analyse(body))
    return num_terms >= (_MIN_TERMS if _STATEMENT_END.search(body) else _HEADING_TERMS)


def _order(one: Scored) -> tuple[int, float, float]:
    return -round(one.score / _SCORE_STEP), -one.hit.trust, -one.score


def _similar(one: frozenset[str], other: frozenset[str]) -> bool:
    """Compare terms; a number or a negation that only one has makes two statements of them."""
    union, differing = len(one | other), one ^ other
    if union == 0 or any(any(char.isdigit() for char in term) for term in differing):
        return False
    return not differing & _NEGATIONS and len(one & other) / union >= _SAME
