"""Search of every byte under a folder, also of what is compressed inside its files.

Each file is searched as it lies on the disk, and besides as what it holds: frames of zstd and
gzip, members of ZIP archives, and the values of Parquet columns.
"""

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from storage.fingerprints import WINDOW, Fingerprints, Words

_BLOCK = 8 << 20
_ZSTD, _SKIPPABLE, _GZIP, _ZIP, _PARQUET = (
    b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18", b"\x1f\x8b", b"PK\x03\x04", b"PAR1",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A file that holds windows of what was searched."""

    path: str
    """Relative to the folder, with "/"."""
    windows: Words


@dataclass(frozen=True)
class Searched:
    """What a search read, and where it found something."""

    places: tuple[Place, ...]
    files: int
    n_bytes: int
    """As they lie on the disk."""
    unreadable: tuple[str, ...]


def search_folder(
    folder: Path,
    wanted: Fingerprints,
    leave_out: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Searched:
    """Search all files below a folder but those in the sub-folders `leave_out`."""
    places, unreadable, files, n_bytes = [], [], 0, 0
    for path in _walk(folder, leave_out):
        name = path.relative_to(folder).as_posix()
        try:
            size, windows = search_file(path, wanted)
        except FileNotFoundError:
            continue  # deleted by its owner in the meantime
        except OSError as error:
            unreadable.append(f"{name}: {error.strerror or error}")
            continue
        files, n_bytes = files + 1, n_bytes + size
        if windows.size:
            places.append(Place(name, windows))
        if progress:
            progress(files)
    return Searched(tuple(places), files, n_bytes, tuple(unreadable))


def search_file(place: Path | bytes, wanted: Fingerprints) -> tuple[int, Words]:
    """Search one file, or its bytes; give its size and the fingerprints found."""
    found = [np.empty(0, np.uint64)]
    with io.BytesIO(place) if isinstance(place, bytes) else place.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        found.extend(wanted.found(block) for block in _overlapping(file))
        size = file.tell()
        file.seek(0)
        found.extend(wanted.found(block) for block in _contents(head, file))
    return size, np.unique(np.concatenate(found))


def _walk(folder: Path, leave_out: Collection[str]) -> Iterator[Path]:
    skipped = {folder / name for name in leave_out}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if Path(place) / name not in skipped)
        yield from (path for name in sorted(names) if _is_regular(path := Path(place) / name))


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _overlapping(file: IO[bytes]) -> Iterator[bytes]:
    """Read blocks that overlap by a window, so that none is cut."""
    tail = b""
    while block := file.read(_BLOCK):
        yield tail + block
        tail = (tail + block)[1 - WINDOW :]


def _contents(head: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """Give what a file holds in another form than its own bytes; nothing for a plain one."""
    try:
        if head.startswith(_ZSTD) or head[1:4] == _SKIPPABLE:
            yield from _overlapping(_zstd_reader(head, file))
        elif head.startswith(_GZIP):
            with gzip.GzipFile(fileobj=file) as content:
                yield from _overlapping(cast("IO[bytes]", content))
        elif head.startswith(_ZIP):
            yield from _members(file)
        elif head.startswith(_PARQUET):
            yield from _columns(file)
    except (zstandard.ZstdError, zlib.error, EOFError, zipfile.BadZipFile, pa.ArrowException):
        return  # damaged: `verify --all` names it; its bytes were searched as they lie
    except gzip.BadGzipFile:
        return


def _zstd_reader(head: bytes, file: IO[bytes]) -> IO[bytes]:
    if head[1:4] == _SKIPPABLE:  # such as the guard of a blob: the data frame comes behind it
        file.seek(8 + int.from_bytes(head[4:8], "little"))
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return io.BufferedReader(reader, _BLOCK)


def _members(file: IO[bytes]) -> Iterator[bytes]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            with archive.open(member) as content:
                yield from _overlapping(content)


def _columns(file: IO[bytes]) -> Iterator[bytes]:
    """Give the values of each column of each row group, one behind the other."""
    parquet = pq.ParquetFile(file)
    for number in range(parquet.num_row_groups):
        for column in parquet.read_row_group(number).columns:
            for chunk in column.chunks:
                yield from _buffers(chunk)


def _buffers(array: pa.Array) -> Iterator[bytes]:
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    for buffer in array.buffers():
        if buffer is not None and buffer.size >= WINDOW:
            yield from _overlapping(pa.BufferReader(buffer))
