"""The manifest of a span index: the segments in use, and their dead documents."""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.digest import canonical_json
from storage.errors import CorruptError
from storage.files import explained, write_atomic

FORMAT = "suyuan-spans/1"
NAME = "MANIFEST.json"


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
