"""Published indexes: folders named by the digest of their manifest, and which one is current.

An index is built in a staging folder, described by a manifest with the SHA-256 of each file, and
published by renames, so that a reader sees a whole index or the one before.
"""

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storage.digest import canonical_json, sha256_hex
from storage.errors import CorruptError, MissingError, NotFoundError
from storage.files import explained, sync_folder, write_atomic
from storage.records import Problem

KEPT = 3
"""Indexes that stay on the disk after a publication: the current one and those in use before it."""

_MANIFEST = "manifest.json"
_CURRENT = "CURRENT"
_TOMBSTONES = "TOMBSTONES.json"
_STAGING = ".staging-"
_NAME = re.compile(r"[0-9a-f]{32}")
_READ_BYTES = 1 << 20
_LEAST_DIGITS = 12
_ABANDONED_S = 86_400
"""A staging folder as old as this was left by a killed build."""


@dataclass(frozen=True)
class IndexFolder:
    """A published index: its folder, its full digest and its manifest."""

    path: Path
    digest: str
    manifest: Mapping[str, Any]
    dead: frozenset[str] = frozenset()
    """Documents that were revoked since: whoever searches passes over their passages."""


@dataclass(frozen=True)
class IndexStore:
    """Indexes below one local folder. Holds no open file, so it pickles."""

    folder: Path

    def stage(self) -> Path:
        """Make an empty folder to build an index in."""
        staged = self.folder / f"{_STAGING}{uuid.uuid4().hex}"
        with explained(str(self.folder)):
            staged.mkdir(parents=True)
        return staged

    def publish(self, staged: Path, manifest: Mapping[str, Any]) -> str:
        """Make a staged folder the current index and give its digest.

        The digest covers the manifest and the SHA-256 of each file; the same content published
        twice is one index. Older indexes beyond the last few are deleted.
        """
        with explained(str(staged)):
            hashes = {
                path: _hash_file(staged / path) for path in _files(staged) if path != _MANIFEST
            }
            if not hashes:
                raise ValueError("the staged folder holds no file")
            data = canonical_json({**manifest, "files": hashes})
            digest = sha256_hex(data)
            write_atomic(staged / _MANIFEST, data)
            self._move(staged, digest)
            self._make_current(digest)
            self._prune()
        return digest

    def current(self) -> IndexFolder:
        """Open the index in use; MissingError when nothing was published."""
        digest = self._current_digest()
        if not digest:
            raise MissingError(
                "no index has been published", item="index", way_out="Run `suyuan index`"
            )
        return self.open(digest)

    def open(self, digest: str) -> IndexFolder:
        """Open an index by its digest or by the first 12 digits or more of it."""
        found = [path for path in self._folders() if path.name.startswith(digest[:32])]
        if len(digest) >= _LEAST_DIGITS and len(found) == 1:
            index = _read_folder(found[0])
            if index.digest.startswith(digest):
                return replace(index, dead=self.tombstones())
        raise NotFoundError(
            "no such index",
            item=f"index:{digest}",
            way_out=f"There are: {', '.join(self.names()) or 'none'}",
        )

    def published(self) -> list[IndexFolder]:
        """Give all indexes, the latest in use first; CorruptError when a manifest was changed."""
        return [_read_folder(path) for path in self._folders()]

    def names(self) -> list[str]:
        """Give the names of all index folders, the latest in use first, without opening them."""
        return [path.name for path in self._folders()]

    def rollback(self, digest: str) -> str:
        """Make an older index the current one and give its full digest."""
        index = self.open(digest)
        self._make_current(index.digest)
        return index.digest

    def tombstone(self, doc_ids: Iterable[str]) -> int:
        """Take documents out of every index at once, before any is rebuilt; count the new ones."""
        dead = self.tombstones()
        more = dead.union(doc_ids)
        if more != dead:
            with explained(str(self.folder)):
                write_atomic(self.folder / _TOMBSTONES, canonical_json(sorted(more)))
                sync_folder(self.folder)
        return len(more) - len(dead)

    def tombstones(self) -> frozenset[str]:
        """Give the documents that no search may find."""
        try:
            return frozenset(json.loads((self.folder / _TOMBSTONES).read_bytes()))
        except FileNotFoundError:
            return frozenset()
        except ValueError as error:
            raise CorruptError(
                "cannot be read, so that nobody knows which documents may be found",
                item=f"index:{_TOMBSTONES}",
                way_out="Run the revocation again",
            ) from error

    def drop_others(self, digest: str) -> list[str]:
        """Delete every index but one, and what killed builds left; give the digests' first halves.

        With "" all are deleted, and none is current.
        """
        gone = [path for path in self._folders() if path.name != digest[:32]]
        if not digest:
            (self.folder / _CURRENT).unlink(missing_ok=True)
        for path in [*gone, *self.folder.glob(f"{_STAGING}*")]:
            shutil.rmtree(path)
        return [path.name for path in gone]

    def bury(self, doc_ids: Iterable[str]) -> None:
        """Lift the tombstones of documents that no index holds any more."""
        left = self.tombstones().difference(doc_ids)
        if left:
            write_atomic(self.folder / _TOMBSTONES, canonical_json(sorted(left)))
        else:
            (self.folder / _TOMBSTONES).unlink(missing_ok=True)

    def check(self, digest: str) -> list[Problem]:
        """Hash every file of an index again and name what differs."""
        try:
            index = self.open(digest)
        except CorruptError as error:
            return [Problem(node=error.item, reason=error.cause)]
        except NotFoundError as error:
            return [Problem(node=f"index:{digest}", reason=error.cause)]
        hashes = index.manifest["files"]
        names = sorted({*hashes, *_files(index.path)} - {_MANIFEST})
        reasons = {name: _damage(index.path / name, hashes.get(name)) for name in names}
        node = f"index:{index.digest}"
        return [
            Problem(node=f"{node}/{name}", reason=text) for name, text in reasons.items() if text
        ]

    def check_current(self) -> list[Problem]:
        """Say whether the name of the current index leads to one; nothing published is sound."""
        if not self._folders() and not self._current_digest():
            return []
        try:
            self.current()
        except (MissingError, CorruptError) as error:
            return [Problem(node=f"index:{_CURRENT}", reason=error.cause)]
        return []

    def _move(self, staged: Path, digest: str) -> None:
        final = self.folder / digest[:32]
        for path in _files(staged):
            _sync_file(staged / path)
        sync_folder(staged)
        if final.is_dir() and not self.check(digest):
            shutil.rmtree(staged)
            return
        if final.exists():
            shutil.rmtree(final)
        staged.rename(final)
        sync_folder(self.folder)

    def _make_current(self, digest: str) -> None:
        write_atomic(self.folder / _CURRENT, f"{digest}\n".encode())
        sync_folder(self.folder)
        os.utime(
            self.folder / digest[:32]
        )  # folders are ordered by when they were last made current

    def _current_digest(self) -> str:
        try:
            return (self.folder / _CURRENT).read_text("utf-8", "replace").strip()
        except FileNotFoundError:
            return ""

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: (-path.stat().st_mtime_ns, path.name))

    def _prune(self) -> None:
        current = self._current_digest()[:32]
        others = [path for path in self._folders() if path.name != current]
        oldest = time.time() - _ABANDONED_S
        staged = self.folder.glob(f"{_STAGING}*")
        abandoned = [path for path in staged if path.stat().st_mtime < oldest]
        for path in [*others[KEPT - 1 :], *abandoned]:
            shutil.rmtree(path, ignore_errors=True)


def _read_folder(path: Path) -> IndexFolder:
    node = f"index:{path.name}/{_MANIFEST}"
    try:
        data = (path / _MANIFEST).read_bytes()
    except OSError as error:
        raise CorruptError("the manifest is missing", item=node, way_out=_WAY_OUT) from error
    digest = sha256_hex(data)
    if digest[:32] != path.name:
        raise CorruptError("the manifest was changed", item=node, way_out=_WAY_OUT)
    return IndexFolder(path=path, digest=digest, manifest=json.loads(data))


_WAY_OUT = "Run `suyuan index` to build it again"


def _files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _damage(path: Path, expected: str | None) -> str:
    if expected is None:
        return "is not in the manifest"
    if not path.is_file():
        return "is missing"
    return "" if _hash_file(path) == expected else "content has another hash"


def _hash_file(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            hasher.update(block)
    return hasher.hexdigest()


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
