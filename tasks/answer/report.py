"""What the answer flow tells: the text with its marks, the places it rests on, the signals."""

import html
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from storage.records import Citation, Grade
from tasks.answer.pipeline import Reply, Withheld
from tasks.answer.scoring import Scored

_WORDS: dict[str, tuple[str, str]] = {
    "refused": (
        "I found nothing in the index that answers this.",
        "索引中没有能回答这个问题的内容。",
    ),
    "nearest": ("Nearest", "最接近的内容"),
    "sources": ("Sources", "来源"),
    "answer": ("Answer", "回答编号"),
    "original": ("bytes {start}-{end} of the original", "原始文件第 {start}-{end} 字节"),
    "text": ("bytes {start}-{end} of the extracted text", "提取文本第 {start}-{end} 字节"),
    "quoted": ("quoted", "原文引用"),
    "cited": ("in other words", "转述"),
    "override": ("trust {trust:.2f} by decision of a person", "可信度 {trust:.2f}（人工设定）"),
    "withheld": ("Found, but not to be quoted under its licence", "已找到，但许可证不允许引用"),
    "notices": ("Notices owed", "须附声明"),
    "conflict": (
        "Keep these quotations apart, their licences cannot cover one text",
        "以下许可证不能用于同一文本，请分开引用",
    ),
}


class CitedPlace(BaseModel):
    """One place that a sentence of the answer rests on."""

    mark: int
    """Number that the answer shows behind the sentence."""
    sentence: str
    quote: str
    grade: Grade
    score: float
    title: str
    uri: str
    source: str
    licence: str
    doc_id: str
    start: int
    end: int
    src_start: int | None
    src_end: int | None
    trust: float
    trust_by: str
    """Either "declared", "computed" or "override"; "index" for what the index was built with."""


class WithheldPlace(BaseModel):
    """A document that was found, but whose licence forbids quoting it."""

    title: str
    uri: str
    source: str
    licence: str
    reason: str


class NoticeOwed(BaseModel):
    """What whoever shows the answer owes to one document."""

    model_config = ConfigDict(from_attributes=True)

    title: str
    author: str
    publisher: str
    source: str
    uri: str
    licence: str
    chosen: str
    names: list[str]
    urls: list[str]
    obligations: list[str]
    text: str
    text_zh: str


class Owed(Protocol):
    """What a licence policy says that an answer owes."""

    @property
    def notices(self) -> Sequence[object]:
        """Objects with the attributes of NoticeOwed."""
        ...

    @property
    def conflicts(self) -> Sequence[str]:
        """Licences that cannot cover one text."""
        ...


class NearMiss(BaseModel):
    """A sentence that came near in a refusal."""

    sentence: str
    uri: str
    score: float


class AnswerReport(BaseModel):
    """An answer or refusal with all that a reader needs to judge it."""

    answer_id: str
    question: str
    status: Literal["answered", "refused"]
    answer: str
    generator: str
    index: str
    citations: list[CitedPlace]
    near_misses: list[NearMiss]
    withheld: list[WithheldPlace]
    notices: list[NoticeOwed]
    licence_conflicts: list[str]
    signals: dict[str, float]
    seconds: float

    def text(self, lang: str) -> str:
        """Render for a terminal, in English or Chinese."""
        return "\n".join(self._lines(lang))

    def metrics(self) -> dict[str, float]:
        """Give numbers for a tracker."""
        return {
            **self.signals,
            "answered": float(self.status == "answered"),
            "citations": float(len(self.citations)),
            "notices": float(len(self.notices)),
            "seconds": self.seconds,
        }

    def markdown(self) -> str:
        """Render for the Prefect page; document text cannot become markup."""
        lines = [html.escape(line, quote=False) for line in self._lines("en")]
        return f"**{html.escape(self.question)}**\n\n" + "  \n".join(lines)

    def _lines(self, lang: str) -> Iterator[str]:
        yield from self._body(lang)
        yield from self._terms(lang)
        yield ""
        yield f"{_say('answer', lang)}: {self.answer_id}"

    def _body(self, lang: str) -> Iterator[str]:
        if self.status == "refused":
            yield _say("refused", lang)
            if self.near_misses:
                yield f"{_say('nearest', lang)}:"
            for miss in self.near_misses:
                yield f"  - {_printable(miss.sentence)} ({_printable(miss.uri)})"
            return
        marks: dict[str, list[int]] = {}
        for place in self.citations:
            marks.setdefault(place.sentence, []).append(place.mark)
        for sentence, numbers in marks.items():
            yield f"{_printable(sentence)} {''.join(f'[{number}]' for number in numbers)}"
        yield ""
        yield f"{_say('sources', lang)}:"
        for place in self.citations:
            yield _place(place, lang)

    def _terms(self, lang: str) -> Iterator[str]:
        """Say what may not be quoted, and what quoting the rest asks for."""
        for title, lines in (
            ("withheld", [f"{p.uri} ({p.licence})" for p in self.withheld]),
            ("notices", [n.text_zh if lang == "zh" else n.text for n in self.notices]),
            ("conflict", self.licence_conflicts),
        ):
            if lines:
                yield ""
                yield f"{_say(title, lang)}:"
                yield from (f"  - {_printable(line)}" for line in lines)


