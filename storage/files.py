"""Files below one fsspec URL: whole reads, atomic writes, clear errors."""

import contextlib
import errno
import functools
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from storage.errors import MissingError, NotFoundError, UnavailableError

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_ACCESS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})


@contextlib.contextmanager
def explained(item: str) -> Iterator[None]:
    """Turn an operating system error about an item into one that names it and the way out."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError("does not exist", item=item) from error
    except OSError as error:
        raise _explain(error, item) from error


def _explain(error: OSError, item: str) -> MissingError | UnavailableError:
    if error.errno in _NO_SPACE:
        return MissingError(
            "no space left on the device", item=item, way_out="Free space or set SUYUAN_HOME"
        )
    if error.errno in _NO_ACCESS or isinstance(error, PermissionError):
        return MissingError(
            f"access refused ({error.strerror or error})",
            item=item,
            way_out="Give this user write access or set SUYUAN_HOME",
        )
    return UnavailableError(str(error), item=item, way_out="Check the storage and run it again")


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a local file so that a reader sees all of it or nothing, even after a kill.

    With durable the bytes are on the disk before the name appears.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make renames in a local folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@functools.lru_cache(maxsize=32)
def _remote(url: str, process: int) -> tuple[Any, str]:
    del process  # an event loop does not survive a fork: one file system per process
    options = {"use_listings_cache": False} if url.startswith("s3://") else {}
    return fsspec.core.url_to_fs(url, **options)


@dataclass(frozen=True)
class Files:
    """A folder at a local path or any fsspec URL; picklable. Paths are relative, with "/"."""

    url: str

    @property
    def local(self) -> Path | None:
        """Folder on this machine, or None for a remote URL."""
        if self.url.startswith("file://"):
            return Path(self.url.removeprefix("file://"))
        return None if "://" in self.url else Path(self.url)

    def read(self, path: str) -> bytes:
        """Read a whole file; NotFoundError when there is none."""
        with explained(self.name(path)):
            if self.local is not None:
                return (self.local / path).read_bytes()
            system, root = self._system()
            return system.cat_file(f"{root}/{path}")

    def read_head(self, path: str, size: int) -> bytes:
        """Read up to the first `size` bytes of a file; empty when there is no such file."""
        with contextlib.suppress(NotFoundError), explained(self.name(path)):
            if self.local is None:
                system, root = self._system()
                return system.cat_file(f"{root}/{path}", start=0, end=size)
            with (self.local / path).open("rb") as file:
                return file.read(size)
        return b""

    def write(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Write a whole file atomically; object stores do so by themselves."""
        with explained(self.name(path)):
            if self.local is not None:
                write_atomic(self.local / path, data, durable=durable)
                return
            system, root = self._system()
            system.pipe_file(f"{root}/{path}", data)

    def exists(self, path: str) -> bool:
        """Say whether there is a file at this path."""
        with explained(self.name(path)):
            if self.local is not None:
                return (self.local / path).is_file()
            system, root = self._system()
            return bool(system.isfile(f"{root}/{path}"))

    def delete(self, path: str) -> None:
        """Delete a file; nothing happens when there is none."""
        with contextlib.suppress(NotFoundError), explained(self.name(path)):
            if self.local is not None:
                (self.local / path).unlink()
                return
            system, root = self._system()
            system.rm_file(f"{root}/{path}")

    def walk(self, folder: str = "") -> Iterator[str]:
        """Give the paths of all finished files below a folder, sorted within each folder."""
        if self.local is not None:
            top = self.local / folder
            for place, folders, names in os.walk(top):
                folders.sort()
                inside = Path(place).relative_to(self.local).as_posix()
                prefix = "" if inside == "." else f"{inside}/"
                yield from (f"{prefix}{n}" for n in sorted(names) if not n.endswith(".tmp"))
            return
        system, root = self._system()
        with explained(self.name(folder)):
            found = system.find(f"{root}/{folder}".rstrip("/"))
        yield from sorted(path[len(root) + 1 :] for path in found)

    def name(self, path: str) -> str:
        """Give the full name of a file for people and for other libraries."""
        return f"{self.url.rstrip('/')}/{path}" if path else self.url

    def _system(self) -> tuple[Any, str]:
        system, root = _remote(self.url, os.getpid())
        return system, str(root).rstrip("/")
