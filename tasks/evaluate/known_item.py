"""Questions derived from the published index itself, for a first look without a labelled set.

A question is a document's title, a heading of it or its first sentence; the document is what must
be found. Such questions share words with their document, so they favour lexical search and are
easier than a person's: compare two index versions with them, do not judge a product by them.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.evaluate.questions import QuestionSet
from tasks.shared.text import analyse, sentences

NAME = "known-item"
NUM_QUESTIONS = 200
MIN_TERMS = 3
MAX_CHARS = 300
_HEAD_CHARS = 2000
"""First sentences are sought in this much of a document."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What the index knows of one document."""

    doc_id: str
    title: str
    headings: tuple[str, ...]
    text: str
    """Text of its first chunk."""


def sources_of(rows: pl.DataFrame) -> list[Source]:
    """Gather documents from the rows of an index: doc_id, title, heading, text, ordinal."""
    documents = (
        rows.sort("doc_id", "ordinal")
        .group_by("doc_id", maintain_order=True)
        .agg(
            pl.col("title").first(),
            pl.col("heading").explode().drop_nulls().unique(maintain_order=True),
            pl.col("text").first(),
        )
    )
    return [
        Source(doc_id=doc_id, title=title or "", headings=tuple(headings), text=text)
        for doc_id, title, headings, text in documents.iter_rows()
    ]


def known_items(documents: Sequence[Source], limit: int, *, seed: int = 0) -> QuestionSet:
    """Draw up to limit documents and one question of each.

    A phrase is a question only when one document alone carries it (case and spaces aside) and it
    has at least MIN_TERMS search terms. Order of the documents does not matter.
    """
    phrases = {doc.doc_id: _phrases(doc) for doc in documents}
    carriers: dict[str, set[str]] = {}
    for doc_id, found in phrases.items():
        for phrase in found:
            carriers.setdefault(_fold(phrase), set()).add(doc_id)
    own = {
        doc_id: [phrase for phrase in found if len(carriers[_fold(phrase)]) == 1]
        for doc_id, found in phrases.items()
    }
    usable = sorted(doc_id for doc_id, found in own.items() if found)
    rng = np.random.default_rng(seed)
    drawn = [usable[at] for at in rng.permutation(len(usable))[:limit]]
    picked = {doc_id: own[doc_id][int(rng.integers(len(own[doc_id])))] for doc_id in drawn}
    names = {doc_id: hashlib.sha256(doc_id.encode()).hexdigest()[:12] for doc_id in picked}
    return QuestionSet(
        name=NAME,
        corpus=(),
        queries={names[doc_id]: phrase for doc_id, phrase in picked.items()},
        relevant={names[doc_id]: {doc_id: 1} for doc_id in picked},
        skipped=len(documents) - len(usable),
    )


def _phrases(document: Source) -> list[str]:
    """Give the document's distinct candidate phrases, in order."""
    return list(dict.fromkeys(phrase for phrase in _candidates(document) if _fits(phrase)))


def _candidates(document: Source) -> Iterator[str]:
    yield " ".join(document.title.split())
    for heading in document.headings:
        yield " ".join(heading.split())
    head = document.text[:_HEAD_CHARS]
    known = {_fold(document.title), *map(_fold, document.headings)}
    for start, end in sentences(head):
        sentence = " ".join(head[start:end].split())
        if _fold(sentence).strip("#= ") not in known and _fits(sentence):
            yield sentence
            return


def _fits(phrase: str) -> bool:
    return len(phrase) <= MAX_CHARS and len(analyse(phrase)) >= MIN_TERMS


def _fold(phrase: str) -> str:
    return " ".join(phrase.casefold().split())