def report_of(reply: Reply, seconds: float, owed: Owed | None = None) -> AnswerReport:
    """Describe a reply, with what it owes for its quotations."""
    answer = reply.answer
    return AnswerReport(
        answer_id=answer.answer_id,
        question=answer.question,
        status=answer.status,
        answer=answer.text,
        generator=answer.generator,
        index=answer.index_digest,
        citations=list(_places(answer.text.encode(), answer.citations, reply)),
        near_misses=[_near_miss(scored) for scored in reply.near_misses],
        withheld=_withheld(reply.withheld),
        notices=[NoticeOwed.model_validate(one) for one in owed.notices] if owed else [],
        licence_conflicts=list(owed.conflicts) if owed else [],
        signals=dict(answer.signals),
        seconds=round(seconds, 3),
    )


def _places(text: bytes, citations: Sequence[Citation], reply: Reply) -> Iterator[CitedPlace]:
    found = {hit.chunk_id: hit for hit in reply.hits}
    for mark, citation in enumerate(citations, 1):
        hit, standing = found[citation.chunk_id], reply.standings.get(citation.source)
        chunk = hit.text.encode()
        yield CitedPlace(
            mark=mark,
            sentence=text[citation.a_start : citation.a_end].decode(),
            quote=chunk[citation.start - hit.start : citation.end - hit.start].decode(),
            title=hit.title,
            trust=standing.trust if standing else hit.trust,
            trust_by=standing.by if standing else "index",
            **{
                name: getattr(citation, name)
                for name in CitedPlace.model_fields
                if name in Citation.__dataclass_fields__
            },
        )


def _withheld(passages: Sequence[Withheld]) -> list[WithheldPlace]:
    """Name each document once."""
    places = {(one.hit.source, one.hit.uri): one for one in passages}
    return [
        WithheldPlace(
            title=one.hit.title,
            uri=one.hit.uri,
            source=one.hit.source,
            licence=one.hit.licence,
            reason=one.reason,
        )
        for one in places.values()
    ]


def _near_miss(scored: Scored) -> NearMiss:
    return NearMiss(sentence=scored.text, uri=scored.hit.uri, score=round(scored.score, 4))


def _place(place: CitedPlace, lang: str) -> str:
    if place.src_start is None:
        span = _say("text", lang).format(start=place.start, end=place.end)
    else:
        span = _say("original", lang).format(start=place.src_start, end=place.src_end)
    title = f"{_printable(place.title)} · " if place.title else ""
    parts = [f"{title}{_printable(place.uri)} ({place.licence})", span, _say(place.grade, lang)]
    if place.trust_by == "override":
        parts.append(_say("override", lang).format(trust=place.trust))
    return f"  [{place.mark}] {', '.join(parts)}"


def _say(key: str, lang: str) -> str:
    english, chinese = _WORDS[key]
    return chinese if lang == "zh" else english


def _printable(text: str) -> str:
    """Put text on one line, without characters that could steer a terminal or hide text."""
    flat = " ".join(text.split())
    return "".join(char for char in flat if unicodedata.category(char) not in {"Cc", "Cf", "Co"})
