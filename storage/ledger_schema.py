"""Tables of the ledger, and how a row is named and hashed.

Nodes are named by text: `source:<name>`, `doc:<sha>`, `snap:<table>@<version>`, `index:<digest>`,
`run:<uuid>`, `answer:<ulid>`, `part:<table>/<path>`, `blob:<sha>`, `model:<name>@<version>`,
`cache:<name>`, `prompt:<name>@<version>`. Times are ISO 8601 text in UTC, mappings are canonical JSON text, so that a row hashes alike in SQLite and in PostgreSQL.

A `salt` is 16 random bytes in hexadecimal: when a row is erased its salt goes too, so that nobody
can confirm by guessing what the hash in the log stood for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from storage.digest import canonical_json, sha256_hex

metadata = sa.MetaData()

Row = dict[str, object]


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=nullable, autoincrement=False)


def _real(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False)


def _table(name: str, *columns: sa.Column[Any], first: tuple[str, ...] = ()) -> sa.Table:
    """Define a table; columns in `first` keep their first value but "", and never count as a change.

    Rows are looked up by the first key column, so few rows may share a value of it.
    """
    return sa.Table(name, metadata, *columns, _text("row_hash"), info={"first": frozenset(first)})


source = _table(
    "source",
    _text("name", key=True),
    _text("uri"),
    _text("licence"),
    _real("trust"),
    _text("publisher"),
    _text("status"),  # active | revoked
    _text("recorded_at"),
    first=("recorded_at",),
)

document = _table("document", _text("doc_id", key=True), _number("n_bytes"))
document.dialect_options["sqlite"]["with_rowid"] = False  # one page to read for a size, not two

doc_source = _table(
    "doc_source",
    _text("doc_id", key=True),
    _text("source", key=True),
    _text("uri", key=True),
    _number("version"),
    _text("status"),
    _text("status_reason"),  # why it was revoked; "" otherwise
    _text("title"),
    _text("mime"),
    _text("language"),
    _text("text_id"),
    _text("layout_id"),
    _text("origin"),
    _text("licence"),
    _text("licence_evidence"),
    _real("trust"),
    _text("fetched_at"),
    _text("run_id"),
    _text("salt"),
    first=("fetched_at", "run_id", "salt"),
)

artifact = _table(
    "artifact",
    _text("node", key=True),
    _text("kind"),
    _text("path"),
    _text("sha256"),
    _text("run_id"),
    _text("params"),
    _text("status"),  # live | stale | purged
    _text("created_at"),
    first=("run_id", "created_at"),
)

derived = _table("derived", _text("dst", key=True), _text("src", key=True), _text("rel", key=True))
derived.dialect_options["sqlite"]["with_rowid"] = False  # the key is the row: keep it once

run = _table(
    "run",
    _text("run_id", key=True),
    _text("flow"),
    _text("params"),
    _text("prefect_run_id"),
    _text("mlflow_run_id"),
    _text("state"),  # running | finished | failed | crashed
    _text("metrics"),
    _text("started_at"),
    _text("finished_at"),
    first=("started_at",),
)

part = _table(
    "part",
    _text("node", key=True),
    _text("table_name"),
    _text("path"),
    _number("n_bytes"),
    _number("n_rows"),
    _text("sha256"),
    _text("partition"),
    _text("run_id"),
    first=("run_id",),
)

answer = _table(
    "answer",
    _text("answer_id", key=True),
    _text("question"),
    _text("status"),
    _text("text"),
    _text("generator"),
    _text("index_digest"),
    _text("run_id"),
    _text("signals"),
    _text("created_at"),
    _text("state"),  # live | stale | erased
    _text("stale_reason"),
    _text("salt"),
    first=("state", "stale_reason", "salt"),
)

answer_span = _table(
    "answer_span",
    _text("answer_id", key=True),
    _number("ordinal", key=True),
    _number("a_start"),
    _number("a_end"),
    _text("a_sha256"),  # of the bytes [a_start, a_end) of the answer
    _text("grade"),
    _real("score"),
    _text("chunk_id"),
    _text("doc_id"),
    _text("text_id"),
    _text("origin"),
    _text("source"),
    _text("uri"),
    _text("licence"),
    _number("d_start"),
    _number("d_end"),
    _number("src_start", nullable=True),
    _number("src_end", nullable=True),
    _text("quote_sha256"),
    _text("salt"),
    first=("salt",),
)

model = _table(
    "model",
    _text("node", key=True),  # model:<name>@<version>
    _text("path"),
    _text("sha256"),
    _text("trained_on"),  # the exact snapshot or sample set: a node
    _number("n_samples"),
    _number("n_bytes"),
    _text("status"),  # live | exposed (trained on what was revoked since) | stale | purged
    _text("run_id"),
    _text("recorded_at"),
    first=("recorded_at",),
)

exposure = _table(
    "exposure",
    _text("doc_id", key=True),
    _text("model", key=True),
    _text("source", key=True),
    _text("licence"),
    _number("n_samples"),
    _number("n_bytes"),
)

trust = _table(
    "trust",
    _text("source", key=True),
    _text("computed_at", key=True),
    _real("score"),
    _text("components"),  # JSON: name -> {value, weight, n, evidence}
    _text("run_id"),
)

trust_override = _table(
    "trust_override",
    _text("source", key=True),
    _text("decided_at", key=True),
    _real("trust"),
    _text("action"),  # set | lift
    _text("who"),
    _text("why"),
)

feedback = _table(
    "feedback",
    _text("answer_id", key=True),
    _text("given_at", key=True),
    _text("verdict"),  # accepted | rejected
    _text("who"),
    _text("why"),
)

revocation = _table(
    "revocation",
    _text("revocation_id", key=True),
    _text("scope"),  # source:<name> | doc:<sha> | licence:<expression>
    _text("reason"),
    _text("requested_by"),
    _text("requested_at"),
    _text("state"),  # planned | running | done | failed
    _text("plan"),  # JSON
    _text("failure"),  # why the last attempt failed; "" otherwise
    _text("done_at"),
    _text("certificate"),  # DSSE envelope as JSON; "" until done
)

revocation_step = _table(
    "revocation_step",
    _text("revocation_id", key=True),
    _text("step", key=True),
    _text("state"),  # done
    _text("detail"),  # JSON
    _text("finished_at"),
)

signing_key = _table(
    "signing_key",
    _text("key_id", key=True),  # SHA-256 of the raw public key
    _text("public_key"),  # base64 of the 32 raw bytes
    _text("status"),  # current | retired
    _text("endorsement"),  # signature of the key before it over this one; "" for the first
    _text("created_at"),
    _text("retired_at"),
)

log = sa.Table(
    "log",
    metadata,
    sa.Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),  # the row's own number there
        primary_key=True,
        autoincrement=False,
    ),
    _text("kind"),
    _text("key"),
    _text("row_hash"),
    _text("chain"),
)

head = sa.Table(
    "head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    _number("seq"),
    _text("chain"),
)
"""One row: the last entry of the log. Writers lock it, so that the log has one order."""

tile = sa.Table(
    "tile",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)
"""Tiles of up to 256 node hashes of the Merkle tree over the log; derived, so that they can be rebuilt.

