"""Grades: how strongly each sentence of an answer is tied to a live document, proven again now.

quoted > cited > exposed > influenced > none. Nothing is believed that was stored with the answer:
a sentence is quoted only when its bytes equal bytes of a live text at the time of the question,
whatever the citation says; a citation counts as long as the bytes that it rests on are there
unchanged; what cannot be proven any more is named in a note and grades nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from storage.digest import sha256_hex
from storage.home import Home
from storage.records import Answer, Citation, Grade
from tasks.provenance.lineage.exposure import (
    calibrated_influences,
    exposures_of,
    model_of,
    total_samples,
)
from tasks.provenance.tracing.live_texts import LiveTexts
from tasks.provenance.tracing.records import TracedDocument, TracedSpan
from tasks.provenance.tracing.trace import Tracer, has_span_index
from tasks.shared.text import byte_offsets, sentences

MIN_TRACED_UNITS = 4
"""A shorter sentence stands everywhere; that it does so says nothing about where it came from."""

Method = Literal["citation", "trace", "model", "influence"]
NoteCode = Literal["not_live", "changed", "not_equal", "unreadable", "similar", "no_span_index"]

_PLACE = (
    "doc_id", "source", "uri", "licence", "text_id", "start", "end", "src_start", "src_end",
)  # fmt: skip
_ORDER: tuple[Grade, ...] = ("quoted", "cited", "exposed", "influenced", "none")


@dataclass(frozen=True, kw_only=True)
class GradedEvidence:
    """One tie between a sentence and a document; offsets count bytes of its stored text."""

    grade: Grade
    score: float
    """quoted: 1; cited: support, as stored; exposed: share of the model's samples; influenced: relative."""
    method: Method
    doc_id: str
    source: str
    uri: str = ""
    licence: str = ""
    text_id: str = ""
    start: int = 0
    end: int = 0
    src_start: int | None = None
    src_end: int | None = None
    ordinal: int | None = None
    """Number of the citation of the answer, from 0."""
    node: str = ""
    """Model behind exposed and influenced."""
    lds: tuple[float, float, float] | None = None
    """How well influence scores predict retrainings of the model: value, and 95 % interval."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """Why something that was recorded or found counts for nothing.

    not_live: the cited document is superseded, gone or revoked; changed: the cited bytes are not
    those that were recorded; not_equal: recorded as quoted, but the bytes differ; unreadable: they
    are missing or damaged; similar: a live document says the same with other white space, case,
    markup or script; no_span_index: nothing was traced.
    """

    code: NoteCode
    node: str
    ordinal: int | None = None
    """Number of the citation, from 0."""


@dataclass(frozen=True, kw_only=True)
class GradedSentence:
    """Bytes [start, end) of the answer, their grade and what it rests on, strongest first."""

    start: int
    end: int
    text: str
    grade: Grade
    """"none" says that no source was found."""
    evidence: tuple[GradedEvidence, ...]
    notes: tuple[Note, ...]


def grade_answer(home: Home, answer: Answer) -> tuple[GradedSentence, ...]:
    """Grade every sentence of a stored answer; a refusal has none."""
    grader = _Grader(home, answer)
    return tuple(grader.sentence(start, end) for start, end in answer_sentences(answer))


def strongest(evidence: Sequence[GradedEvidence]) -> Grade:
    """Give the grade of a sentence: that of its strongest evidence."""
    return min((one.grade for one in evidence), key=_ORDER.index, default="none")


def answer_sentences(answer: Answer) -> list[tuple[int, int]]:
    """Cut an answer, in bytes: each cited range, and the sentences of what lies between them."""
    text, position = answer.text.encode(), 0
    cited = {(c.a_start, c.a_end) for c in answer.citations if 0 <= c.a_start < c.a_end}
    found: list[tuple[int, int]] = []
    for start, end in sorted(one for one in cited if one[1] <= len(text)):
        found += _uncited(text, position, start)
        found.append((start, end))
        position = max(position, end)
    return [*found, *_uncited(text, position, len(text))]


def _uncited(text: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Cut what no citation covers; pieces without a letter or digit say nothing."""
    try:
        piece = text[start:end].decode()
    except UnicodeDecodeError:  # a citation ends inside a character: what it left is one piece
        return [(start, end)]
    places = byte_offsets(piece)
    return [
        (start + int(places[first]), start + int(places[last]))
        for first, last in sentences(piece)
        if any(char.isalnum() for char in piece[first:last])
    ]


def _says_all(passage: bytes, span: TracedSpan) -> bool:
    """Whether a span holds all words of a passage, though perhaps not its bytes."""
    around = passage[: span.start] + passage[span.end :]
    return not any(char.isalnum() for char in around.decode("utf-8", "replace"))


