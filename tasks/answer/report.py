"""What the answer flow tells: the text with its marks, the places it rests on, the signals."""

import html
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel

from storage.records import Citation, Grade, Hit
from tasks.answer.pipeline import Reply
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
            "seconds": self.seconds,
        }

    def markdown(self) -> str:
        """Render for the Prefect page; document text cannot become markup."""
        lines = [html.escape(line, quote=False) for line in self._lines("en")]
        return f"**{html.escape(self.question)}**\n\n" + "  \n".join(lines)

    def _lines(self, lang: str) -> Iterator[str]:
        yield from self._body(lang)
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


def report_of(reply: Reply, seconds: float) -> AnswerReport:
    """Describe a reply."""
    answer = reply.answer
    return AnswerReport(
        answer_id=answer.answer_id,
        question=answer.question,
        status=answer.status,
        answer=answer.text,
        generator=answer.generator,
        index=answer.index_digest,
        citations=list(_places(answer.text.encode(), answer.citations, reply.hits)),
        near_misses=[_near_miss(scored) for scored in reply.near_misses],
        signals=dict(answer.signals),
        seconds=round(seconds, 3),
    )


def _places(
    text: bytes, citations: Sequence[Citation], hits: Sequence[Hit]
) -> Iterator[CitedPlace]:
    found = {hit.chunk_id: hit for hit in hits}
    for mark, citation in enumerate(citations, 1):
        hit = found[citation.chunk_id]
        chunk = hit.text.encode()
        yield CitedPlace(
            mark=mark,
            sentence=text[citation.a_start : citation.a_end].decode(),
            quote=chunk[citation.start - hit.start : citation.end - hit.start].decode(),
            title=hit.title,
            **{
                name: getattr(citation, name)
                for name in CitedPlace.model_fields
                if name in Citation.__dataclass_fields__
            },
        )


def _near_miss(scored: Scored) -> NearMiss:
    return NearMiss(sentence=scored.text, uri=scored.hit.uri, score=round(scored.score, 4))


def _place(place: CitedPlace, lang: str) -> str:
    if place.src_start is None:
        span = _say("text", lang).format(start=place.start, end=place.end)
    else:
        span = _say("original", lang).format(start=place.src_start, end=place.src_end)
    title = f"{_printable(place.title)} · " if place.title else ""
    return (
        f"  [{place.mark}] {title}{_printable(place.uri)} ({place.licence}), {span}, "
        f"{_say(place.grade, lang)}"
    )


def _say(key: str, lang: str) -> str:
    english, chinese = _WORDS[key]
    return chinese if lang == "zh" else english


def _printable(text: str) -> str:
    """Put text on one line, without characters that could steer a terminal or hide text."""
    flat = " ".join(text.split())
    return "".join(char for char in flat if unicodedata.category(char) not in {"Cc", "Cf", "Co"})
