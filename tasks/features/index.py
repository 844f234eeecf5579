"""Build a search index from the live corpus: exact join, dense index, BM25, rows of hits.

Equal documents, features and options give an equal digest: nothing in an index depends on when,
where or in which order it was built.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from storage.digest import canonical_json, rows_root, sha256_hex
from storage.errors import CorruptError, MissingError
from storage.home import Home
from storage.passages import ROWS_FILE, write_passage_counts
from storage.schemas import VECTOR_DIM
from storage.snapshots import Snapshot, record_snapshot
from storage.vectors import IndexFolder, IndexStore
from tasks.features.dense import DenseOptions, Floats, build_dense
from tasks.features.lexical import FOLDER, K1, METHOD, B, build_bm25
from tasks.features.plan import live_documents
from tasks.features.stages import DERIVED, Specs, stored

FORMAT = "suyuan-index/1"
TABLES = ("documents", "chunks", "counts", "vectors")

ROW_SCHEMA = pa.schema(
    [
        ("chunk_id", pa.string()),
        ("doc_id", pa.string()),
        ("text_id", pa.string()),
        ("origin", pa.string()),
        ("source", pa.string()),
        ("uri", pa.string()),
        ("title", pa.string()),
        ("licence", pa.string()),
        ("trust", pa.float64()),
        ("language", pa.string()),
        ("heading", pa.list_(pa.string())),
        ("text", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("src_start", pa.int64()),
        ("src_end", pa.int64()),
        ("ordinal", pa.int32()),
        ("n_tokens", pa.int32()),
        ("text_sha", pa.string()),
        ("cluster", pa.string()),  # near-duplicate group of the document
        ("sources", pa.list_(pa.string())),  # every source that holds the document
    ]
)
_NESTED = ("heading", "sources")


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The passages to index, row by row: hit fields, vectors, counts of terms."""

    rows: pl.DataFrame
    vectors: Floats
    counts: pl.DataFrame
    left_out: int = 0
    """Chunks without vector or counts, because these could not be computed."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """What came of building the index."""

    digest: str
    manifest: Mapping[str, Any]
    inputs: Mapping[str, Snapshot]
    """Versions of the tables that it was made of, by name."""
    rebuilt: bool
    """False when the published index was made of the same inputs already."""
    left_out: int
    seconds: float


def update_index(home: Home, specs: Specs, options: DenseOptions, run_id: str) -> Built:
    """Build and publish the index of the live corpus, unless the current one is of the same."""
    started = time.monotonic()
    corpus = read_corpus(home, specs)
    inputs = input_digest(corpus, specs, options)
    digest = _intact(home.index_store, inputs)
    rebuilt = not digest
    if rebuilt:
        staged = home.index_store.stage()
        body = build_index(staged, corpus, specs, options)
        digest = home.index_store.publish(staged, {**body, "inputs": inputs})
    else:
        home.index_store.rollback(digest)
    index = home.index_store.open(digest)
    return Built(
        digest=digest,
        manifest=index.manifest,
        inputs=_record(home, index, run_id),
        rebuilt=rebuilt,
        left_out=corpus.left_out,
        seconds=time.monotonic() - started,
    )


def read_corpus(home: Home, specs: Specs) -> Corpus:
    """Join live documents, chunks, vectors and counts; rows in order of chunk_id."""
    documents = home.table("documents").scan()
    chunks = stored(home, "chunks", specs.chunks)
    joined = chunks.join(_with_sources(documents), on=["doc_id", "text_id"]).select(
        ROW_SCHEMA.names
    )
    vectors = stored(home, "vectors", specs.vectors).select("text_sha", "vector")
    counts = stored(home, "counts", specs.counts).select("text_sha", "terms", "frequencies")
    frame = joined.collect()
    full = (
        frame.join(vectors.collect(), on="text_sha")
        .join(counts.collect(), on="text_sha")
        .sort("chunk_id")
    )
    if full.is_empty():
        raise MissingError(
            f"no passages under the chunk settings {specs.chunks}" + _others(home),
            item="index",
            way_out="Run `suyuan features` with the same settings first",
        )
    matrix = full["vector"].to_arrow().flatten().to_numpy().reshape(-1, VECTOR_DIM)
    return Corpus(
        rows=full.select(ROW_SCHEMA.names),
        vectors=np.ascontiguousarray(matrix, dtype=np.float32),
        counts=full.select("terms", "frequencies"),
        left_out=frame.height - full.height,
    )


def build_index(
    folder: Path, corpus: Corpus, specs: Specs, options: DenseOptions
) -> dict[str, object]:
    """Write all files of an index into a folder and give the body of its manifest."""
    rows = corpus.rows.to_arrow().cast(ROW_SCHEMA).combine_chunks()
    pq.write_table(rows, folder / ROWS_FILE, compression="zstd", store_schema=False)
    write_passage_counts(folder, corpus.rows["doc_id"])
    return {
        "format": FORMAT,
        "specs": asdict(specs),
        "rows": corpus.rows.height,
        "documents": corpus.rows["doc_id"].n_unique(),
        "dense": build_dense(corpus.vectors, folder, options),
        "bm25": build_bm25(corpus.counts, folder / FOLDER),
    }


def input_digest(corpus: Corpus, specs: Specs, options: DenseOptions) -> str:
    """Digest all that decides an index: every field of its rows, the settings, the options.

    Texts, vectors and counts enter by the hash of the text and the settings that made them.
    """
    lists = [pl.col(name).list.join("\x1f") for name in _NESTED]
    columns = [name for name in ROW_SCHEMA.names if name != "text"]
    root = rows_root(corpus.rows.with_columns(lists), columns)
    ranking = {"method": METHOD, "k1": K1, "b": B, "dense": asdict(options)}
    return sha256_hex(canonical_json([FORMAT, root, asdict(specs), ranking]))


def _intact(store: IndexStore, inputs: str) -> str:
    """Find a published index of the same inputs whose files are undamaged; "" when there is none."""
    try:
        same = [one.digest for one in store.published() if one.manifest["inputs"] == inputs]
    except CorruptError:
        return ""
    return next((digest for digest in same if not store.check(digest)), "")


def _with_sources(documents: pl.LazyFrame) -> pl.LazyFrame:
    """Give each live content the row of its most trusted source, and the names of all sources."""
    live = documents.filter(pl.col("status") == "live")
    names = live.group_by("doc_id", "text_id").agg(
        pl.col("source").unique().sort().alias("sources")
    )
    return live_documents(documents).join(names, on=["doc_id", "text_id"])


def _others(home: Home) -> str:
    specs = home.table("chunks").scan().select(pl.col("spec").unique().sort()).collect()
    return f"; there are passages under {', '.join(specs['spec'])}" if specs.height else ""


def _record(home: Home, index: IndexFolder, run_id: str) -> dict[str, Snapshot]:
    """Record the index and what it was made of; edges first, so that a kill loses none."""
    inputs = {name: record_snapshot(home, name, run_id) for name in TABLES}
    node = f"index:{index.digest}"
    if home.ledger.get("artifact", node) is None:
        home.ledger.derive(node, [snapshot.node for snapshot in inputs.values()], DERIVED)
        facts = {name: index.manifest[name] for name in ("rows", "documents", "dense", "bm25")}
        home.ledger.add_artifact(node, "index", str(index.path), index.digest, run_id, facts)
    return inputs
