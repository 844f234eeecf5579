"""What a caller states about a source: where it is, who vouches for it, how its rows are read."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """One source of documents; the same values give the same listing and the same rows."""

    name: str
    """Short name, unique in the ledger."""
    locations: tuple[str, ...] = ()
    """Folders, files, globs such as docs/**/*.md, or fsspec URLs such as s3://bucket/prefix."""
    licence: str = ""
    """Licence of everything in it, as free text; a document's own statement goes before it."""
    trust: float = 0.5
    """From 0 (anybody can write there) to 1 (checked by ourselves)."""
    publisher: str = ""
    include: tuple[str, ...] = ()
    """Globs on the path below the location; empty means all known formats."""
    exclude: tuple[str, ...] = ()
    text_field: str = ""
    """Column of rows that holds the text; "" means detect it."""
    id_field: str = ""
    title_field: str = ""
    licence_field: str = ""
    python_env: bool = False
    """Read the installed Python distributions as well."""
    distributions: tuple[str, ...] = ()
    """Names of distributions; empty means all."""
    docstring_depth: int = 1
    """Levels of modules whose docstrings are read: 0 none, 1 the package and its direct modules."""
    max_item_bytes: int = 64 << 20
    max_record_bytes: int = 8 << 20
    timeout_s: float = 60.0
    """Longest wait for one remote answer, and for one PDF."""

    def __post_init__(self) -> None:
        """Refuse values that no run could use."""
        if not self.name.strip():
            raise ValueError("a source needs a name")
        if not 0 <= self.trust <= 1:
            raise ValueError(f"trust is {self.trust}, but must lie between 0 and 1")
        if not (self.locations or self.python_env):
            raise ValueError("a source needs a location or python_env=True")
        if min(self.max_item_bytes, self.max_record_bytes) < 1 or self.timeout_s <= 0:
            raise ValueError("limits must be positive")
        if self.docstring_depth < 0:
            raise ValueError(f"docstring_depth is {self.docstring_depth}, but must be 0 or more")


def is_remote(location: str) -> bool:
    """Say whether fsspec, not the local file system, opens the location."""
    return "://" in location and not location.startswith("file://")


def location_uri(location: str) -> str:
    """Give the URI below which every item of a location lies; a glob gives that of its folder."""
    if is_remote(location):
        return split_glob(location)[0].rstrip("/")
    return local_path(split_glob(location)[0]).as_uri()


def local_path(location: str) -> Path:
    """Turn a local location, path or file URL, into an absolute path; links stay as they are."""
    if location.startswith("file://"):
        return path_of(location)
    return Path(os.path.abspath(os.path.expanduser(location)))  # noqa: PTH100, PTH111  # removes ".."


def path_of(uri: str) -> Path:
    """Turn a file URI back into the path, whatever bytes its name has."""
    return Path(os.fsdecode(unquote_to_bytes(uri.removeprefix("file://"))))


def split_glob(location: str) -> tuple[str, str]:
    """Split a location before its first part with * ? or [: (folder, pattern or "")."""
    if not _has_magic(location) or _exists(location):
        return location, ""
    parts = location.split("/")
    first = next(index for index, part in enumerate(parts) if _has_magic(part))
    folder = "/".join(parts[:first])
    if not folder:
        folder = "/" if location.startswith("/") else "."
    return folder, "/".join(parts[first:])


def _has_magic(text: str) -> bool:
    return not text.startswith(("http://", "https://")) and any(mark in text for mark in "*?[")


def _exists(location: str) -> bool:
    return not is_remote(location) and os.path.lexists(local_path(location))
