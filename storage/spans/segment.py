"""One immutable segment: its arrays and its files."""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from storage.digest import canonical_json, sha256_hex
from storage.errors import CorruptError
from storage.files import explained, sync_folder, write_atomic
from storage.records import Problem
from storage.spans.layout import Layout, sample
from storage.spans.manifest import (
    FORMAT,
    SEGMENT_DATA,
    SEGMENT_MANIFEST,
    read_segment_manifest,
)
from storage.spans.scan import lookup
from storage.spans.search import Arrays, earliest
from storage.spans.sorting import dead_ranks
from storage.spans.suffixes import arrays_of

ALIGNMENT = 64
_SECTIONS = {
    "tokens": "<u8", "suffixes": "<u8", "buckets": "<u4", "guides": "<i8", "grams": "<u8",
    "words": "<u8", "ids": "<u8", "units": "u1", "wide": "u1", "samples": "<u4", "firsts": "<u4", "bases": "<u4",
    "names": "u1",
}  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """Suffix array of some documents, their vocabulary, the places of their units, their names.

    Token 0 stands before each document; the words of the vocabulary are tokens from 1.
    """

    arrays: Arrays
    words: np.ndarray
    ids: np.ndarray
    n_words: int
    layout: Layout
    names: np.ndarray
    rule: str

    @property
    def n_documents(self) -> int:
        """Count the documents, dead ones included."""
        return int(self.layout.firsts.size) - 1

    @property
    def n_units(self) -> int:
        """Count the units, dead ones included."""
        return int(self.arrays.size) - self.n_documents

    @cached_property
    def doc_ids(self) -> list[str]:
        """Give the document of each number."""
        return self.names.tobytes().decode().split("\n")[:-1]

    def tokens_of(self, hashes: np.ndarray) -> np.ndarray:
        """Translate unit hashes to token ids; a word that no document holds gets an id of none."""
        return lookup(hashes, self.words, self.ids, self.arrays.token_bits, self.n_words)

    def first_places(self, low: int, high: int, limit: int) -> np.ndarray:
        """Give the first live places among a range of ranks."""
        return earliest(self.arrays, low, high, limit)

    def without(self, dead: Collection[int]) -> "Segment":
        """Give the same segment with these documents dead: searches pass over them."""
        if not dead:
            return self
        marks = marks_of(dead, self.n_documents)
        a = self.arrays
        ranks = dead_ranks(a.suffixes, a.suffix_bits, a.size, self.layout.firsts, marks)
        return replace(self, arrays=arrays_of(self.arrays._replace(dead=ranks)))

    def write(self, folder: Path) -> str:
        """Write data and manifest into an empty folder; give the manifest's hash."""
        sections: dict[str, Any] = {}
        at = 0
        with explained(str(folder)), (folder / SEGMENT_DATA).open("wb") as file:
            for name, array in zip(_SECTIONS, self._stored(), strict=True):
                data = np.ascontiguousarray(array, _SECTIONS[name]).tobytes()
                at += file.write(bytes(-at % ALIGNMENT))
                sections[name] = {"start": at, "bytes": len(data), "sha256": sha256_hex(data)}
                at += file.write(data)
            file.flush()
            os.fsync(file.fileno())
        manifest = canonical_json(self._description() | {"bytes": at, "sections": sections})
        with explained(str(folder)):
            write_atomic(folder / SEGMENT_MANIFEST, manifest)
            sync_folder(folder)
        return sha256_hex(manifest)

    def _stored(self) -> tuple[np.ndarray, ...]:
        a, places = self.arrays, self.layout
        return (
            a.tokens, a.suffixes, a.buckets, a.guides, a.grams, self.words, self.ids, places.units,
            places.wide, places.samples, places.firsts, places.bases, self.names,
        )  # fmt: skip

    def _description(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "rule": self.rule,
            "size": int(self.arrays.size),
            "token_bits": self.arrays.token_bits,
            "suffix_bits": self.arrays.suffix_bits,
            "gram": self.arrays.gram,
            "words": self.n_words,
            "documents": self.n_documents,
        }


def open_segment(folder: Path, digest: str) -> Segment:
    """Map the data of a segment; CorruptError when manifest or size are not as written."""
    manifest = read_segment_manifest(folder, digest)
    path = folder / SEGMENT_DATA
    with explained(str(path)):
        if path.stat().st_size != manifest["bytes"]:
            raise CorruptError("has another size than written", item=str(path))
        mapped = np.asarray(np.memmap(path, np.uint8, mode="r"))
    data = {
        name: mapped[section["start"] : section["start"] + section["bytes"]].view(_SECTIONS[name])
        for name, section in manifest["sections"].items()
    }
    searched = Arrays(
        tokens=data["tokens"],
        token_bits=manifest["token_bits"],
        suffixes=data["suffixes"],
        suffix_bits=manifest["suffix_bits"],
        size=manifest["size"],
        buckets=data["buckets"],
        guides=data["guides"],
        grams=data["grams"],
        gram=manifest["gram"],
        dead=readonly(np.zeros(0, np.uint64)),
    )
    places = (data[name] for name in ("units", "wide", "samples", "firsts", "bases"))
    units, wide, samples, firsts, bases = places
    layout = Layout(units, wide, samples.reshape(-1, 2), firsts, bases)
    return Segment(
        arrays=searched,
        words=data["words"],
        ids=data["ids"],
        n_words=manifest["words"],
        layout=layout,
        names=data["names"],
        rule=manifest["rule"],
    )


def check_segment(folder: Path, digest: str) -> list[Problem]:
    """Hash every section of a segment again and name what differs."""
    node = f"spans:{folder.name}"
    try:
        manifest = read_segment_manifest(folder, digest)
    except CorruptError as error:
        return [Problem(node=node, reason=error.cause)]
    path = folder / SEGMENT_DATA
    if not path.is_file():
        return [Problem(node=f"{node}/{SEGMENT_DATA}", reason="is missing")]
    data = path.read_bytes()
    if len(data) != manifest["bytes"]:
        return [Problem(node=f"{node}/{SEGMENT_DATA}", reason="has another size than written")]
    return [
        Problem(node=f"{node}/{SEGMENT_DATA}#{name}", reason="content has another hash")
        for name, section in manifest["sections"].items()
        if sha256_hex(data[section["start"] : section["start"] + section["bytes"]])
        != section["sha256"]
    ]


def layout_of(units: np.ndarray, wide: np.ndarray, firsts: np.ndarray, bases: np.ndarray) -> Layout:
    """Complete a layout with its samples."""
    samples = sample(units, wide, bases, units.size)
    return Layout(*(readonly(array) for array in (units, wide, samples, firsts, bases)))


def readonly(array: np.ndarray) -> np.ndarray:
    """Give a view that cannot be written: the kernels are compiled for one type of array."""
    view = array.view()
    view.flags.writeable = False
    return view


def marks_of(dead: Collection[int], size: int) -> np.ndarray:
    """Turn a set of numbers into marks."""
    marks = np.zeros(size, np.bool_)
    marks[np.fromiter(dead, np.int64, len(dead))] = True
    return marks
