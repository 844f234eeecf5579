"""Schemas of the Delta tables: one constant per table, with its row key."""

from dataclasses import dataclass

import pyarrow as pa

VECTOR_DIM = 384
_UTC = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """Name, schema, row key and partition columns of one table."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    stable: tuple[str, ...] = ()
    """Columns that enter the snapshot root: those that do not depend on when or by whom."""


DOCUMENTS = TableSpec(
    name="documents",
    key=("source", "uri", "doc_id"),
    stable=(
        "source",
        "uri",
        "doc_id",
        "version",
        "status",
        "text_id",
        "layout_id",
        "origin",
        "mime",
        "language",
        "licence",
        "licence_evidence",
        "trust",
        "cluster",
    ),
    schema=pa.schema(
        [
            ("source", pa.string()),
            ("uri", pa.string()),
            ("doc_id", pa.string()),  # sha256 of the original bytes
            ("version", pa.int32()),  # counts the contents seen at this uri, from 1
            ("status", pa.string()),  # live | superseded | gone
            ("n_bytes", pa.int64()),
            ("mime", pa.string()),
            ("title", pa.string()),
            ("author", pa.string()),
            ("language", pa.string()),  # ISO 639-1, "und" when undetermined
            ("text_id", pa.string()),  # sha256 of the extracted text in UTF-8; a blob
            ("text_bytes", pa.int64()),
            ("layout_id", pa.string()),  # blob with outline, pages and byte map; "" when none
            ("origin", pa.string()),  # identity | recoded | mapped | extracted
            ("licence", pa.string()),  # SPDX expression or NOASSERTION
            ("licence_evidence", pa.string()),  # declared | header | file | guessed | none
            ("licence_raw", pa.string()),
            ("trust", pa.float64()),  # 0..1
            (
                "sensitivity",
                pa.list_(
                    pa.struct([("kind", pa.string()), ("start", pa.int64()), ("end", pa.int64())])
                ),
            ),  # byte offsets in the extracted text
            ("signature", pa.binary()),  # MinHash
            ("cluster", pa.string()),  # doc_id of the first near-duplicate seen
            ("container_id", pa.string()),
            ("locator", pa.string()),
            ("fetched_at", _UTC),
            ("published_at", _UTC),
            ("meta", pa.string()),  # JSON object
            ("run_id", pa.string()),
        ]
    ),
)

QUARANTINE = TableSpec(
    name="quarantine",
    key=("source", "uri", "blob_id", "reason", "expectation"),
    schema=pa.schema(
        [
            ("source", pa.string()),
            ("uri", pa.string()),
            ("blob_id", pa.string()),
            ("reason", pa.string()),
            ("expectation", pa.string()),
            ("detail", pa.string()),
            ("found_at", _UTC),
            ("run_id", pa.string()),
        ]
    ),
)

CHUNKS = TableSpec(
    name="chunks",
    key=("chunk_id",),
    stable=("chunk_id", "text_sha", "n_tokens"),
    partition_by=("spec",),
    schema=pa.schema(
        [
            ("spec", pa.string()),  # digest of chunker and options
            ("chunk_id", pa.string()),  # sha256 of doc id, start, end
            ("doc_id", pa.string()),
            ("text_id", pa.string()),
            ("ordinal", pa.int32()),
            ("start", pa.int64()),  # bytes in the extracted text
            ("end", pa.int64()),
            ("src_start", pa.int64()),  # bytes in the original; null without a byte map
            ("src_end", pa.int64()),
            ("heading", pa.list_(pa.string())),
            ("text", pa.string()),
            ("text_sha", pa.string()),
            ("n_tokens", pa.int32()),
        ]
    ),
)

COUNTS = TableSpec(
    name="counts",
    key=("text_sha",),
    stable=("text_sha", "n_terms"),
    partition_by=("spec",),
    schema=pa.schema(
        [
            ("spec", pa.string()),  # digest of the analyser
            ("text_sha", pa.string()),
            ("terms", pa.list_(pa.string())),
            ("frequencies", pa.list_(pa.int32())),  # Delta Lake knows no unsigned integers
            ("n_terms", pa.int32()),
        ]
    ),
)

VECTORS = TableSpec(
    name="vectors",
    key=("text_sha",),
    stable=("text_sha",),
    partition_by=("spec",),
    schema=pa.schema(
        [
            ("spec", pa.string()),  # digest of encoder, weights, prefix, precision, length
            ("text_sha", pa.string()),
            ("vector", pa.list_(pa.float32(), VECTOR_DIM)),
        ]
    ),
)

TABLES = {spec.name: spec for spec in (DOCUMENTS, QUARANTINE, CHUNKS, COUNTS, VECTORS)}
