"""What stays after a revocation, and so explains bytes that are found again."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl

from storage.fingerprints import Fingerprints, Words, spellings
from storage.ledger_rows import batches
from storage.revoked import kept_names
from tasks.provenance.revocation.work import Work

_BLOBS = ("doc_id", "text_id", "layout_id")
_FACTS = ("uri", "title", "author", "licence", "licence_raw", "locator", "meta")
"""Columns of a document's row that hold words."""
_JOINED = 4096
"""Values that are looked at together."""


def kept_blobs(work: Work) -> set[str]:
    """Name the blobs that rows which stay refer to, before or after the tables are rewritten."""
    keys = work.plan.keys()
    documents = _left(work, "documents", keys["documents"]).select(_BLOBS).unique().collect()
    quarantine = _left(work, "quarantine", keys["quarantine"]).select("blob_id").unique().collect()
    columns: list[Any] = [*documents.iter_columns(), quarantine["blob_id"]]
    return {name for column in columns for name in column.drop_nulls()} - {""}


def kept_words(work: Work, flows: Iterable[str]) -> Iterator[bytes]:
    """Give what rows that stay and the ledger go on saying: no text, but facts about documents.

    A text often holds its own address, or the home page that its neighbours name as well.
    """
    left = _left(work, "documents", work.plan.keys()["documents"])
    for column in _FACTS:
        values = left.select(pl.col(column).drop_nulls().unique()).collect()[column]
        for part in batches(values, _JOINED):
            yield "\0".join(part).encode()
    for names in batches(kept_names(work.home.ledger_url, flows), _JOINED):
        yield "\0".join(names).encode()


def explained_by(wanted: Fingerprints, data: bytes) -> Words:
    """Give the windows that some kept bytes explain, in every spelling of them."""
    found = wanted.found(data)
    if not found.size:
        return found
    return np.unique(np.concatenate([wanted.found(form) for form in spellings(data)]))


def _left(work: Work, name: str, keys: pl.DataFrame) -> pl.LazyFrame:
    return work.home.table(name).scan().join(keys.lazy(), on=keys.columns, how="anti")
