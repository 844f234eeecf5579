"""SQuAD-style JSON as a retrieval set: paragraphs are the corpus, questions seek their paragraph.

The article's title is not given to the retrievers: the paragraph alone must be found. A passage
is named "<article>/<paragraph>", counted from 0; paragraphs of equal text are one passage.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.errors import InputError
from tasks.evaluate.questions import Passage, QuestionSet
from tasks.evaluate.rows import Refusal, Row, RowError, parse_rows, read_whole, text_field

Place = tuple[int, int]
"""Article and paragraph, counted from 0."""


@dataclass(frozen=True)
class _Question:
    """A question at its position in the file."""

    place: tuple[int, int, int]
    id: str
    text: str


@dataclass
class _File:
    """What one SQuAD-style file holds."""

    paragraphs: dict[Place, str]
    questions: list[_Question]
    refused: list[Refusal]
    skipped: int = 0


def read_squad(path: Path, queries: Path | None = None) -> QuestionSet:
    """Read one file; or its paragraphs, with the questions of `queries`.

    `queries` is either a parallel SQuAD-style file (question k of paragraph j of article i is
    the same question: XQuAD) or JSON Lines {_id, text} with the ids of the first file.
    """
    main = _read(path)
    passages = _merge_equal(main)
    corpus = {passage.id: passage for passage in passages.values()}
    texts, refused = _other_texts(main, queries) if queries else ({}, [])
    kept = [row for row in main.questions if not queries or row.id in texts]
    return QuestionSet(
        name=_stem(path) if queries is None else f"{_stem(queries)} to {_stem(path)}",
        corpus=tuple(corpus.values()),
        queries={row.id: texts.get(row.id, row.text) for row in kept},
        relevant={row.id: {passages[row.place[:2]].id: 1} for row in kept},
        refused=(*main.refused, *refused),
        skipped=main.skipped,
    )


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json").removesuffix(".jsonl")


def _merge_equal(file: _File) -> dict[Place, Passage]:
    """Give each place its passage; equal texts share the first one's."""
    by_text: dict[str, Passage] = {}
    for (i, j), text in file.paragraphs.items():
        by_text.setdefault(text, Passage(f"{i}/{j}", "", text))
    return {place: by_text[text] for place, text in file.paragraphs.items()}


def _other_texts(main: _File, path: Path) -> tuple[dict[str, str], list[Refusal]]:
    """Match the questions of another file to those of the main one: id -> text."""
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        return _texts_by_id(main, path)
    other = _read(path)
    at = {row.place: row for row in main.questions}
    refused = list(other.refused)
    texts = {}
    for row in other.questions:
        twin = at.get(row.place)
        if twin is not None and twin.id == row.id:
            texts[twin.id] = row.text
        else:
            found = "nothing" if twin is None else f"question {twin.id!r}"
            reason = f"question {row.id!r} stands where the corpus file has {found}"
            refused.append(Refusal(f"{path.name}:{_path(row.place)}", reason))
    return texts, refused


def _texts_by_id(main: _File, path: Path) -> tuple[dict[str, str], list[Refusal]]:
    known = {row.id for row in main.questions}
    refused: list[Refusal] = []

    def parse(row: Row, _: int) -> tuple[str, str]:
        name = text_field(row, "_id", "id")
        if name not in known:
            raise RowError(f"question {name!r} is not in the corpus file")
        return name, text_field(row, "text", "question")

    return dict(row for _, row in parse_rows(path, parse, refused)), refused


def _read(path: Path) -> _File:
    try:
        data = json.loads(read_whole(path))["data"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            'not a SQuAD-style JSON object with a "data" list',
            item=str(path),
            way_out="See docs/evaluation.md for the formats.",
        ) from error
    file = _File({}, [], [])
    seen: set[str] = set()
    for (i, j), paragraph in _paragraphs(data, path, file):
        try:
            file.paragraphs[i, j] = text_field(paragraph, "context")
        except RowError as error:
            file.refused.append(Refusal(f"{path.name}:{_path((i, j))}", str(error)))
            continue
        _add_questions(paragraph, (i, j), path, file, seen)
    return file


def _paragraphs(data: object, path: Path, file: _File) -> Iterator[tuple[Place, Row]]:
    for i, article in enumerate(_list(data)):
        if not isinstance(article, dict) or not isinstance(article.get("paragraphs"), list):
            file.refused.append(Refusal(f"{path.name}:{_path((i,))}", "holds no paragraphs"))
            continue
        for j, paragraph in enumerate(article["paragraphs"]):
            yield (i, j), paragraph if isinstance(paragraph, dict) else {}


def _add_questions(paragraph: Row, place: Place, path: Path, file: _File, seen: set[str]) -> None:
    for k, qa in enumerate(_list(paragraph.get("qas"))):
        where = (*place, k)
        try:
            question = _question(qa, where, seen)
        except RowError as error:
            file.refused.append(Refusal(f"{path.name}:{_path(where)}", str(error)))
            continue
        if question is None:
            file.skipped += 1
        else:
            seen.add(question.id)
            file.questions.append(question)


def _question(qa: object, place: tuple[int, int, int], seen: set[str]) -> _Question | None:
    """Read one question; None when it is marked impossible."""
    if not isinstance(qa, dict):
        raise RowError("not an object")
    if qa.get("is_impossible") is True:
        return None
    question = _Question(place, text_field(qa, "id"), text_field(qa, "question"))
    if question.id in seen:
        raise RowError(f"id {question.id!r} occurs twice")
    if not any(_answer_text(answer) for answer in _list(qa.get("answers"))):
        raise RowError("has no answer and is not marked is_impossible")
    return question


def _answer_text(answer: object) -> str:
    text = answer.get("text") if isinstance(answer, dict) else answer
    return text.strip() if isinstance(text, str) else ""


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _path(place: tuple[int, ...]) -> str:
    names = ("data", "paragraphs", "qas")
    return ".".join(f"{name}[{at}]" for name, at in zip(names, place, strict=False))
