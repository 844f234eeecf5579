"""Reading a span index: one state of its manifest, with all its segments mapped."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storage.errors import CorruptError, MissingError
from storage.files import explained
from storage.records import Problem
from storage.spans.manifest import Entry, Manifest, at_one_state
from storage.spans.records import SpanHit, SpanMatch
from storage.spans.search import find
from storage.spans.segment import Segment, open_segment
from storage.spans.suffixes import trace_arrays
from storage.spans.units import Scanner, UnitRule, scanner

_MOST_READERS = 16
_lock = threading.Lock()
_readers: dict[Path, "Reader"] = {}


@dataclass(frozen=True)
class Reader:
    """The segments of one manifest. Stays valid when a writer replaces it."""

    folder: Path
    manifest: Manifest
    segments: tuple[Segment, ...]
    scanner: Scanner | None

    def trace(
        self,
        text: bytes,
        min_units: int,
        max_hits: int,
        max_count: int | None,
        *,
        shorter: bool = False,
    ) -> list[SpanMatch]:
        """Find the maximal spans of a text over all segments.

        The union of each segment's maximal spans, without those inside another, is the set of
        maximal spans of all: what occurs anywhere occurs in one segment.
        """
        if self.scanner is None:
            return []
        units = self.scanner.units(text)
        least = min(min_units, max(1, units.hashes.size)) if shorter else min_units
        queries = [segment.tokens_of(units.hashes) for segment in self.segments]
        matches = []
        for start, end in self._spans(queries, least):
            found = [
                find(segment.arrays, query, start, end)
                for segment, query in zip(self.segments, queries, strict=True)
            ]
            count = sum(live for _, _, live in found)
            if max_count is None or count <= max_count:
                hits = tuple(self._hits(found, end - start, max_hits))
                first, last = int(units.starts[start]), int(units.ends[end - 1])
                matches.append(SpanMatch(first, last, int(count), hits))
        return matches

    def _spans(self, queries: list[np.ndarray], min_units: int) -> list[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for segment, query in zip(self.segments, queries, strict=True):
            spans = trace_arrays(segment.arrays, query, min_units)
            found.update(zip(spans.starts.tolist(), spans.ends.tolist(), strict=True))
        kept, last = [], 0
        for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
            if end > last:
                kept.append((start, end))
                last = end
        return kept

    def _hits(
        self, found: list[tuple[int, int, int]], length: int, limit: int
    ) -> Iterator[SpanHit]:
        for segment, (low, high, live) in zip(self.segments, found, strict=True):
            if limit <= 0:
                return
            if live:
                places = segment.first_places(low, high, limit)
                limit -= places.size
                for document, start, end in segment.layout.ranges(places, length):
                    yield SpanHit(segment.doc_ids[document], start, end)


def open_reader(folder: Path) -> Reader:
    """Open the index as it is now; segments that were open already are used again."""
    folder = folder.resolve()
    return at_one_state(folder, lambda manifest: _reader(folder, manifest))


def _reader(folder: Path, manifest: Manifest) -> Reader:
    with _lock:
        known = _readers.get(folder)
    if known is not None and known.manifest == manifest:
        return known
    reader = _open(folder, manifest, known)
    with _lock:
        while len(_readers) >= _MOST_READERS:
            _readers.pop(next(iter(_readers)))
        _readers[folder] = reader
    return reader


def _open(folder: Path, manifest: Manifest, known: Reader | None) -> Reader:
    opened: dict[tuple[str, str], tuple[Entry, Segment]] = {}
    if known is not None:
        pairs = zip(known.manifest.entries, known.segments, strict=True)
        opened = {(entry.name, entry.sha256): (entry, segment) for entry, segment in pairs}
    segments = []
    for entry in manifest.entries:
        before = opened.get((entry.name, entry.sha256))
        if before is not None and before[0].dead == entry.dead:
            segments.append(before[1])
        else:
            plain = open_segment(folder / entry.name, entry.sha256)
            segments.append(plain.without(entry.dead))
    return Reader(folder, manifest, tuple(segments), _scanner(folder, manifest))


def _scanner(folder: Path, manifest: Manifest) -> Scanner | None:
    return scanner(read_rule(folder, manifest.rule)) if manifest.rule else None


def read_rule(folder: Path, digest: str) -> UnitRule:
    """Read the unit rule of an index."""
    path = folder / rule_name(digest)
    with explained(str(path)):
        rule = UnitRule.from_bytes(path.read_bytes(), str(path))
    if rule.digest != digest:
        raise CorruptError("was changed", item=str(path), way_out="Build the span index again")
    return rule


def check_rule(folder: Path, digest: str) -> list[Problem]:
    """Read the unit rule and say what is wrong with it."""
    try:
        read_rule(folder, digest)
    except (CorruptError, MissingError) as error:
        return [Problem(node=f"spans:{rule_name(digest)}", reason=error.cause)]
    return []


def rule_name(digest: str) -> str:
    """Name the file of a unit rule."""
    return f"rule-{digest[:16]}.json"
