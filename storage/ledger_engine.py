"""Connections of the ledger: one engine per process and URL, short transactions, clear errors."""

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from storage.errors import CorruptError, MissingError, SuyuanError, UnavailableError
from storage.files import explained
from storage.ledger_schema import GENESIS, head, metadata
from storage.records import Problem

BUSY_S = 120
"""How long a writer waits for another one before it gives up."""

_SQLITE = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "cell_size_check=ON",
    "secure_delete=ON",  # overwritten and deleted rows are zeroed
    "wal_autocheckpoint=8000",  # pages
    "cache_size=-65536",  # KiB, at most
)
_SCHEMA_LOCK = 0x5375_7975_616E
_WAY_OUT = "Check SUYUAN_LEDGER_URL and that its server is up"


@contextlib.contextmanager
def reading(url: str) -> Iterator[sa.Connection]:
    """Open a transaction that sees one state and writes nothing."""
    with _errors(url), engine(url).connect() as plain:
        connection = plain.execution_options(**_one_state(plain))
        with connection.begin():
            yield connection


@contextlib.contextmanager
def writing(url: str) -> Iterator[sa.Connection]:
    """Open the one transaction that may write now; others wait for it."""
    with _errors(url), engine(url).connect() as plain:
        connection = plain.execution_options(suyuan_write=True)
        with connection.begin():
            yield connection


def _one_state(connection: sa.Connection) -> dict[str, Any]:
    """A transaction of SQLite sees one state anyway."""
    if connection.dialect.name == "sqlite":
        return {}
    return {"isolation_level": "REPEATABLE READ"}


def engine(url: str) -> sa.Engine:
    """Give this process's engine for a URL; the tables exist afterwards."""
    return _engine(url, os.getpid())


@functools.lru_cache(maxsize=16)
def _engine(url: str, process: int) -> sa.Engine:
    del process  # connections do not survive a fork
    made = _sqlite(url) if url.startswith("sqlite") else _postgres(url)
    _create(made)
    return made


def _sqlite(url: str) -> sa.Engine:
    path = sa.make_url(url).database
    if not path:
        raise MissingError("needs a file", item="ledger", way_out="Use sqlite:///path/ledger.db")
    with explained(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    made = sa.create_engine(url, connect_args={"timeout": BUSY_S})
    sa.event.listen(made, "connect", _prepare_sqlite)
    sa.event.listen(made, "begin", _begin_sqlite)
    return made


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite alone
    for setting in _SQLITE:
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("suyuan_write"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    driver: Any = connection.connection.dbapi_connection
    driver.execute("BEGIN")  # by the driver: a read is often shorter than the way round


def _postgres(url: str) -> sa.Engine:
    options = f"-c lock_timeout={BUSY_S * 1000} -c timezone=UTC"
    return sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_size=2,
        connect_args={"connect_timeout": 10, "options": options},
    )


def _create(made: sa.Engine) -> None:
    """Make the tables, safely beside other processes that do the same."""
    with made.connect().execution_options(suyuan_write=True) as connection, connection.begin():
        if made.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
        existing = sa.inspect(connection).get_multi_columns()
        if existing:
            _check_columns(existing, made.url.render_as_string(hide_password=True))
        for table in metadata.sorted_tables:
            if (None, table.name) not in existing:
                connection.execute(CreateTable(table, if_not_exists=True))
        for index in _missing_indexes(connection):
            connection.execute(CreateIndex(index, if_not_exists=True))
        if (None, head.name) not in existing:
            connection.execute(sa.insert(head).values(id=1, seq=0, chain=GENESIS))


def _missing_indexes(connection: sa.Connection) -> list[sa.Index]:
    """Give what is to be made: even "if not exists" waits for writers, who may wait for us."""
    found = sa.inspect(connection).get_multi_indexes().values()
    known = {index["name"] for indexes in found for index in indexes}
    wanted = (index for table in metadata.sorted_tables for index in table.indexes)
    return [index for index in wanted if index.name not in known]


def _check_columns(existing: Mapping[Any, Sequence[Any]], item: str) -> None:
    """Refuse a ledger of another version: its rows are hashed over other columns."""
    for (_, name), columns in existing.items():
        table = metadata.tables.get(name)
        if table is None:
            continue  # somebody else's table in the same PostgreSQL database
        wanted, found = set(table.c.keys()), {column["name"] for column in columns}
        if wanted != found:
            words = ", ".join(sorted(wanted ^ found))
            raise MissingError(
                f"was made by another version of Suyuan: table {name} differs in {words}",
                item=item,
                way_out="Open it with that version, or set SUYUAN_HOME to a new folder and ingest anew",
            )


def check_file(connection: sa.Connection) -> list[Problem]:
    """Let SQLite prove the structure of its file; PostgreSQL does so by its own means."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    return [Problem(node="ledger", reason=str(line)) for line in found if line != "ok"]


@contextlib.contextmanager
def _errors(url: str) -> Iterator[None]:
    """Turn driver errors into ours, without the password of the URL."""
    try:
        yield
    except sa.exc.DatabaseError as error:
        raise _explained(error, sa.make_url(url).render_as_string(hide_password=True)) from error


def _explained(error: sa.exc.DatabaseError, item: str) -> SuyuanError:
    cause = _first_line(error)
    if isinstance(error, sa.exc.OperationalError):
        return UnavailableError(cause, item=item, way_out=_WAY_OUT)
    if "malformed" in cause or "not a database" in cause or "corrupt" in cause:
        return CorruptError(cause, item=item, way_out="Restore the ledger from a copy")
    return UnavailableError(cause, item=item, way_out=_WAY_OUT)


def _first_line(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