class _Grader:
    def __init__(self, home: Home, answer: Answer) -> None:
        self.home, self.answer = home, answer
        self.tracer = Tracer(home) if has_span_index(home) else None
        self.texts = self.tracer.texts if self.tracer else LiveTexts(home)
        self.model = model_of(home, answer)
        self.exposures = exposures_of(home, self.model)
        self.num_samples = total_samples(self.exposures.values())

    def sentence(self, start: int, end: int) -> GradedSentence:
        """Grade bytes [start, end) of the answer."""
        passage = self.answer.text.encode()[start:end]
        cited, notes = self._citations(start, end, passage)
        evidence = list(cited)
        if strongest(cited) != "quoted":
            evidence += self._weaker(passage, {one.doc_id for one in cited}, notes)
        return GradedSentence(
            start=start,
            end=end,
            text=passage.decode("utf-8", "replace").strip(),
            grade=strongest(evidence),
            evidence=tuple(sorted(evidence, key=lambda one: _ORDER.index(one.grade))),
            notes=tuple(notes),
        )

    def _citations(
        self, start: int, end: int, passage: bytes
    ) -> tuple[list[GradedEvidence], list[Note]]:
        evidence, notes = [], []
        for ordinal, citation in enumerate(self.answer.citations):
            if (citation.a_start, citation.a_end) == (start, end):
                found = self._citation(ordinal, citation, passage)
                if isinstance(found, Note):
                    notes.append(found)
                elif found.grade != "none":
                    evidence.append(found)
        return evidence, notes

    def _citation(self, ordinal: int, citation: Citation, passage: bytes) -> GradedEvidence | Note:
        """Prove one citation again from the bytes that are stored now."""
        code = self._doubt(citation)
        if code:
            return Note(code=code, node=f"doc:{citation.doc_id}", ordinal=ordinal)
        text = self.texts.text(citation.text_id) or b""
        same = text[citation.start : citation.end] == passage
        if citation.grade == "quoted" and not same:
            return Note(code="not_equal", node=f"doc:{citation.doc_id}", ordinal=ordinal)
        return GradedEvidence(
            grade="quoted" if same else citation.grade,
            score=1.0 if same else citation.score,
            method="citation",
            ordinal=ordinal,
            **{name: getattr(citation, name) for name in _PLACE},
        )

    def _doubt(self, citation: Citation) -> NoteCode | None:
        """Say why a citation counts for nothing now, if it does."""
        carriers = self.texts.carriers(citation.text_id) if citation.text_id else ()
        if not any((c.doc_id, c.source) == (citation.doc_id, citation.source) for c in carriers):
            return "not_live"
        text = self.texts.text(citation.text_id)
        if text is None:
            return "unreadable"
        inside = 0 <= citation.start < citation.end <= len(text)
        quote = text[citation.start : citation.end]
        return None if inside and sha256_hex(quote) == citation.quote_sha256 else "changed"

    def _weaker(
        self, passage: bytes, doc_ids: set[str], notes: list[Note]
    ) -> Iterator[GradedEvidence]:
        """Look for the sentence in the live texts, and at the model that wrote it."""
        spans: tuple[TracedSpan, ...] = ()
        if self.tracer is None:
            notes.append(Note(code="no_span_index", node="spans"))
        elif passage.strip():
            trace = self.tracer.trace(passage)
            spans = trace.spans if trace.n_units >= MIN_TRACED_UNITS else ()
        traced = {document.doc_id for span in spans for document in span.documents}
        for span in spans:
            found = list(self._whole(passage, span))
            yield from found
            if not found and _says_all(passage, span):
                notes.append(Note(code="similar", node=f"doc:{span.documents[0].doc_id}"))
        yield from self._exposed(doc_ids | traced)
        yield from self._influenced(passage.decode("utf-8", "replace"))

    def _whole(self, passage: bytes, span: TracedSpan) -> Iterator[GradedEvidence]:
        """Give the documents that hold all bytes of the sentence, also those around its units."""
        before, after = span.start, len(passage) - span.end
        for document in span.documents:
            start, end = document.start - before, document.end + after
            text = self.texts.text(document.text_id) or b""
            if document.exact and start >= 0 and text[start:end] == passage:
                yield self._quoted(document, start, end)

    def _quoted(self, document: TracedDocument, start: int, end: int) -> GradedEvidence:
        carrier = next(
            carrier
            for carrier in self.texts.carriers(document.text_id)
            if (carrier.source, carrier.uri) == (document.source, document.uri)
        )
        source = self.texts.original(carrier, start, end)
        return GradedEvidence(
            grade="quoted",
            score=1.0,
            method="trace",
            doc_id=carrier.doc_id,
            source=carrier.source,
            uri=carrier.uri,
            licence=carrier.licence,
            text_id=carrier.text_id,
            start=start,
            end=end,
            src_start=source[0],
            src_end=source[1],
        )

    def _exposed(self, doc_ids: set[str]) -> Iterator[GradedEvidence]:
        for doc_id in sorted(doc_ids & self.exposures.keys()):
            for one in self.exposures[doc_id]:
                yield GradedEvidence(
                    grade="exposed",
                    score=one.n_samples / max(self.num_samples, 1),
                    method="model",
                    doc_id=doc_id,
                    source=one.source,
                    licence=one.licence,
                    node=self.model,
                )

    def _influenced(self, text: str) -> Iterator[GradedEvidence]:
        for one in calibrated_influences(self.home, self.model, text):
            yield GradedEvidence(
                grade="influenced",
                score=one.score,
                method="influence",
                doc_id=one.doc_id,
                source=one.source,
                node=self.model,
                lds=(one.lds, one.lds_low, one.lds_high),
            )
