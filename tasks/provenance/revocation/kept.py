"""What stays after a revocation, and so explains bytes that are found again."""

from typing import Any

import numpy as np
import polars as pl

from storage.fingerprints import Fingerprints, Words, spellings
from tasks.provenance.revocation.work import Work

_BLOBS = ("doc_id", "text_id", "layout_id")


def kept_blobs(work: Work) -> set[str]:
    """Name the blobs that rows which stay refer to, before or after the tables are rewritten."""
    keys = work.plan.keys()
    documents = _left(work, "documents", keys["documents"]).select(_BLOBS).unique().collect()
    quarantine = _left(work, "quarantine", keys["quarantine"]).select("blob_id").unique().collect()
    columns: list[Any] = [*documents.iter_columns(), quarantine["blob_id"]]
    return {name for column in columns for name in column.drop_nulls()} - {""}


def explained_by(wanted: Fingerprints, data: bytes) -> Words:
    """Give the windows that some kept bytes explain, in every spelling of them."""
    found = wanted.found(data)
    if not found.size:
        return found
    return np.unique(np.concatenate([wanted.found(form) for form in spellings(data)]))


def _left(work: Work, name: str, keys: pl.DataFrame) -> pl.LazyFrame:
    return work.home.table(name).scan().join(keys.lazy(), on=keys.columns, how="anti")
