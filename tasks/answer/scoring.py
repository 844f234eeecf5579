"""Score the sentences of retrieved passages by how much of a question they speak about.

MaxSim over the encoder's own token vectors, weighted by inverse document frequency (late
interaction as in ColBERT, Khattab and Zaharia 2020, without its training), plus half of the
share of the question's term weight that a sentence repeats.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from storage.records import Hit
from tasks.shared.embedding import Floats, Kind, Tokens
from tasks.shared.text import analyse, sentences

Idf = Callable[[Sequence[str]], Sequence[float]]
"""Inverse document frequency of each term in the corpus that was searched."""

COVERAGE_WEIGHT = 0.5
_FIRST_CJK = 0x2E80
_QUESTION_WORDS = frozenset(
    analyse(
        "a an the of in on at to for from by with as and or is are was were be been do does did "
        "has have had can could will would should may might must what which who whom whose when "
        "where why how many much it its this that these those there i you we they"
    )
)


class TokenEncoder(Protocol):
    """What scoring needs of an encoder."""

    @property
    def name(self) -> str:
        """Name of the encoder: its relevance gate is found by it."""
        ...

    @property
    def token_mean(self) -> Floats:
        """Mean unit token vector of ordinary prose."""
        ...

    def embed_tokens(self, texts: Sequence[str], kind: Kind) -> list[Tokens]:
        """Return unit vectors of the tokens of each text with their char ranges."""
        ...


@dataclass(frozen=True)
class Passage:
    """A retrieved passage that has been read: its sentences as char spans, its token vectors."""

    hit: Hit
    spans: tuple[tuple[int, int], ...]
    tokens: Tokens


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A sentence, chars [start, end) of the text of a hit, scored against a question."""

    hit: Hit
    start: int
    end: int
    max_sim: float
    """Weighted mean over the question's tokens of the best cosine in the sentence."""
    coverage: float
    """Share of the weight of the question's terms that the sentence contains, 0..1."""

    @property
    def text(self) -> str:
        """The sentence itself."""
        return self.hit.text[self.start : self.end]

    @property
    def score(self) -> float:
        """MaxSim plus half the coverage."""
        return self.max_sim + COVERAGE_WEIGHT * self.coverage


def read_passages(hits: Sequence[Hit], encoder: TokenEncoder) -> list[Passage]:
    """Split passages into sentences and embed their tokens, once for any number of questions.

    Sentences with a NUL are left out: no answer can be stored with one.
    """
    if not hits:
        return []
    all_tokens = encoder.embed_tokens([hit.text for hit in hits], "passage")
    return [
        Passage(
            hit=hit,
            spans=tuple(
                (start, end)
                for start, end in sentences(hit.text)
                if "\0" not in hit.text[start:end]
            ),
            tokens=_centred(tokens, encoder),
        )
        for hit, tokens in zip(hits, all_tokens, strict=True)
    ]


class Scorer:
    """Scores passages against one question; reusable for any number of them."""

    def __init__(self, question: str, encoder: TokenEncoder, idf: Idf) -> None:
        tokens = encoder.embed_tokens([question], "query")[0]
        self._vectors = _centred(tokens, encoder).vectors
        self._weights = _token_weights(question, tokens, idf)
        self._terms = _term_weights(question, idf)

    def score(self, passages: Sequence[Passage]) -> list[Scored]:
        """Score every sentence of the passages, in reading order."""
        return [scored for passage in passages for scored in self._score_one(passage)]

    def _score_one(self, passage: Passage) -> list[Scored]:
        tokens, text = passage.tokens, passage.hit.text
        similarity = self._vectors @ tokens.vectors.T
        found = []
        for start, end in passage.spans:
            inside = (tokens.starts < end) & (tokens.ends > start)
            best = similarity[:, inside].max(axis=1, initial=-1.0)
            found.append(
                Scored(
                    hit=passage.hit,
                    start=start,
                    end=end,
                    max_sim=float(best @ self._weights),
                    coverage=self.coverage(text[start:end]),
                )
            )
        return found

    def coverage(self, text: str) -> float:
        """Give the share of the question's term weight that a text contains."""
        present = set(analyse(text))
        return sum(weight for term, weight in self._terms.items() if term in present)


def _centred(tokens: Tokens, encoder: TokenEncoder) -> Tokens:
    """Take away the direction that all tokens share, so that cosines spread out."""
    moved = tokens.vectors - encoder.token_mean
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    return Tokens(moved / np.maximum(norms, 1e-12), tokens.starts, tokens.ends)


def _token_weights(question: str, tokens: Tokens, idf: Idf) -> Floats:
    """Weigh each token by the frequency of the word that it is a piece of; the sum is 1."""
    weights = [
        _mean_idf(_word_around(question, int(start), int(end)), idf)
        for start, end in zip(tokens.starts, tokens.ends, strict=True)
    ]
    return _normalised(np.array(weights, dtype=np.float32))


def _term_weights(question: str, idf: Idf) -> dict[str, float]:
    terms = sorted(set(analyse(question)))
    content = [term for term in terms if term not in _QUESTION_WORDS] or terms
    weights = _normalised(np.array(list(idf(content)), dtype=np.float32))
    return dict(zip(content, weights.tolist(), strict=True))


def _mean_idf(word: str, idf: Idf) -> float:
    terms = [term for term in analyse(word) if term not in _QUESTION_WORDS]
    return float(np.mean(idf(terms))) if terms else 0.0


def _word_around(text: str, start: int, end: int) -> str:
    """Widen a range to the word around it; scripts without spaces keep the range."""
    while start > 0 and _joins(text[start - 1]) and _joins(text[start]):
        start -= 1
    while end < len(text) and _joins(text[end]) and _joins(text[end - 1]):
        end += 1
    return text[start:end]


def _joins(char: str) -> bool:
    return char.isalnum() and ord(char) < _FIRST_CJK


def _normalised(weights: Any) -> Any:
    """Scale weights to a sum of 1; equal weights when all are zero."""
    total = float(weights.sum())
    if total <= 0.0:
        return np.full(len(weights), 1.0 / max(1, len(weights)), dtype=np.float32)
    return weights / total
