"""Take revoked bytes out of what runs left behind: Prefect's and MLflow's databases, files, logs.

Only what lies below the home folder can be reached. A value that holds such bytes is replaced by
a note; JSON stays JSON, only its strings change. Then the database file is rewritten, so that no
freed page keeps them.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.settings import Settings
from storage.byte_search import search_file
from storage.errors import UnavailableError
from storage.files import write_atomic
from storage.fingerprints import WINDOW, Fingerprints

BUSY_S = 120.0
_SIDE_FILES = ("", "-wal", "-journal")


@dataclass(frozen=True)
class DatabaseScrubber:
    """The SQLite databases in a folder, whoever has them open."""

    name: str
    folder: Path
    pattern: str = "*.db"

    def purge(self, doc_ids: Sequence[str], wanted: Fingerprints, note: str) -> int:
        """Replace values that hold the bytes; count the rows changed."""
        del doc_ids
        return sum(scrub_database(path, wanted, note) for path in self._databases())

    def _databases(self) -> list[Path]:
        return sorted(self.folder.glob(self.pattern)) if self.folder.is_dir() else []


@dataclass(frozen=True)
class FileScrubber:
    """The files below a folder: those that hold the bytes become a note."""

    name: str
    folder: Path

    def purge(self, doc_ids: Sequence[str], wanted: Fingerprints, note: str) -> int:
        """Replace files, JSON strings or lines of logs that hold the bytes; count the files."""
        del doc_ids
        count = 0
        for path in sorted(self.folder.rglob("*")) if self.folder.is_dir() else ():
            if path.is_file() and not path.is_symlink() and search_file(path, wanted)[1].size:
                _scrub_file(path, wanted, note)
                count += 1
        return count


def record_scrubbers(settings: Settings) -> list[DatabaseScrubber | FileScrubber]:
    """Give a scrubber for each place below home where runs leave records."""
    root = settings.root
    return [
        DatabaseScrubber("prefect", root / "prefect"),
        FileScrubber("prefect-results", root / "prefect" / "storage"),
        DatabaseScrubber("mlflow", root, "mlflow.db"),
        FileScrubber("mlflow-artifacts", root / "mlflow-artifacts"),
        FileScrubber("spool", root / "spool"),
        FileScrubber("logs", root / "logs"),
        FileScrubber("dask", root / "dask"),
    ]


def out_of_reach(settings: Settings) -> list[str]:
    """Name the servers elsewhere that may hold copies and that a scrubber cannot reach."""
    places = {"prefect": settings.prefect_api_url, "mlflow": settings.mlflow_uri}
    local = settings.mlflow_database
    return [f"{name}:{url}" for name, url in places.items() if url and url != local]


def scrub_database(path: Path, wanted: Fingerprints, note: str) -> int:
    """Replace each value of a SQLite file that holds the bytes; count the rows changed."""
    if not _holds(path, wanted):
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as database:
            database.execute("PRAGMA secure_delete=ON")
            count = sum(_scrub_table(database, name, wanted, note) for name in _tables(database))
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        raise UnavailableError(
            f"the database cannot be rewritten now ({error})",
            item=str(path),
            way_out="Stop what uses it, such as `suyuan down`, and run the revocation again",
        ) from error
    return count


def redact(value: object, wanted: Fingerprints, note: str) -> object:
    """Replace the strings inside a JSON value, names of fields too, that hold the bytes."""
    if isinstance(value, str):
        return redact_text(value, wanted, note)
    if isinstance(value, list):
        return [redact(one, wanted, note) for one in value]
    if isinstance(value, dict):
        return {str(redact(k, wanted, note)): redact(v, wanted, note) for k, v in value.items()}
    return value


def redact_text(text: str, wanted: Fingerprints, note: str) -> str:
    """Give a text without the bytes: JSON with its strings replaced, anything else as the note."""
    if not wanted.within(text.encode("utf-8", "surrogatepass")):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return note
    redacted = json.dumps(redact(value, wanted, note), ensure_ascii=False)
    return json.dumps(note) if wanted.within(redacted.encode()) else redacted


def _holds(path: Path, wanted: Fingerprints) -> bool:
    files = (path.with_name(path.name + suffix) for suffix in _SIDE_FILES)
    return any(file.is_file() and search_file(file, wanted)[1].size for file in files)


def _tables(database: sqlite3.Connection) -> list[str]:
    rows = database.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")
    return [name for (name,) in rows if not name.startswith("sqlite_")]


def _scrub_table(database: sqlite3.Connection, table: str, wanted: Fingerprints, note: str) -> int:
    found = list(_changed_rows(database, table, wanted, note))
    for rowid, values in found:
        columns = ", ".join(f"{_quoted(name)}=?" for name in values)
        statement = f"UPDATE {_quoted(table)} SET {columns} WHERE rowid=?"  # noqa: S608  quoted names
        database.execute(statement, [*values.values(), rowid])
    return len(found)


def _changed_rows(
    database: sqlite3.Connection, table: str, wanted: Fingerprints, note: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    cursor = database.execute(f"SELECT rowid, * FROM {_quoted(table)}")  # noqa: S608  quoted name
    names = [column[0] for column in cursor.description][1:]
    for rowid, *values in cursor:
        pairs = zip(names, values, strict=True)
        new = {name: _redacted(value, wanted, note) for name, value in pairs}
        changed = {n: new[n] for n, v in zip(names, values, strict=True) if new[n] != v}
        if changed:
            yield rowid, changed


def _redacted(value: Any, wanted: Fingerprints, note: str) -> Any:
    if isinstance(value, str) and len(value) * 4 >= WINDOW:
        return redact_text(value, wanted, note)
    if isinstance(value, bytes) and wanted.within(value):
        return note.encode()
    return value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _scrub_file(path: Path, wanted: Fingerprints, note: str) -> None:
    """Rewrite a file that holds the bytes; a log keeps its other lines and its place on the disk."""
    data = path.read_bytes()
    if path.suffix == ".log":
        lines = data.splitlines(keepends=True)
        kept = [note.encode() + b"\n" if wanted.within(line) else line for line in lines]
        new = b"".join(kept)
        with path.open("r+b") as file:  # in place: whoever appends has it open
            file.write(new if not wanted.within(new) else note.encode() + b"\n")
            file.truncate()
        return
    write_atomic(path, redact_text(data.decode("utf-8", "replace"), wanted, note).encode())
