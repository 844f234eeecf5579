"""Writing a span index, under its lock: add a segment, tombstone, compact."""

import shutil
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from storage.files import explained, sync_folder, write_atomic
from storage.spans.builder import MOST_BYTES, Builder, joined, thinned
from storage.spans.manifest import NAME, Entry, Manifest, read_manifest, write_manifest
from storage.spans.names import documents_by_segment
from storage.spans.reader import open_reader, read_rule, rule_name
from storage.spans.records import DEAD_SHARE, MOST_SEGMENTS, TIER, Passage, SpanReport
from storage.spans.segment import Segment, open_segment
from storage.spans.units import UnitRule, current_rule, scanner

_STAGING = ".staging-"


def add_segment(
    folder: Path, passages: Iterator[Passage], most_units: int, run_id: str
) -> tuple[str, bool]:
    """Fill one segment with passages that are not live yet; give its name and whether none is left."""
    manifest = read_manifest(folder)
    collect(folder, manifest)
    rule = _rule(folder, manifest)
    builder = Builder(scanner(rule), rule.digest)
    known = {name for names in documents_by_segment(folder).values() for name in names}
    done = False
    while not done and builder.size < most_units and builder.n_bytes < MOST_BYTES // 2:
        passage = next(passages, None)
        if passage is None:
            done = True
        elif passage.doc_id not in known:
            builder.add(passage.doc_id, passage.text)
            known.add(passage.doc_id)
    if not builder.n_documents:
        return "", done
    entry = publish(folder, builder.finish(), manifest.next_number, run_id)
    _replace(folder, manifest, (*manifest.entries, entry), rule.digest)
    return entry.name, done


def tombstone(folder: Path, doc_ids: Collection[str]) -> int:
    """Mark documents as dead in the manifest; give how many were live."""
    reader = open_reader(folder)
    gone, count, entries = frozenset(doc_ids), 0, []
    for entry, segment in zip(reader.manifest.entries, reader.segments, strict=True):
        found = {at for at, name in enumerate(segment.doc_ids) if name in gone} - set(entry.dead)
        count += len(found)
        dead = tuple(sorted(found.union(entry.dead))) if found else entry.dead
        entries.append(replace(entry, dead=dead))
    if count:
        write_manifest(folder, replace(reader.manifest, entries=tuple(entries)))
    return count


def compact(folder: Path, purge: bool, most_units: int) -> SpanReport:
    """Drop dead documents and join small segments; each step is a state of its own."""
    first = read_manifest(folder)
    collect(folder, first)
    manifest, purged = _purged(folder, first, purge)
    while run := _run_to_join(manifest.entries, most_units):
        manifest = _join(folder, manifest, run)
    return SpanReport(
        segments_before=len(first.entries),
        segments_after=len(manifest.entries),
        bytes_before=sum(entry.file_bytes for entry in first.entries),
        bytes_after=sum(entry.file_bytes for entry in manifest.entries),
        purged=purged,
    )


def publish(folder: Path, segment: Segment, number: int, run_id: str) -> Entry:
    """Write a segment beside the live ones; the manifest does not name it yet."""
    staged = folder / f"{_STAGING}{uuid.uuid4().hex}"
    with explained(str(staged)):
        staged.mkdir(parents=True)
        digest = segment.write(staged)
        name = f"{number:06}-{digest[:12]}"
        staged.replace(folder / name)
        sync_folder(folder)
        file_bytes = sum(path.stat().st_size for path in (folder / name).iterdir())
    return Entry(
        name=name,
        sha256=digest,
        run_id=run_id,
        documents=segment.n_documents,
        units=segment.n_units,
        text_bytes=int(segment.layout.bases[-1]),
        file_bytes=file_bytes,
    )


def collect(folder: Path, manifest: Manifest) -> None:
    """Delete the folders that the manifest does not name: what a killed write left."""
    named = {entry.name for entry in manifest.entries}
    for path in folder.iterdir():
        if path.is_dir() and path.name not in named:
            shutil.rmtree(path)
        elif path.name.startswith(f".{NAME}.") or path.name.startswith(".rule-"):
            path.unlink()


def _rule(folder: Path, manifest: Manifest) -> UnitRule:
    if manifest.rule:
        return read_rule(folder, manifest.rule)
    rule = current_rule()
    write_atomic(folder / rule_name(rule.digest), rule.to_bytes())
    return rule


def _replace(folder: Path, manifest: Manifest, entries: Sequence[Entry], rule: str) -> Manifest:
    """Publish the manifest with these segments, then delete the folders that it no longer names."""
    new = Manifest(rule, manifest.next_number + 1, tuple(entries))
    write_manifest(folder, new)
    collect(folder, new)
    return new


def _purged(folder: Path, manifest: Manifest, purge: bool) -> tuple[Manifest, int]:
    purged = 0
    for entry in manifest.entries:
        least = 0.0 if purge else DEAD_SHARE * entry.documents
        if not entry.dead or len(entry.dead) < least:
            continue
        purged += len(entry.dead)
        rest = []
        if len(entry.dead) < entry.documents:
            segment = thinned(open_segment(folder / entry.name, entry.sha256), entry.dead)
            rest = [publish(folder, segment, manifest.next_number, entry.run_id)]
        at = manifest.entries.index(entry)
        entries = (*manifest.entries[:at], *rest, *manifest.entries[at + 1 :])
        manifest = _replace(folder, manifest, entries, manifest.rule)
    return manifest, purged


def _run_to_join(entries: Sequence[Entry], most_units: int) -> range:
    """Choose neighbours: `TIER` of about one size, or the smallest pair where there are too many."""
    sizes = [max(1, entry.units) for entry in entries]
    for first in range(len(sizes) - TIER + 1):
        run = sizes[first : first + TIER]
        if max(run) <= TIER * min(run) and sum(run) <= most_units:
            return range(first, first + TIER)
    if len(sizes) <= MOST_SEGMENTS:
        return range(0)
    pairs = [(sizes[at] + sizes[at + 1], at) for at in range(len(sizes) - 1)]
    total, at = min(pairs)
    return range(at, at + 2) if total <= most_units else range(0)


def _join(folder: Path, manifest: Manifest, run: range) -> Manifest:
    chosen = manifest.entries[run.start : run.stop]
    segments = []
    for entry in chosen:
        segment = open_segment(folder / entry.name, entry.sha256)
        if len(entry.dead) < entry.documents:
            segments.append(thinned(segment, entry.dead) if entry.dead else segment)
    runs = ",".join(dict.fromkeys(entry.run_id for entry in chosen if entry.run_id))
    new = [publish(folder, joined(segments), manifest.next_number, runs)] if segments else []
    entries = (*manifest.entries[: run.start], *new, *manifest.entries[run.stop :])
    return _replace(folder, manifest, entries, manifest.rule)
