"""The manifests of a span index: the segments in use with their dead documents, and each segment's own."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from storage.digest import canonical_json, sha256_hex
from storage.errors import CorruptError, MissingError
from storage.files import explained, write_atomic

FORMAT = "suyuan-spans/1"
NAME = "MANIFEST.json"
SEGMENT_MANIFEST, SEGMENT_DATA = "segment.json", "data.bin"
_ATTEMPTS = 20

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One segment in use. Sizes include its dead documents; `sha256` is that of its manifest."""

    name: str
    sha256: str
    run_id: str
    documents: int
    units: int
    text_bytes: int
    file_bytes: int
    dead: tuple[int, ...] = ()
    """Numbers of the dead documents, ascending."""


@dataclass(frozen=True)
class Manifest:
    """All segments in use, in the order in which their documents were added."""

    rule: str = ""
    next_number: int = 1
    entries: tuple[Entry, ...] = ()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest; an empty one where there is no index."""
    path = folder / NAME
    if not path.exists():
        return Manifest()
    with explained(str(path)):
        data = path.read_bytes()
    try:
        values = json.loads(data)
        if values["format"] != FORMAT:
            raise CorruptError(
                f"has the format {values['format']!r}, this version reads {FORMAT}",
                item=str(path),
                way_out="Build the span index again",
            )
        entries = tuple(
            Entry(**{**entry, "dead": tuple(_numbers(entry["dead"]))})
            for entry in values["segments"]
        )
        return Manifest(values["rule"], values["next"], entries)
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            "is not a manifest", item=str(path), way_out="Build the span index again"
        ) from error


def at_one_state(folder: Path, read: Callable[[Manifest], T]) -> T:
    """Read what the manifest names; again when a writer replaced it and took segments away meanwhile."""
    for attempt in range(_ATTEMPTS):
        manifest = read_manifest(folder)
        try:
            return read(manifest)
        except MissingError:
            if attempt + 1 == _ATTEMPTS or read_manifest(folder) == manifest:
                raise
    raise AssertionError("unreachable")


def read_segment_manifest(folder: Path, digest: str) -> Mapping[str, Any]:
    """Read the manifest of a segment and prove its hash."""
    path = folder / SEGMENT_MANIFEST
    with explained(str(path)):
        data = path.read_bytes()
    if sha256_hex(data) != digest:
        raise CorruptError("the manifest was changed", item=f"spans:{folder.name}")
    manifest: Mapping[str, Any] = json.loads(data)
    if manifest["format"] != FORMAT:
        raise CorruptError(
            f"has the format {manifest['format']}, this version reads {FORMAT}",
            item=f"spans:{folder.name}",
            way_out="Build the span index again",
        )
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one rename."""
    segments = [asdict(entry) | {"dead": _ranges(entry.dead)} for entry in manifest.entries]
    values = {
        "format": FORMAT,
        "rule": manifest.rule,
        "next": manifest.next_number,
        "segments": segments,
    }
    write_atomic(folder / NAME, canonical_json(values))


def _ranges(numbers: Collection[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number:
            ranges[-1][1] = number + 1
        else:
            ranges.append([number, number + 1])
    return ranges


def _numbers(ranges: list[list[int]]) -> Iterator[int]:
    for first, end in ranges:
        yield from range(first, end)
