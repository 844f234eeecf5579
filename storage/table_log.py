"""The log of a table: its commits, replayed without trusting Delta Lake, and what was purged of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from storage.digest import canonical_json
from storage.errors import NotFoundError
from storage.files import Files
from storage.records import Part

LOG_FOLDER = "_delta_log"
PURGES_FILE = "_purges.json"
"""Which versions were purged, by what: beside the log, where Delta Lake looks at no file."""

_CHECKPOINT = ".checkpoint.parquet"
_VERSION_DIGITS = 20


@dataclass(frozen=True)
class Purges:
    """Which versions of a table were purged: their files and their commits are gone."""

    base: int = -1
    """The oldest version that is left; -1 when none was purged."""
    pending: str = ""
    """What is purging the table at this moment, or was killed while it did."""
    done: Sequence[Mapping[str, Any]] = ()
    """Each purge: {"by": node, "base": oldest version left}."""

    def purged_by(self, version: int) -> str:
        """Name what purged a version; "" when it is left."""
        return next((str(one["by"]) for one in self.done if version < int(one["base"])), "")


def read_purges(files: Files) -> Purges:
    """Read which versions of the table in a folder were purged."""
    try:
        return Purges(**json.loads(files.read(PURGES_FILE)))
    except NotFoundError:
        return Purges()


def write_purges(files: Files, purges: Purges) -> None:
    """Write down which versions of the table in a folder were purged."""
    files.write(PURGES_FILE, canonical_json(asdict(purges)))


def log_files(files: Files, version: int) -> list[Part]:
    """Give the commits up to a version; after a purge, a checkpoint and the commit of its version first."""
    base = read_purges(files).base
    names = [f"{LOG_FOLDER}/{number:020d}.json" for number in range(max(base, 0), version + 1)]
    start = [f"{LOG_FOLDER}/{base:020d}{_CHECKPOINT}"] if base >= 0 else []
    return [Part(path=name, n_bytes=-1, n_rows=0, sha256="") for name in [*start, *names]]


def replay(files: Files, version: int) -> tuple[set[str], set[str]]:
    """Give the paths of the parts of a version, and those that any version up to it ever had.

    No checkpoint is believed but the recorded one that a purge left as the start of the log.
    """
    live: set[str] = set()
    ever: set[str] = set()
    for entry in log_files(files, version):
        data = files.read(entry.path)
        if entry.path.endswith(_CHECKPOINT):
            live = _checkpoint_paths(data)
        else:
            _apply(data, live, ever)
        ever |= live
    return live, ever


def older_files(files: Files, base: int) -> list[str]:
    """Give the commits and checkpoints in the folder that belong to versions before the base."""
    return [path for path in files.walk(LOG_FOLDER) if _version_of(path) in range(base)]


def _checkpoint_paths(data: bytes) -> set[str]:
    added = pq.read_table(pa.BufferReader(data), columns=["add"])["add"]
    return {unquote(row["path"]) for row in added.to_pylist() if row}


def _apply(commit: bytes, live: set[str], ever: set[str]) -> None:
    for line in commit.splitlines():
        action = json.loads(line)
        if "add" in action:
            live.add(unquote(action["add"]["path"]))
            ever.add(unquote(action["add"]["path"]))
        elif "remove" in action:
            live.discard(unquote(action["remove"]["path"]))
            ever.add(unquote(action["remove"]["path"]))


def _version_of(path: str) -> int:
    number = path.rpartition("/")[2][:_VERSION_DIGITS]
    return int(number) if number.isdigit() else -1
