"""The live documents of a span index, read from its manifests and lists of names alone.

Nothing is searched, so no kernel is compiled or loaded and no other section is mapped.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from storage.digest import sha256_hex
from storage.errors import CorruptError
from storage.files import explained
from storage.spans.manifest import SEGMENT_DATA, Manifest, at_one_state, read_segment_manifest

_MOST_SEGMENTS = 64
"""Segments whose names are kept in memory."""


def documents_by_segment(folder: Path) -> dict[str, list[str]]:
    """Give the live documents of each segment in use, in the order in which they were added."""
    return at_one_state(folder, lambda manifest: dict(_live(folder, manifest)))


def _live(folder: Path, manifest: Manifest) -> Iterator[tuple[str, list[str]]]:
    for entry in manifest.entries:
        names, dead = _names(folder.resolve() / entry.name, entry.sha256), frozenset(entry.dead)
        yield entry.name, [n for at, n in enumerate(names) if at not in dead] if dead else [*names]


@lru_cache(maxsize=_MOST_SEGMENTS)
def _names(folder: Path, digest: str) -> tuple[str, ...]:
    """Read the names of all documents of a segment, dead ones included, and prove their hash."""
    section = read_segment_manifest(folder, digest)["sections"]["names"]
    path = folder / SEGMENT_DATA
    with explained(str(path)), path.open("rb") as file:
        file.seek(section["start"])
        data = file.read(section["bytes"])
    if sha256_hex(data) != section["sha256"]:
        raise CorruptError(
            "the names of the documents have another hash",
            item=f"spans:{folder.name}/{SEGMENT_DATA}#names",
            way_out="Build the span index again",
        )
    return tuple(data.decode().split("\n")[:-1])
