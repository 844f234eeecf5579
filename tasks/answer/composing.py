"""Put an answer together: its text, and for every sentence the bytes that it rests on."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from storage.records import Citation, Grade, Hit

SourceRange = Callable[[Hit, int, int], tuple[int, int] | None]
"""Bytes of the original for bytes [start, end) of a document's text; None when unknown."""

SEPARATOR = "\n"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Chars [start, end) of the text of a passage, and how strongly they support a sentence."""

    hit: Hit
    start: int
    end: int
    grade: Grade
    score: float


@dataclass(frozen=True)
class Sentence:
    """One sentence of an answer with what it rests on, strongest first."""

    text: str
    evidence: tuple[Evidence, ...]


def identity_range(hit: Hit, start: int, end: int) -> tuple[int, int] | None:
    """Map bytes of a text that equals its original."""
    return (start, end) if hit.origin == "identity" else None


def compose(
    sentences: Sequence[Sentence], source_range: SourceRange = identity_range
) -> tuple[str, tuple[Citation, ...]]:
    """Join sentences to a text, and cite each; offsets are bytes of the text in UTF-8."""
    text = SEPARATOR.join(sentence.text for sentence in sentences)
    return text, tuple(_citations(sentences, source_range))


def _citations(sentences: Sequence[Sentence], source_range: SourceRange) -> Iterable[Citation]:
    at = 0
    for sentence in sentences:
        end = at + len(sentence.text.encode())
        for evidence in sentence.evidence:
            yield _cite(evidence, (at, end), source_range)
        at = end + len(SEPARATOR.encode())


def _cite(evidence: Evidence, answer_range: tuple[int, int], source_range: SourceRange) -> Citation:
    hit = evidence.hit
    quote = hit.text[evidence.start : evidence.end].encode()
    start = hit.start + len(hit.text[: evidence.start].encode())
    end = start + len(quote)
    original = source_range(hit, start, end)
    return Citation(
        a_start=answer_range[0],
        a_end=answer_range[1],
        grade=evidence.grade,
        score=round(evidence.score, 4),
        chunk_id=hit.chunk_id,
        doc_id=hit.doc_id,
        text_id=hit.text_id,
        origin=hit.origin,
        source=hit.source,
        uri=hit.uri,
        licence=hit.licence,
        start=start,
        end=end,
        src_start=original[0] if original else None,
        src_end=original[1] if original else None,
        quote_sha256=hashlib.sha256(quote).hexdigest(),
    )
