"""Corpus statistics of search terms: document frequencies, number and mean length of texts, IDF.

Statistics of parts add up to those of the whole, in any grouping and order.
"""

import io
import math
from dataclasses import dataclass
from functools import reduce

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from storage.digest import sha256_hex

SCHEMA = pa.schema([("term", pa.string()), ("df", pa.int64()), ("idf", pa.float64())])
_SLICE_ROWS = 50_000


@dataclass(frozen=True)
class Statistics:
    """How many of `num_texts` texts hold each term, and how many terms they have in all."""

    num_texts: int
    num_terms: int
    frequencies: pl.DataFrame
    """Columns term and df, sorted by term."""

    @property
    def mean_terms(self) -> float:
        """Mean length of a text in terms; BM25's avgdl."""
        return self.num_terms / self.num_texts if self.num_texts else 0.0

    def __add__(self, other: "Statistics") -> "Statistics":
        """Join the statistics of two disjoint sets of texts."""
        both = pl.concat([self.frequencies, other.frequencies])
        return Statistics(
            self.num_texts + other.num_texts,
            self.num_terms + other.num_terms,
            both.group_by("term").agg(pl.col("df").sum()).sort("term"),
        )

    def table(self) -> pa.Table:
        """Give term, df and Lucene's idf = ln(1 + (N - df + 0.5) / (df + 0.5)).

        The metadata of the schema holds num_texts, num_terms and mean_terms.
        """
        df = self.frequencies["df"].to_list()
        idf = [math.log1p((self.num_texts - n + 0.5) / (n + 0.5)) for n in df]
        metadata = {
            "num_texts": str(self.num_texts),
            "num_terms": str(self.num_terms),
            "mean_terms": repr(self.mean_terms),
        }
        return pa.table(
            [self.frequencies["term"].to_list(), df, idf], schema=SCHEMA.with_metadata(metadata)
        )


def parquet_bytes(statistics: Statistics) -> tuple[bytes, str]:
    """Write statistics as a Parquet file; give it with its SHA-256. Equal ones give equal bytes."""
    buffer = io.BytesIO()
    pq.write_table(statistics.table(), buffer, compression="zstd", store_schema=False)
    data = buffer.getvalue()
    return data, sha256_hex(data)


EMPTY = Statistics(0, 0, pl.DataFrame(schema={"term": pl.String, "df": pl.Int64}))


def count_frequencies(counts: pl.DataFrame) -> Statistics:
    """Compute statistics of texts from their counts: columns terms (distinct) and n_terms."""
    slices = counts.iter_slices(_SLICE_ROWS)
    return reduce(Statistics.__add__, map(_count_slice, slices), EMPTY)


def _count_slice(counts: pl.DataFrame) -> Statistics:
    terms = counts.select(pl.col("terms").explode().alias("term")).drop_nulls()
    frequencies = terms.group_by("term").agg(pl.len().cast(pl.Int64).alias("df")).sort("term")
    return Statistics(counts.height, int(counts["n_terms"].sum()), frequencies)