A tile of leaves is stored once it is full; those above grow with each tile below.
"""

tree_head = sa.Table(
    "tree_head",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("root"),
    _text("envelope"),  # DSSE envelope as JSON
    _text("signed_at"),
)
"""Signed heads of the Merkle tree over the first `size` entries of the log."""

for _name in ("doc_id", "source"):
    _columns = (answer_span.c[_name], answer_span.c.answer_id, answer_span.c.grade)
    sa.Index(f"answer_span_by_{_name}", *_columns)
sa.Index("log_by_key", log.c.key, log.c.seq)
sa.Index("exposure_by_model", exposure.c.model, exposure.c.doc_id)
_summed = (exposure.c.source, exposure.c.model, exposure.c.n_samples, exposure.c.n_bytes)
sa.Index("exposure_sums_by_source", *_summed)
sa.Index("derived_by_src", derived.c.src, derived.c.dst)
sa.Index("part_by_table", part.c.table_name, part.c.path)
_at = (doc_source.c.source, doc_source.c.uri)
sa.Index(
    "doc_source_of_source", *_at, doc_source.c.status, doc_source.c.doc_id, doc_source.c.text_id
)
sa.Index("doc_source_by_licence", doc_source.c.licence, doc_source.c.doc_id)
sa.Index("answer_by_time", answer.c.created_at)
_written = (answer.c.generator, answer.c.created_at, answer.c.answer_id, answer.c.state)
sa.Index("answer_by_generator", *_written)
sa.Index("answer_by_state", answer.c.state, answer.c.answer_id)

ROW_TABLES = {
    table.name: table
    for table in (
        source,
        document,
        doc_source,
        artifact,
        derived,
        run,
        part,
        answer,
        answer_span,
        model,
        exposure,
        trust,
        trust_override,
        feedback,
        revocation,
        revocation_step,
        signing_key,
    )
}

GENESIS = "0" * 64


def key_columns(table: sa.Table) -> list[str]:
    """Give the names of the primary key columns, in order."""
    return [column.name for column in table.primary_key.columns]


def key_of(names: Sequence[str], row: Mapping[str, Any]) -> str:
    """Name a row inside its table: the key columns joined by "|", which is escaped inside them."""
    words = [str(row[name]) for name in names]
    return "|".join([word.replace("|", "%7C") if "|" in word else word for word in words])


def hash_row(row: Mapping[str, Any]) -> str:
    """Hash all columns of a row but the hash itself."""
    return sha256_hex(canonical_json({k: v for k, v in row.items() if k != "row_hash"}))


def chain_hash(previous: str, kind: str, key: str, row_hash: str) -> str:
    """Hash a log entry onto the one before it."""
    return sha256_hex(f"{previous}\n{kind}\n{len(key)}\n{key}\n{row_hash}".encode())
