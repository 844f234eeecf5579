"""BM25 over counted terms, with bm25s: built from counts, stored, and read by memory map."""

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

FOLDER = "bm25"
METHOD = "lucene"
K1 = 1.5
B = 0.75

Floats = np.ndarray[Any, np.dtype[np.float32]]


def build_bm25(counts: pl.DataFrame, folder: Path) -> dict[str, object]:
    """Index texts by their counts (columns terms, frequencies; one row a text) into a folder.

    Gives the parameters and sizes for the manifest. Equal counts give equal files.
    """
    bm25s = _bm25s()
    long = counts.select(
        pl.col("terms"), pl.col("frequencies"), pl.int_range(pl.len()).alias("row")
    ).explode("terms", "frequencies", empty_as_null=False)
    terms = long["terms"].unique().sort()
    numbers = pl.DataFrame({"terms": terms, "number": np.arange(len(terms))})
    column = long.join(numbers, on="terms", how="left", maintain_order="left")["number"]
    repeated = np.repeat(column.to_numpy(), long["frequencies"].to_numpy())
    lengths = counts["frequencies"].list.sum().fill_null(0).to_numpy()
    ids = [piece.tolist() for piece in np.split(repeated, np.cumsum(lengths)[:-1])]
    vocabulary = {term: number for number, term in enumerate(terms)}
    index = bm25s.BM25(method=METHOD, k1=K1, b=B)
    index.index((ids, vocabulary), create_empty_token=False, show_progress=False)
    index.save(os.fspath(folder), show_progress=False)
    return {"method": METHOD, "k1": K1, "b": B, "num_terms": len(terms)}


class Bm25:
    """A stored BM25 index, read by memory map."""

    def __init__(self, folder: Path) -> None:
        index = _bm25s().BM25.load(os.fspath(folder), mmap=True, show_progress=False)
        self._vocabulary: dict[str, int] = index.vocab_dict
        self._index = index
        self._starts = np.asarray(index.scores["indptr"])
        self._num_rows = int(index.scores["num_docs"])

    def score_terms(self, terms: Sequence[str]) -> Floats:
        """Score every row for terms as `analyse` gives them; one that occurs twice counts twice."""
        ids = [self._vocabulary[term] for term in terms if term in self._vocabulary]
        if not ids:
            return np.zeros(self._num_rows, dtype=np.float32)
        scores: Floats = self._index.get_scores_from_ids(ids)
        return scores

    def known_share(self, terms: Sequence[str]) -> float:
        """Give the share of the distinct terms' IDF that lies in terms of the index; 0 for none."""
        distinct = sorted(set(terms))
        idf = self.idf(distinct)
        pairs = zip(distinct, idf, strict=True)
        known = sum(weight for term, weight in pairs if term in self._vocabulary)
        return known / sum(idf) if idf else 0.0

    def idf(self, terms: Sequence[str]) -> list[float]:
        """Give Lucene's inverse document frequency of each term; an unknown one gets the highest."""
        numbers = [self._vocabulary.get(term) for term in terms]
        counts = [0 if n is None else int(self._starts[n + 1] - self._starts[n]) for n in numbers]
        return [math.log1p((self._num_rows - count + 0.5) / (count + 0.5)) for count in counts]


def _bm25s() -> Any:
    """Import bm25s, which sets its own logger to DEBUG, and quieten it."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s
