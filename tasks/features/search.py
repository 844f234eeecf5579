"""Find the passages for a question: BM25, nearest vectors, or both fused.

Fusion adds both scores after scaling each to 0..1 over the union of both top lists; a score that
a list lacks is computed, not guessed. Both weigh the same when the index knows every term of the
question; BM25 loses weight with the share of IDF that it does not know, so that a question in
another language is left to the vectors. Ties go to the lower chunk id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from storage.errors import ConflictError, InputError
from storage.passages import ROWS_FILE
from storage.records import Hit
from storage.vectors import IndexFolder
from tasks.features.dense import Dense, Floats, Rows
from tasks.features.jobs import TextEncoder
from tasks.features.lexical import FOLDER, Bm25
from tasks.shared.text import analyse

DEPTH = 100
"""Length of each list that enters the fusion, at least."""

Mode = Literal["hybrid", "bm25", "dense"]
_HIT_FIELDS = tuple(name for name in Hit.__slots__ if name not in {"score", "bm25", "cosine"})


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which passages may be found; empty means all."""

    sources: frozenset[str] = frozenset()
    """A passage passes when any source that holds its document is named."""
    licences: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    min_trust: float = 0.0

    def mask(
        self, rows: pl.DataFrame, dead: frozenset[str] = frozenset()
    ) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Mark the rows that pass and are of no dead document; None when all do."""
        tests = [~pl.col("doc_id").is_in(list(dead))] if dead else []
        if self.sources:
            tests.append(pl.col("sources").list.set_intersection(list(self.sources)).list.len() > 0)
        if self.licences:
            tests.append(pl.col("licence").is_in(list(self.licences)))
        if self.languages:
            tests.append(pl.col("language").is_in(list(self.languages)))
        if self.min_trust > 0:
            tests.append(pl.col("trust") >= self.min_trust)
        return rows.select(pl.all_horizontal(tests)).to_series().to_numpy() if tests else None


@dataclass(frozen=True)
class Searcher:
    """An open index. Holds arrays and memory maps; open one per process."""

    digest: str
    rows: pl.DataFrame = field(repr=False)
    """One row a passage, in order of chunk_id, with all fields of a Hit but the scores."""
    dense: Dense = field(repr=False)
    lexical: Bm25 = field(repr=False)
    encoder: TextEncoder = field(repr=False)
    dead: frozenset[str] = field(default=frozenset(), repr=False)
    """Revoked documents that the index still holds: their passages are never found."""

    @classmethod
    def open(cls, folder: IndexFolder, encoder: TextEncoder) -> "Searcher":
        """Open a published index; ConflictError when it was built with another encoder."""
        built_with = folder.manifest["specs"]["vectors"]
        if encoder.spec != built_with:
            raise ConflictError(
                f"the index was built with encoder {built_with}, this one is {encoder.spec}",
                item=f"index:{folder.digest[:12]}",
                way_out="Run `suyuan features` and `suyuan index`, or set SUYUAN_EMBEDDER back",
            )
        return cls(
            digest=folder.digest,
            rows=pl.read_parquet(folder.path / ROWS_FILE),
            dense=Dense(folder.path, folder.manifest["dense"]),
            lexical=Bm25(folder.path / FOLDER),
            encoder=encoder,
            dead=folder.dead,
        )

    def search(
        self, question: str, k: int = 10, mode: Mode = "hybrid", filters: Filters | None = None
    ) -> list[Hit]:
        """Give the k best passages, best first; fewer when fewer match."""
        return self.search_many([question], k, mode, filters)[0]

    def search_many(
        self,
        questions: Sequence[str],
        k: int = 10,
        mode: Mode = "hybrid",
        filters: Filters | None = None,
    ) -> list[list[Hit]]:
        """Give the k best passages of each question; the questions are embedded together."""
        if any(not question.strip() for question in questions) or k < 1:
            raise InputError("a question is empty, or k is below 1", way_out="Ask something")
        mask = (filters or Filters()).mask(self.rows, self.dead)
        if not questions:
            return []
        vectors = self.encoder.embed(questions, "query")
        nearest = self._nearest(vectors, max(k, DEPTH), mode, mask)
        return [
            self._hits(_Query(question, vector, rows), k, mode, mask)
            for question, vector, rows in zip(questions, vectors, nearest, strict=True)
        ]

    def idf(self, terms: Sequence[str]) -> list[float]:
        """Give the inverse document frequency of terms in this index."""
        return self.lexical.idf(terms)

    def _nearest(
        self, vectors: Floats, depth: int, mode: Mode, mask: np.ndarray[Any, Any] | None
    ) -> list[Rows]:
        """Give the dense list of each question; empty lists when the mode needs none."""
        if mode == "bm25":
            return [np.empty(0, dtype=np.int64)] * len(vectors)
        if mask is None:
            return self.dense.nearest(vectors, depth)
        # exact: an approximate list could lose everything to the filter
        allowed = np.flatnonzero(mask)
        return [allowed[_top(self.dense.cosines(vector, allowed), depth)] for vector in vectors]

    def _hits(
        self, query: "_Query", k: int, mode: Mode, mask: np.ndarray[Any, Any] | None
    ) -> list[Hit]:
        terms = analyse(query.text)
        bm25 = self.lexical.score_terms(terms)
        matched = bm25 if mask is None else np.where(mask, bm25, np.float32(0))
        rows = query.nearest
        if mode != "dense":
            best = _top(matched, max(k, DEPTH))
            rows = np.union1d(rows, best[matched[best] > 0])
        rows = np.sort(rows)
        cosines = self.dense.cosines(query.vector, rows)
        scores = _score(mode, bm25[rows], cosines, self.lexical.known_share(terms))
        order = np.lexsort((rows, -scores))[:k]
        return [
            self._hit(int(rows[at]), float(scores[at]), float(bm25[rows[at]]), float(cosines[at]))
            for at in order
        ]

    def _hit(self, row: int, score: float, bm25: float, cosine: float) -> Hit:
        fields = self.rows.row(row, named=True)
        values = {name: fields[name] for name in _HIT_FIELDS}
        values["heading"] = tuple(values["heading"])
        return Hit(**values, score=score, bm25=bm25, cosine=cosine)


@dataclass(frozen=True)
class _Query:
    text: str
    vector: Floats
    nearest: Rows


def fuse(bm25: Floats, cosines: Floats, known: float = 1.0) -> Floats:
    """Add both after scaling each to 0..1; equal scores scale to 0.

    `known` is the share of the question that BM25 can see at all: its weight is half of that.
    """
    weight = np.float32(0.5 * known)
    mixed: Floats = weight * _unit(bm25) + (np.float32(1) - weight) * _unit(cosines)
    return mixed


def _score(mode: Mode, bm25: Floats, cosines: Floats, known: float) -> Floats:
    if mode == "hybrid":
        return fuse(bm25, cosines, known)
    return bm25 if mode == "bm25" else cosines


def _unit(scores: Floats) -> Floats:
    if scores.size == 0 or (spread := scores.max() - scores.min()) <= 0:
        return np.zeros_like(scores)
    scaled: Floats = (scores - scores.min()) / spread
    return scaled


def _top(scores: Floats, depth: int) -> Rows:
    """Give the rows of the highest scores, best first; ties go to the lower row."""
    if depth < scores.size:
        least = np.partition(scores, -depth)[-depth]
        candidates = np.flatnonzero(scores >= least)
    else:
        candidates = np.arange(scores.size)
    return candidates[np.lexsort((candidates, -scores[candidates]))][:depth]
