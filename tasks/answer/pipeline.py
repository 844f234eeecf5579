"""From a question to a cited answer, or a refusal: retrieve, read, weigh, quote or check."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from ulid import ULID

from storage.errors import InputError
from storage.records import Answer, Citation, Hit
from tasks.answer.composing import Evidence, Sentence, SourceRange, compose, identity_range
from tasks.answer.gate import Gate, gate_for, relevance
from tasks.answer.generators import Generator
from tasks.answer.scoring import Passage, Scored, Scorer, TokenEncoder, read_passages
from tasks.answer.selection import Selected, select_sentences
from tasks.answer.support import SupportChecker
from tasks.shared.text import sentences

EXTRACTIVE = "extractive"
MAX_QUESTION_CHARS = 4000
MAX_READ = 10
"""Passages whose sentences are weighed, whatever the number retrieved."""
MAX_GENERATED = 8
"""Sentences of a generated text that are looked at."""
_NEAR_MISSES = 3


class Searcher(Protocol):
    """What answering needs of retrieval."""

    def search(self, question: str, k: int = 10) -> list[Hit]:
        """Return the k best passages, best first."""
        ...

    def idf(self, terms: Sequence[str]) -> list[float]:
        """Return the inverse document frequency of each term; the highest for an unknown one."""
        ...


class Standing(Protocol):
    """How far a source is trusted today, and who says so."""

    @property
    def trust(self) -> float:
        """Trust from 0 to 1."""
        ...

    @property
    def by(self) -> str:
        """Either "declared", "computed" or "override"."""
        ...


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """How to answer, and what to store with the answer."""

    k: int = 10
    """Passages to retrieve."""
    max_sentences: int = 3
    run_id: str = ""
    index_digest: str = ""
    gate: Gate | None = None
    """Relevance gate; None takes the fitted one of the encoder and language."""
    source_range: SourceRange = field(default=identity_range)
    refusal: Callable[[str], str] | None = None
    """Says why passages under a licence may not be quoted, "" if they may; None quotes all."""
    standing: Callable[[str], Standing] | None = None
    """Trust of a source today; None takes the trust that the index was built with."""


@dataclass(frozen=True)
class Withheld:
    """A passage that was found, but may not be quoted."""

    hit: Hit
    reason: str


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer with what it was made from."""

    answer: Answer
    hits: tuple[Hit, ...]
    near_misses: tuple[Scored, ...] = ()
    """The best sentences, when the answer is a refusal."""
    withheld: tuple[Withheld, ...] = ()
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """Trust of each source as of the answer."""


@dataclass(frozen=True)
class _Reading:
    """The passages of one question, read and weighed."""

    question: str
    hits: list[Hit]
    passages: list[Passage]
    scored: list[Scored]
    withheld: tuple[Withheld, ...]
    standings: Mapping[str, Standing]


def answer_question(
    question: str,
    searcher: Searcher,
    encoder: TokenEncoder,
    generator: Generator | None = None,
    options: AnswerOptions | None = None,
) -> Reply:
    """Answer from the index, every sentence cited; refuse when nothing relevant is found.

    Without a generator the answer quotes. A sentence that a generator writes is kept only when
    a passage supports it; else the best quotation takes its place. A passage whose licence
    forbids quoting is neither read nor shown to a generator; the reply names it as withheld.
    """
    options = options or AnswerOptions()
    reading = _read(_checked(question), searcher, encoder, options)
    signals = relevance(reading.question, reading.hits, reading.scored, searcher.idf)
    gate = options.gate or gate_for(encoder.name, reading.question, reading.hits)
    signals["p_answerable"] = gate.probability(signals)
    signals["threshold"] = gate.threshold
    if reading.withheld:
        signals["withheld"] = float(len(reading.withheld))
    if not reading.scored or signals["p_answerable"] < gate.threshold:
        return _refusal(reading, generator, options, signals)
    selected = select_sentences(reading.scored, options.max_sentences)
    parts = _quotations(selected)
    if generator is not None:
        checker = SupportChecker(reading.passages, encoder, searcher.idf)
        parts = _checked_text(generator, reading, checker, parts, signals)
    composed = compose(parts, options.source_range)
    return _reply(reading, _answer(reading, generator, options, signals, composed))


def _checked(question: str) -> str:
    question = question.strip()
    if not question or len(question) > MAX_QUESTION_CHARS or "\0" in question:
        raise InputError(
            f"a question has 1 to {MAX_QUESTION_CHARS} characters and no NUL",
            item="question",
            way_out="Ask it in fewer words" if question else "Ask something",
        )
    return question


