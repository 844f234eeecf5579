"""The span index: segments below one folder, named by a manifest that is replaced in one rename.

    <folder>/MANIFEST.json      which segments are live, and which of their documents are dead
    <folder>/rule-<digest>.json how text becomes units, for the life of the index
    <folder>/<n>-<digest>/      one immutable segment

A write builds a segment in a temporary folder, renames it and replaces the manifest: a kill leaves
the old state or the new one, and the next write collects what it left. Writers wait for each other
at a file lock; readers need none, they keep the segments of the manifest that they read.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from storage.errors import InputError, UnavailableError
from storage.records import Problem
from storage.spans.manifest import Entry, Manifest, read_manifest
from storage.spans.names import documents_by_segment
from storage.spans.records import (
    LOCK_TIMEOUT_S,
    MIN_UNITS,
    SEGMENT_UNITS,
    Passage,
    SpanHit,
    SpanMatch,
    SpanReport,
)

if TYPE_CHECKING:
    from storage.spans.reader import Reader

__all__ = [
    "MIN_UNITS", "Entry", "Passage", "SpanHit", "SpanIndex", "SpanMatch", "SpanReport",
]  # fmt: skip


@dataclass(frozen=True)
class SpanIndex:
    """A span index below one local folder. Holds no open file, so it pickles."""

    folder: Path
    segment_units: int = SEGMENT_UNITS

    def add(self, passages: Iterable[Passage], run_id: str = "") -> str:
        """Index documents that are not in it yet; give the last segment's name, "" for none.

        A document already live is left out, so the same call after a kill completes the first.
        """
        from storage.spans import writer

        name = ""
        rest = iter(passages)
        while True:
            with self._locked():
                added, done = writer.add_segment(self.folder, rest, self.segment_units, run_id)
            name = added or name
            if done:
                return name

    def trace(
        self,
        text: bytes,
        *,
        min_units: int = MIN_UNITS,
        max_hits: int = 10,
        max_count: int | None = None,
    ) -> list[SpanMatch]:
        """Find all maximal spans of a text that occur in the live documents, in order.

        A span has at least `min_units` units. Hits are the first occurrences in the order in which
        documents were added. Spans with more than `max_count` occurrences are left out.
        """
        if min_units < 1 or max_hits < 0:
            raise InputError("min_units must be 1 or more, max_hits 0 or more", item="trace")
        return self._reader().trace(text, min_units, max_hits, max_count)

    def absent(
        self, texts: Iterable[bytes], *, min_units: int = MIN_UNITS
    ) -> list[tuple[int, SpanMatch]]:
        """Trace texts that should be gone: number of the text and span for each that is still there.

        Shorter texts are looked for whole. An empty result says that no window of `min_units` units
        of any of them is in a live document.
        """
        reader = self._reader()
        return [
            (number, match)
            for number, text in enumerate(texts)
            for match in reader.trace(text, min_units, 1, None, shorter=True)
        ]

    def tombstone(self, doc_ids: Collection[str]) -> int:
        """Take documents out of all answers at once; give how many were live."""
        from storage.spans import writer

        with self._locked():
            return writer.tombstone(self.folder, doc_ids)

    def compact(self, *, purge: bool = False) -> SpanReport:
        """Drop dead documents where they are many, and join small segments.

        With purge every dead document is dropped: afterwards nothing of it is in any file.
        """
        from storage.spans import writer

        with self._locked():
            return writer.compact(self.folder, purge, self.segment_units)

    def has(self, doc_id: str) -> bool:
        """Say whether a document is live."""
        return doc_id in self.live()

    def live(self) -> frozenset[str]:
        """Give the live documents."""
        return frozenset(self.documents())

    def documents(self) -> list[str]:
        """Give the live documents in the order in which they were added."""
        return [name for names in self.documents_by_segment().values() for name in names]

    def documents_by_segment(self) -> dict[str, list[str]]:
        """Give the live documents of each live segment."""
        return documents_by_segment(self.folder)

    def segments(self) -> tuple[Entry, ...]:
        """Give the live segments: name, run, sizes, dead documents."""
        return self._manifest().entries

    def n_bytes(self) -> int:
        """Count the bytes of all files of the live segments."""
        return sum(entry.file_bytes for entry in self.segments())

    def n_units(self) -> int:
        """Count the units of all segments, dead documents included."""
        return sum(entry.units for entry in self.segments())

    def n_documents(self) -> int:
        """Count the live documents."""
        return sum(entry.documents - len(entry.dead) for entry in self.segments())

    def verify(self) -> list[Problem]:
        """Hash everything that the manifest names and say what differs."""
        from storage.spans.reader import check_rule
        from storage.spans.segment import check_segment

        manifest = self._manifest()
        problems = check_rule(self.folder, manifest.rule) if manifest.rule else []
        for entry in manifest.entries:
            problems += check_segment(self.folder / entry.name, entry.sha256)
        return problems

    def _manifest(self) -> Manifest:
        return read_manifest(self.folder)

    def _reader(self) -> "Reader":
        from storage.spans.reader import open_reader

        return open_reader(self.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock", timeout=LOCK_TIMEOUT_S)
        try:
            lock.acquire()
        except Timeout as error:
            raise UnavailableError(
                f"another writer held the lock for {LOCK_TIMEOUT_S:.0f} s",
                item=str(self.folder),
                way_out="Try again when it has finished",
            ) from error
        try:
            yield
        finally:
            lock.release()
