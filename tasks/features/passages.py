"""Index passages that no table holds: a throw-away index, made and searched as the real one is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from storage.digest import sha256_hex
from storage.records import UNKNOWN_LICENCE
from storage.vectors import IndexFolder
from tasks.features.chunking import ChunkOptions
from tasks.features.counts import count_terms
from tasks.features.dense import DenseOptions, Floats
from tasks.features.index import ROW_SCHEMA, Corpus, build_index
from tasks.features.jobs import LoadEncoder
from tasks.features.search import Searcher
from tasks.features.stages import specs_of
from tasks.shared.engine import Engine

NamedText = tuple[str, str]
"""Id under which a search finds the passage, as `doc_id` of the hit; its text."""

BATCH_CHARS = 1 << 16
_BLANK: dict[str, object] = {
    **dict.fromkeys(("text_id", "source", "uri", "title", "cluster"), ""),
    "origin": "identity",
    "licence": UNKNOWN_LICENCE,
    "language": "und",
    "trust": 0.0,
    "heading": [],
    "sources": [],
    "ordinal": 0,
    "n_tokens": 0,
}


@dataclass(frozen=True, kw_only=True)
class PassageJob:
    """Texts to count and embed in a worker."""

    texts: tuple[str, ...]
    encoder: Path
    load: LoadEncoder


@dataclass(frozen=True, kw_only=True)
class PassageFeatures:
    """Vectors [n, dim] and counted terms of the texts of a job."""

    vectors: Floats
    terms: list[list[str]]
    frequencies: list[list[int]]


def index_passages(
    passages: Sequence[NamedText], encoder: Path, load: LoadEncoder, engine: Engine, folder: Path
) -> Searcher:
    """Index passages whole, each as one row, in an empty folder; equal ids are a ValueError."""
    if len({name for name, _ in passages}) < len(passages):
        raise ValueError("two passages have the same id")
    jobs = [
        PassageJob(texts=texts, encoder=encoder, load=load)
        for texts in _batches([text for _, text in passages])
    ]
    done = engine.map(compute_features, jobs, label="passages")
    corpus = Corpus(
        rows=_rows(passages),
        vectors=np.concatenate([part.vectors for part in done]),
        counts=pl.DataFrame(
            {
                "terms": [row for part in done for row in part.terms],
                "frequencies": [row for part in done for row in part.frequencies],
            }
        ),
    )
    loaded = load(encoder)
    manifest = build_index(folder, corpus, specs_of(loaded, ChunkOptions()), DenseOptions())
    return Searcher.open(IndexFolder(folder, "throw-away", manifest), loaded)


def compute_features(job: PassageJob) -> PassageFeatures:
    """Embed texts and count their terms; runs in a worker."""
    counted = [count_terms(text) for text in job.texts]
    return PassageFeatures(
        vectors=job.load(job.encoder).embed(job.texts, "passage"),
        terms=[terms for terms, _ in counted],
        frequencies=[numbers for _, numbers in counted],
    )


def _batches(texts: Sequence[str]) -> list[tuple[str, ...]]:
    batches: list[list[str]] = [[]]
    size = 0
    for text in texts:
        if batches[-1] and size + len(text) > BATCH_CHARS:
            batches.append([])
            size = 0
        batches[-1].append(text)
        size += len(text)
    return [tuple(batch) for batch in batches]


def _rows(passages: Sequence[NamedText]) -> pl.DataFrame:
    """Give rows of hits that have no document behind them."""
    rows = [_row(name, text) for name, text in passages]
    return pl.DataFrame(pl.from_arrow(pa.Table.from_pylist(rows, schema=ROW_SCHEMA)))


def _row(name: str, text: str) -> dict[str, object]:
    data = text.encode()
    own = {"chunk_id": name, "doc_id": name, "text": text, "text_sha": sha256_hex(data)}
    return {**_BLANK, **own, "start": 0, "end": len(data)}
