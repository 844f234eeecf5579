"""Erasure in the ledger: the row and its place in the log stay, what it said and its salt go."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Literal

import sqlalchemy as sa

from storage import ledger_schema as schema
from storage.errors import UnavailableError
from storage.ledger_engine import engine, reading, writing
from storage.ledger_log import record
from storage.ledger_rows import batches, json_text
from storage.ledger_schema import Row

LOOKUP_KEYS = 1_000
_BLANK_SPAN: Row = {"a_sha256": "", "quote_sha256": "", "salt": ""}
_STATE = ("state", "stale_reason")
_TOUCHED = (schema.answer, schema.answer_span, schema.doc_source, schema.run, schema.source)


def erased(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    """Give those of the answers that were erased."""
    answer = schema.answer
    which = (answer.c.answer_id.in_(ids), answer.c.state == "erased")
    return set(connection.execute(sa.select(answer.c.answer_id).where(*which)).scalars())


def mark_answers(url: str, ids: Iterable[str], state: Literal["live", "stale"], reason: str) -> int:
    """Set the state of answers and count those that changed; an erased one stays erased."""

    def mark(row: Row) -> Row:
        return row if row["state"] == "erased" else {**row, "state": state, "stale_reason": reason}

    return sum(_rewrite(url, schema.answer, ids, mark, _STATE) for ids in _batches(ids))


def erase_answers(url: str, ids: Iterable[str], reason: str) -> int:
    """Blank question, text, hashes and salts of answers, and count the answers that changed.

    One that was erased before keeps the reason of that time.
    """
    gone: Row = {"question": "", "text": "", "salt": "", "state": "erased", "stale_reason": reason}

    def erase(row: Row) -> Row:
        return row if row["state"] == "erased" else row | gone

    count = 0
    for some in _batches(ids):
        _rewrite(url, schema.run, _runs(url, some), _forget_question)
        _rewrite(url, schema.answer_span, some, lambda row: row | _BLANK_SPAN, ("salt",))
        count += _rewrite(url, schema.answer, some, erase, (*_STATE, "salt"))
    return count


def erase_documents(
    url: str, pairs: Iterable[tuple[str, str]], reason: str, *, keep_title: bool = False
) -> int:
    """Revoke documents of sources: (document, source); blank title and salt; count the rows changed.

    The URI stays: it is part of the row's name, which the log holds for ever.
    """
    gone: Row = {"status": "revoked", "status_reason": reason, "salt": ""}
    gone |= {} if keep_title else {"title": ""}
    count = 0
    for batch in batches(pairs):
        wanted = set(batch)

        def erase(row: Row, wanted: Collection[tuple[object, object]] = wanted) -> Row:
            return {**row, **gone} if (row["doc_id"], row["source"]) in wanted else row

        for some in _batches(doc_id for doc_id, _ in wanted):
            count += _rewrite(url, schema.doc_source, some, erase, ("salt",))
    return count


def shrink(url: str) -> None:
    """Rewrite the database so that no byte of an overwritten row is left in its files.

    SQLite: the whole file and its write-ahead log. PostgreSQL: the tables that erasure touches;
    its own write-ahead log and backups are the administrator's.
    """
    if engine(url).dialect.name == "sqlite":
        _shrink_sqlite(url)
        return
    with engine(url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in _TOUCHED:
            connection.execute(sa.text(f'VACUUM FULL "{table.name}"'))


def _shrink_sqlite(url: str) -> None:
    raw = engine(url).raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.execute("VACUUM")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        raw.close()
    if busy:
        raise UnavailableError(
            "another process reads the ledger, so that old bytes stay in its write-ahead log",
            item=url,
            way_out="Run it again when that process is done",
        )


def _rewrite(
    url: str,
    table: sa.Table,
    keys: Sequence[str],
    change: Callable[[Row], Row],
    overwrite: Collection[str] = (),
) -> int:
    """Change all rows that share a first key column with one of the keys, in one transaction."""
    first = table.c[schema.key_columns(table)[0]]
    with writing(url) as connection:
        found = connection.execute(sa.select(table).where(first.in_(keys))).mappings()
        rows = [{k: v for k, v in row.items() if k != "row_hash"} for row in found]
        return record(connection, table, [change(row) for row in rows], overwrite=overwrite)


def _runs(url: str, answer_ids: Sequence[str]) -> list[str]:
    answer = schema.answer
    query = sa.select(answer.c.run_id).where(answer.c.answer_id.in_(answer_ids)).distinct()
    with reading(url) as connection:
        return [run_id for run_id in connection.execute(query).scalars() if run_id]


def _forget_question(row: Row) -> Row:
    """A run that answers one question keeps it among its parameters."""
    params = json.loads(str(row["params"]))
    return {**row, "params": json_text({**params, "question": ""})} if "question" in params else row


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    names = sorted({name.removeprefix("answer:") for name in ids})
    for start in range(0, len(names), LOOKUP_KEYS):
        yield names[start : start + LOOKUP_KEYS]
