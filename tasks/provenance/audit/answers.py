"""What answers are made of, byte by byte: grades, licences, sources, what is sensitive."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import polars as pl

from storage.home import Home
from storage.records import Answer
from tasks.provenance.audit.records import (
    NO_SOURCE,
    NOT_SENSITIVE,
    AnswersAudit,
    Portion,
    Unsourced,
)
from tasks.provenance.lineage.grades import GradedEvidence, GradedSentence, grade_answer

MOST_NAMED = 100
"""Sentences without source that are named; all are counted."""

Span = tuple[int, int, str]
"""Start, end and kind of sensitive bytes of a text."""


def audit_answers(home: Home, limit: int) -> AnswersAudit:
    """Audit the newest answers: every sentence is graded again from the bytes stored now."""
    answers = home.ledger.answers(limit)
    graded = [(answer, grade_answer(home, answer)) for answer in answers if _has_text(answer)]
    sentences = list(chain.from_iterable(found for _, found in graded))
    unsourced = [(a, s) for a, found in graded for s in found if s.grade == "none"]
    return AnswersAudit(
        n_stored=home.ledger.counts()["answer"],
        n_audited=len(answers),
        n_refused=sum(answer.status == "refused" for answer in answers),
        n_stale=sum(answer.state == "stale" for answer in answers),
        n_erased=sum(answer.state == "erased" for answer in answers),
        n_sentences=len(sentences),
        n_bytes=sum(map(_length, sentences)),
        by_grade=portions((one.grade, _length(one)) for one in sentences),
        by_licence=portions(_by_evidence(sentences, "licence")),
        by_source=portions(_by_evidence(sentences, "source")),
        by_sensitivity=_by_sensitivity(home, sentences),
        n_unsourced=len(unsourced),
        unsourced=tuple(_unsourced(*pair) for pair in unsourced[:MOST_NAMED]),
    )


def portions(parts: Iterable[tuple[str, int]]) -> tuple[Portion, ...]:
    """Add up bytes by name and give the shares, largest first."""
    sums: Counter[str] = Counter()
    for name, n_bytes in parts:
        sums[name] += n_bytes
    total = sum(sums.values())
    found = sorted(sums.items(), key=lambda part: (-part[1], part[0]))
    return tuple(
        Portion(name=name, n_bytes=count, share=count / total) for name, count in found if count
    )


def cut_by_kind(start: int, end: int, spans: Sequence[Span]) -> Iterator[tuple[str, int]]:
    """Part bytes [start, end) among sensitive spans; a byte in two counts for the first, the rest for none."""
    position = start
    for span_start, span_end, kind in sorted(spans):
        first, last = max(span_start, position), min(span_end, end)
        if first < last:
            yield kind, last - first
            yield NOT_SENSITIVE, first - position
            position = last
    yield NOT_SENSITIVE, end - position


def _has_text(answer: Answer) -> bool:
    return answer.status == "answered" and answer.state != "erased"


def _length(sentence: GradedSentence) -> int:
    return sentence.end - sentence.start


def _by_evidence(sentences: Iterable[GradedSentence], field: str) -> Iterator[tuple[str, int]]:
    for one in sentences:
        name = str(getattr(one.evidence[0], field)) if one.evidence else ""
        yield name or NO_SOURCE, _length(one)


def _unsourced(answer: Answer, sentence: GradedSentence) -> Unsourced:
    return Unsourced(
        answer_id=answer.answer_id,
        start=sentence.start,
        end=sentence.end,
        text=sentence.text,
    )


def _by_sensitivity(home: Home, sentences: Iterable[GradedSentence]) -> tuple[Portion, ...]:
    """Part the document bytes behind the sentences by what is sensitive in them."""
    used = [one.evidence[0] for one in sentences if one.evidence and one.evidence[0].text_id]
    spans = _sensitive(home, used)
    cut = (cut_by_kind(one.start, one.end, spans.get(one.text_id, ())) for one in used)
    return portions(chain.from_iterable(cut))


def _sensitive(home: Home, used: Sequence[GradedEvidence]) -> Mapping[str, Sequence[Span]]:
    wanted = sorted({one.text_id for one in used})
    rows = home.table("documents").scan().filter(pl.col("text_id").is_in(wanted))
    found: dict[str, list[Span]] = {}
    for text_id, spans in rows.select("text_id", "sensitivity").collect().iter_rows():
        found[text_id] = [(span["start"], span["end"], span["kind"]) for span in spans or ()]
    return found
