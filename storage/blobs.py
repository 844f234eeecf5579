"""Content-addressed store of bytes: one zstd file per blob, named by the SHA-256 of its content.

A file is a zstd skippable frame that holds the SHA-256 of the data frame, then the data frame
with its content size. `zstd -d` reads it. The first digest finds damage that decompression would
forgive, so that any changed byte of a file is found, not only one that changes the content.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

from storage.digest import sha256_hex
from storage.errors import CorruptError, NotFoundError, SuyuanError
from storage.files import Files
from storage.records import Problem

MAX_BLOB_BYTES = 1 << 30
"""No blob is larger; a file that claims more is refused before any memory is taken."""

_LEVEL = 3
_GUARD = bytes.fromhex("502a4d1820000000")  # skippable frame of 32 bytes
_GUARD_BYTES = len(_GUARD) + 32
_HEADER_BYTES = _GUARD_BYTES + 18  # the longest zstd frame header
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class BlobStore:
    """Blobs below a local path or an fsspec URL. Holds no connection, so it pickles."""

    url: str

    def put(self, data: bytes) -> str:
        """Store bytes and give their SHA-256; nothing is written when they are there already."""
        if len(data) > MAX_BLOB_BYTES:
            raise ValueError(f"a blob has at most {MAX_BLOB_BYTES} bytes, not {len(data)}")
        sha = sha256_hex(data)
        if self._stored_size(sha) != len(data):
            frame = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
            guard = _GUARD + hashlib.sha256(frame).digest()
            self._files.write(_path(sha), guard + frame, durable=False)
        return sha

    def get(self, sha: str) -> bytes:
        """Read a blob and prove its hash; NotFoundError or CorruptError name `blob:<sha>`."""
        try:
            stored = self._files.read(_path(sha))
        except NotFoundError as error:
            raise NotFoundError("not in the blob store", item=f"blob:{sha}") from error
        data = _unpack(stored, sha)
        if sha256_hex(data) != sha:
            raise _corrupt(sha, "content has another hash")
        return data

    def has(self, sha: str) -> bool:
        """Say whether there is a blob of this name; its content is not read."""
        return self._files.exists(_path(sha))

    def ids(self) -> Iterator[str]:
        """Give the names of all blobs, sorted."""
        for path in self._files.walk():
            name = path.rsplit("/", 1)[-1].removesuffix(".zst")
            if path == _path_or_none(name):
                yield name

    def delete(self, sha: str) -> None:
        """Delete a blob; nothing happens when there is none."""
        self._files.delete(_path(sha))

    def check(self, sha: str) -> Problem | None:
        """Read a blob and say what is wrong with it, if anything."""
        try:
            self.get(sha)
        except SuyuanError as error:
            return Problem(node=f"blob:{sha}", reason=error.cause)
        return None

    @property
    def _files(self) -> Files:
        return Files(self.url)

    def _stored_size(self, sha: str) -> int:
        """Content size that the stored file declares; -1 without a usable file."""
        head = self._files.read_head(_path(sha), _HEADER_BYTES)
        try:
            return int(zstandard.get_frame_parameters(head[_GUARD_BYTES:]).content_size)
        except zstandard.ZstdError:
            return -1


def _path(sha: str) -> str:
    path = _path_or_none(sha)
    if path is None:
        raise ValueError(f"a blob is named by 64 hex digits, not {sha!r}")
    return path


def _path_or_none(sha: str) -> str | None:
    if len(sha) != 64 or not _HEX.issuperset(sha):
        return None
    return f"{sha[:2]}/{sha}.zst"


def _unpack(stored: bytes, sha: str) -> bytes:
    frame = stored[_GUARD_BYTES:]
    if stored[:_GUARD_BYTES] != _GUARD + hashlib.sha256(frame).digest():
        raise _corrupt(sha, "the stored file was changed")
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if not 0 <= size <= MAX_BLOB_BYTES:
            raise _corrupt(sha, f"the stored file claims {size} bytes")
        return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise _corrupt(sha, f"cannot be decompressed ({error})") from error


def _corrupt(sha: str, cause: str) -> CorruptError:
    return CorruptError(
        cause, item=f"blob:{sha}", way_out="Restore the file from a copy or ingest its source again"
    )