def _read(
    question: str, searcher: Searcher, encoder: TokenEncoder, options: AnswerOptions
) -> _Reading:
    found = searcher.search(question, options.k)
    reasons = [options.refusal(hit.licence) if options.refusal else "" for hit in found]
    withheld = tuple(Withheld(hit, why) for hit, why in zip(found, reasons, strict=True) if why)
    hits = [hit for hit, why in zip(found, reasons, strict=True) if not why]
    standings: dict[str, Standing] = {}
    if options.standing:
        standings = {name: options.standing(name) for name in {hit.source for hit in hits}}
        hits = [replace(hit, trust=standings[hit.source].trust) for hit in hits]
    passages = read_passages(hits[:MAX_READ], encoder)
    scored = Scorer(question, encoder, searcher.idf).score(passages)
    return _Reading(question, hits, passages, scored, withheld, standings)


def _reply(reading: _Reading, answer: Answer, near_misses: Sequence[Scored] = ()) -> Reply:
    return Reply(
        answer=answer,
        hits=tuple(reading.hits),
        near_misses=tuple(near_misses),
        withheld=reading.withheld,
        standings=reading.standings,
    )


def _quotations(selected: Sequence[Selected]) -> list[Sentence]:
    return [
        Sentence(one.best.text, (_evidence(one.best, one.best.text), *_twins(one)))
        for one in selected
    ]


def _twins(selected: Selected) -> list[Evidence]:
    return [_evidence(twin, selected.best.text) for twin in selected.twins]


def _evidence(scored: Scored, quoted: str) -> Evidence:
    """Grade a place by whether its bytes are those of the sentence that cites it."""
    return Evidence(
        hit=scored.hit,
        start=scored.start,
        end=scored.end,
        grade="quoted" if scored.text == quoted else "cited",
        score=scored.score,
    )


def _checked_text(
    generator: Generator,
    reading: _Reading,
    checker: SupportChecker,
    quotations: Sequence[Sentence],
    signals: dict[str, float],
) -> list[Sentence]:
    """Let the generator write; keep what is supported, replace the rest by quotations in order.

    Records in the signals how many sentences were generated, supported and replaced.
    """
    written = generator.generate(reading.question, [hit.text for hit in reading.hits])
    spans = sentences(written)[:MAX_GENERATED]
    kept: dict[str, Sentence] = {}
    spare = list(quotations)
    counts = {"generated": len(spans), "supported": 0, "replaced": 0}
    for start, end in spans:
        evidence = checker.check(written[start:end])
        if evidence is not None:
            kept.setdefault(written[start:end], Sentence(written[start:end], (evidence,)))
            counts["supported"] += 1
        elif (quotation := _next_unused(spare, kept.values())) is not None:
            kept.setdefault(quotation.text, quotation)
            counts["replaced"] += 1
    signals.update({name: float(count) for name, count in counts.items()})
    return list(kept.values()) or list(quotations)


def _next_unused(spare: list[Sentence], kept: Iterable[Sentence]) -> Sentence | None:
    """Take the next quotation from a place that no kept sentence rests on already."""
    used = [evidence for one in kept for evidence in one.evidence]
    while spare:
        quotation = spare.pop(0)
        if not any(_overlap(quotation.evidence[0], other) for other in used):
            return quotation
    return None


def _overlap(one: Evidence, other: Evidence) -> bool:
    same = one.hit.chunk_id == other.hit.chunk_id
    return same and one.start < other.end and other.start < one.end


def _refusal(
    reading: _Reading,
    generator: Generator | None,
    options: AnswerOptions,
    signals: dict[str, float],
) -> Reply:
    nearest = sorted(reading.scored, key=lambda one: -one.score)[:_NEAR_MISSES]
    return _reply(reading, _answer(reading, generator, options, signals), nearest)


def _answer(
    reading: _Reading,
    generator: Generator | None,
    options: AnswerOptions,
    signals: dict[str, float],
    composed: tuple[str, tuple[Citation, ...]] = ("", ()),
) -> Answer:
    """Make the record to store; without text it is a refusal."""
    text, citations = composed
    return Answer(
        answer_id=str(ULID()),
        question=reading.question,
        status="answered" if text else "refused",
        text=text,
        generator=generator.name if generator else EXTRACTIVE,
        index_digest=options.index_digest,
        run_id=options.run_id,
        created_at=datetime.now(UTC),
        citations=citations,
        signals={name: round(value, 6) for name, value in signals.items()},
    )
