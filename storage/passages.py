"""How many passages of each document a published index holds, beside its rows.

    <index>/rows.parquet        one row a passage, with its text
    <index>/documents.parquet   one row a document: doc_id, passages; in order of doc_id

What a document has touched is asked often and of every index that is kept; a list of documents is
read in a twentieth of the time that the column of all passages takes.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from storage.errors import CorruptError

ROWS_FILE = "rows.parquet"
DOCUMENTS_FILE = "documents.parquet"


def write_passage_counts(folder: Path, doc_ids: pl.Series) -> None:
    """Write the documents of an index, given the document of each of its passages."""
    counts = doc_ids.rename("doc_id").value_counts(name="passages").sort("doc_id")
    rows = counts.select("doc_id", pl.col("passages").cast(pl.Int64)).to_arrow()
    # hashes hardly compress, and every one is another: plain pages are the fastest to read
    pq.write_table(
        rows, folder / DOCUMENTS_FILE, compression="none", use_dictionary=False, store_schema=False
    )


def count_passages(folder: Path, documents: Sequence[str]) -> int:
    """Count the passages of documents in an index; from its rows where it was built without counts."""
    mine = pl.col("doc_id").is_in(documents)
    if (folder / DOCUMENTS_FILE).is_file():
        return _sum(folder / DOCUMENTS_FILE, pl.col("passages").filter(mine))
    return _sum(folder / ROWS_FILE, mine) if (folder / ROWS_FILE).is_file() else 0


def _sum(path: Path, column: pl.Expr) -> int:
    try:
        return int(pl.scan_parquet(path).select(column.sum()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CorruptError(
            "cannot be read",
            item=f"index:{path.parent.name}/{path.name}",
            way_out="Run `suyuan index` to build it again",
        ) from error
