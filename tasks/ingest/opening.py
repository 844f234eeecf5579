"""Open items so that nothing blocks, grows without bound or leaves a file open."""

import contextlib
import gzip
import io
import os
import stat
import zlib
from collections.abc import Generator
from typing import IO, Any

import zstandard

from storage.records import Item
from tasks.ingest.failures import ExtractError
from tasks.ingest.formats import format_of, sniff_compression
from tasks.ingest.local import not_regular
from tasks.ingest.remote import open_remote
from tasks.ingest.sources import SourceSpec, is_remote, path_of

MAX_RATIO = 100
"""Text rarely shrinks 30 times; more than this, past the first bytes, is an attack."""

RATIO_FREE_BYTES = 32 << 20
"""So much may come out at any ratio."""

MAX_STREAM_BYTES = 256 << 30
"""Bound of a container whose rows are read one by one."""

PEEK_BYTES = 65_536
_MAX_WINDOW = 1 << 27


@contextlib.contextmanager
def open_item(item: Item, spec: SourceSpec) -> Generator[IO[bytes]]:
    """Open the stored bytes of an item, seekable; raise ExtractError with the reason."""
    if is_remote(item.uri):
        with open_remote(item.uri, spec) as stream:
            yield stream
    else:
        with file_errors(), open_regular(item.uri) as stream:
            yield stream


@contextlib.contextmanager
def open_content(stream: IO[bytes], uri: str, limit: int) -> Generator[io.BufferedReader]:
    """Decompress an opened item as its name or first bytes tell; reading past the limit raises."""
    stream.seek(0)
    compression = format_of(uri).compression or sniff_compression(stream.read(4))
    stream.seek(0)
    with contextlib.ExitStack() as stack:
        source: Any = stream
        if compression == "gz":
            source = stack.enter_context(gzip.GzipFile(fileobj=stream))
        elif compression == "zst":
            decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
            source = stack.enter_context(
                decompressor.stream_reader(stream, read_across_frames=True, closefd=False)
            )
        bounded = _Bounded(source, stream if compression else None, limit)
        yield stack.enter_context(io.BufferedReader(bounded, PEEK_BYTES))


def open_regular(uri: str) -> IO[bytes]:
    """Open a local file for reading; what could block or never end is refused by its kind."""
    descriptor = os.open(path_of(uri), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        refusal = not_regular(uri)
        raise ExtractError(refusal.reason, refusal.detail)
    return os.fdopen(descriptor, "rb")


@contextlib.contextmanager
def file_errors() -> Generator[None]:
    """Turn an operating system error about a file into an ExtractError with the way out."""
    try:
        yield
    except FileNotFoundError as error:
        raise ExtractError(
            "file.vanished", "the file went away after it was listed: run again"
        ) from error
    except PermissionError as error:
        raise ExtractError(
            "file.permission", "no permission to read the file: grant it and run again"
        ) from error
    except OSError as error:
        raise ExtractError(
            "file.unreadable", f"the file cannot be read ({error.strerror}): see to the disk"
        ) from error


class _Bounded(io.RawIOBase):
    """A stream that raises ExtractError past its limit, at a bomb's ratio and at a broken end."""

    def __init__(self, source: Any, compressed: IO[bytes] | None, limit: int) -> None:
        self._source = source
        self._compressed = compressed
        self._limit = limit
        self._taken = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer unless the stream ends first."""
        view = memoryview(buffer)
        filled = 0
        while filled < len(view):
            block = self._read(len(view) - filled)
            if not block:
                break
            view[filled : filled + len(block)] = block
            filled += len(block)
        return filled

    def _read(self, size: int) -> bytes:
        try:
            block = self._source.read(size)
        except (EOFError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile) as error:
            raise ExtractError(
                "file.broken_compression",
                f"the compressed file ends early or is damaged ({error}): copy it again",
            ) from error
        self._taken += len(block)
        self._check()
        return block

    def _check(self) -> None:
        if self._compressed is not None and self._taken > RATIO_FREE_BYTES:
            ratio = self._taken / max(self._compressed.tell(), 1)
            if ratio > MAX_RATIO:
                raise ExtractError(
                    "file.bomb",
                    f"the file grows more than {MAX_RATIO} times when it is decompressed: "
                    "unpack it yourself if it is honest",
                )
        if self._taken > self._limit:
            raise ExtractError(
                "file.bomb" if self._compressed is not None else "file.too_large",
                f"the content has more than {self._limit} bytes: raise max_item_bytes or split it",
            )
