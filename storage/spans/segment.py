"""One immutable segment: its arrays and its files."""

import json
from collections.abc import Collection, Mapping
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
from storage.spans.scan import lookup
from storage.spans.search import Arrays, earliest
from storage.spans.sorting import dead_ranks
from storage.spans.suffixes import arrays_of

FORMAT = "suyuan-spans/1"
MANIFEST = "segment.json"
SEPARATOR = 0
_FILES = {
    "tokens.u64": np.uint64, "suffixes.u64": np.uint64, "buckets.u32": np.uint32,
    "grams.u64": np.uint64, "words.u64": np.uint64, "ids.u64": np.uint64, "units.u8": np.uint8,
    "wide.u8": np.uint8, "samples.u32": np.uint32, "firsts.u32": np.uint32, "bases.u32": np.uint32,
    "names.txt": np.uint8,
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
        """Write all files and the manifest into an empty folder; give the manifest's hash."""
        contents = dict(zip(_FILES, self._file_arrays(), strict=True))
        entries: dict[str, Any] = {}
        with explained(str(folder)):
            for name, array in contents.items():
                data = np.ascontiguousarray(array).view(np.uint8).reshape(-1).data
                write_atomic(folder / name, bytes(data))
                entries[name] = {"bytes": len(data), "sha256": sha256_hex(bytes(data))}
            manifest = canonical_json(self._description() | {"files": entries})
            write_atomic(folder / MANIFEST, manifest)
            sync_folder(folder)
        return sha256_hex(manifest)

    def _file_arrays(self) -> tuple[np.ndarray, ...]:
        a, places = self.arrays, self.layout
        return (
            a.tokens, a.suffixes, a.buckets, a.grams, self.words, self.ids, places.units,
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
    """Map the files of a segment; CorruptError when manifest or sizes are not as written."""
    manifest = read_manifest(folder, digest)
    arrays = []
    for name, kind in _FILES.items():
        size = manifest["files"][name]["bytes"]
        path = folder / name
        with explained(str(path)):
            if path.stat().st_size != size:
                raise CorruptError("has another size than written", item=str(path))
            mapped = np.memmap(path, kind, mode="r") if size else np.zeros(0, kind)
        arrays.append(np.asarray(mapped))
    tokens, suffixes, buckets, grams, words, ids, units, wide, samples, firsts, bases, names = (
        readonly(array) for array in arrays
    )
    bits = manifest["token_bits"], manifest["suffix_bits"]
    searched = Arrays(
        tokens, bits[0], suffixes, bits[1], manifest["size"], buckets, grams, manifest["gram"],
        readonly(np.zeros(0, np.uint64)),
    )  # fmt: skip
    layout = Layout(units, wide, samples.reshape(-1, 2), firsts, bases)
    return Segment(searched, words, ids, manifest["words"], layout, names, manifest["rule"])


def read_manifest(folder: Path, digest: str) -> Mapping[str, Any]:
    """Read the manifest of a segment and prove its hash."""
    path = folder / MANIFEST
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


def check_segment(folder: Path, digest: str) -> list[Problem]:
    """Hash every file of a segment again and name what differs."""
    node = f"spans:{folder.name}"
    try:
        manifest = read_manifest(folder, digest)
    except CorruptError as error:
        return [Problem(node=node, reason=error.cause)]
    problems = []
    for name, entry in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            problems.append(Problem(node=f"{node}/{name}", reason="is missing"))
        elif sha256_hex(path.read_bytes()) != entry["sha256"]:
            problems.append(Problem(node=f"{node}/{name}", reason="content has another hash"))
    return problems


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
