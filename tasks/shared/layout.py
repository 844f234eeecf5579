"""The map from extracted text back to the original bytes: stored as a blob, and checked.

A layout says for each byte of a text where it came from. `check_range` trusts nothing: it compares
the bytes themselves, so that a changed original, a changed text or a changed layout is found.
"""

import codecs
import html
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from storage.errors import CorruptError
from storage.records import Extraction, Heading, Origin, Run

NO_MAP = "no byte map is possible for this format: offsets count in the stored text"
"""What check_range answers for origin "extracted"."""

MARKED = {
    "utf-8-sig": (codecs.BOM_UTF8, "utf-8"),
    "utf-16-le-sig": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "utf-16-be-sig": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "utf-32-le-sig": (codecs.BOM_UTF32_LE, "utf-32-le"),
    "utf-32-be-sig": (codecs.BOM_UTF32_BE, "utf-32-be"),
}
"""Encodings with a byte order mark: the mark, which is no part of the text, and the codec behind it."""

ANCHOR_CHARACTERS = 65_536
_ORIGINS: dict[str, Origin] = {origin: origin for origin in get_args(Origin)}
_KINDS = {"copy": "c", "entity": "e", "inserted": "i"}
_NAMES: dict[str, Literal["copy", "entity", "inserted"]] = {
    "c": "copy",
    "e": "entity",
    "i": "inserted",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What is known about a text besides its bytes."""

    origin: Origin
    encoding: str = "utf-8"
    runs: tuple[Run, ...] = ()
    outline: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()
    anchors: tuple[tuple[int, int], ...] = ()
    """For "recoded": pairs (byte of the text, byte of the original) at regular distances."""


def codec_of(encoding: str) -> tuple[bytes, str]:
    """Split an encoding name into its byte order mark (b"" for none) and Python's codec."""
    return MARKED.get(encoding, (b"", encoding))


def dump_layout(extraction: Extraction) -> bytes:
    """Write a layout as canonical JSON; equal extractions give equal bytes."""
    anchors = _anchors(extraction.text, extraction.encoding)
    value = {
        "anchors": list(anchors) if extraction.origin == "recoded" else [],
        "encoding": extraction.encoding,
        "kinds": "".join(_KINDS[run.kind] for run in extraction.runs),
        "origin": extraction.origin,
        "outline": [[head.start, head.level, head.title] for head in extraction.outline],
        "pages": list(extraction.pages),
        "sizes": _sizes(extraction.runs),
    }
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def load_layout(data: bytes) -> Layout:
    """Read a layout back; raise CorruptError when it is not one."""
    try:
        value = json.loads(data)
        codecs.lookup(codec_of(value["encoding"])[1])
        return Layout(
            origin=_ORIGINS[value["origin"]],
            encoding=value["encoding"],
            runs=tuple(_runs(value["kinds"], value["sizes"])),
            outline=tuple(Heading(start=s, level=n, title=t) for s, n, t in value["outline"]),
            pages=tuple(value["pages"]),
            anchors=tuple((int(a), int(b)) for a, b in value["anchors"]),
        )
    except (ValueError, KeyError, TypeError, LookupError) as error:
        raise CorruptError(
            f"not a layout: {error}", way_out="ingest the document again to rebuild it"
        ) from error


def source_range(
    text: bytes, layout: Layout | None, start: int, end: int
) -> tuple[int, int] | None:
    """Give the bytes of the original behind bytes [start, end) of the text.

    None for origin "extracted". White space that the extractor put in has no bytes of its own: a
    range of nothing else gives an empty range at the place. Offsets that lie outside the text, or
    inside a character of a recoded text, raise ValueError.
    """
    if not 0 <= start <= end <= len(text):
        raise ValueError(f"range [{start}, {end}) is outside the text of {len(text)} bytes")
    if layout is None or layout.origin == "identity":
        return start, end
    if layout.origin == "recoded":
        return _recoded(text, layout, start), _recoded(text, layout, end)
    if layout.origin == "mapped":
        return _mapped(text, layout, start, end)
    return None


def check_range(original: bytes, text: bytes, layout: Layout | None, start: int, end: int) -> str:
    """Return "" when bytes [start, end) of the text are proven to come from the original.

    Otherwise return the reason in words. Origin "extracted" cannot be proven and gives NO_MAP.
    """
    if not 0 <= start <= end <= len(text):
        return f"range [{start}, {end}) is outside the text of {len(text)} bytes"
    if layout is None or layout.origin == "identity":
        return _compare(original, text, start, end)
    if layout.origin == "extracted":
        return NO_MAP
    try:
        if layout.origin == "recoded":
            return _check_recoded(original, text, layout, start, end)
        return _check_runs(original, text, layout, start, end)
    except (ValueError, LookupError) as error:
        return str(error)


def _compare(original: bytes, text: bytes, start: int, end: int) -> str:
    if original[start:end] == text[start:end]:
        return ""
    return f"bytes [{start}, {end}) of the text differ from the original"


def _check_recoded(original: bytes, text: bytes, layout: Layout, start: int, end: int) -> str:
    mark, _ = codec_of(layout.encoding)
    if not original.startswith(mark):
        return f"the original does not start with the mark of {layout.encoding}"
    src_start, src_end = _recoded(text, layout, start), _recoded(text, layout, end)
    if original[src_start:src_end] == _encode(text[start:end], layout.encoding):
        return ""
    return f"bytes [{src_start}, {src_end}) of the original are not this text in {layout.encoding}"


def _check_runs(original: bytes, text: bytes, layout: Layout, start: int, end: int) -> str:
    position = start
    for run in _overlapping(layout.runs, start, end):
        if run.start > position:
            return f"no run covers byte {position} of the text"
        reason = _check_run(original, text, layout.encoding, run, (position, min(end, run.end)))
        if reason:
            return reason
        position = min(end, run.end)
    return "" if position == end else f"no run covers byte {position} of the text"


def _check_run(original: bytes, text: bytes, encoding: str, run: Run, part: tuple[int, int]) -> str:
    start, end = part
    if run.kind == "inserted":
        blank = not text[run.start : run.end].strip()
        return "" if blank else f"inserted bytes [{run.start}, {run.end}) are not white space"
    source = original[run.src_start : run.src_end]
    if run.kind == "entity":
        spelled = html.unescape(source.decode(codec_of(encoding)[1]))
        same = spelled.encode() == text[run.start : run.end]
        return "" if same else f"bytes [{run.src_start}, {run.src_end}) do not spell this character"
    src_start, src_end = _within_copy(text, encoding, run, start, end)
    wanted = _encode(text[start:end], encoding)
    if src_end <= run.src_end and original[src_start:src_end] == wanted:
        return ""
    return f"bytes [{src_start}, {src_end}) of the original differ from the text"


def _mapped(text: bytes, layout: Layout, start: int, end: int) -> tuple[int, int]:
    runs = [run for run in _overlapping(layout.runs, start, end) if run.kind != "inserted"]
    if not runs:
        place = next((run.src_start for run in _overlapping(layout.runs, start, start + 1)), 0)
        return place, place
    first, last = runs[0], runs[-1]
    src_start, src_end = first.src_start, last.src_end
    if first.kind == "copy":
        src_start, _ = _within_copy(text, layout.encoding, first, max(start, first.start), end)
    if last.kind == "copy":
        _, src_end = _within_copy(text, layout.encoding, last, last.start, min(end, last.end))
    return src_start, src_end


def _within_copy(text: bytes, encoding: str, run: Run, start: int, end: int) -> tuple[int, int]:
    if codec_of(encoding)[1] == "utf-8":
        return run.src_start + start - run.start, run.src_start + end - run.start
    src_start = run.src_start + len(_encode(text[run.start : start], encoding))
    return src_start, src_start + len(_encode(text[start : min(end, run.end)], encoding))


def _overlapping(runs: Sequence[Run], start: int, end: int) -> Iterator[Run]:
    index = max(bisect_right(runs, start, key=_run_start) - 1, 0)
    while index < len(runs) and runs[index].start < end:
        if runs[index].end > start:
            yield runs[index]
        index += 1


def _run_start(run: Run) -> int:
    return run.start


def _recoded(text: bytes, layout: Layout, offset: int) -> int:
    anchors = layout.anchors or ((0, len(codec_of(layout.encoding)[0])),)
    at, src = anchors[max(bisect_right(anchors, offset, key=_anchor_start) - 1, 0)]
    return src + len(_encode(text[at:offset], layout.encoding))


def _anchor_start(anchor: tuple[int, int]) -> int:
    return anchor[0]


def _encode(piece: bytes, encoding: str) -> bytes:
    codec = codec_of(encoding)[1]
    if codec == "utf-8":
        return piece
    return piece.decode().encode(codec)


def _anchors(text: str, encoding: str) -> Iterator[tuple[int, int]]:
    mark, codec = codec_of(encoding)
    at, src = 0, len(mark)
    for start in range(0, max(len(text), 1), ANCHOR_CHARACTERS):
        yield at, src
        piece = text[start : start + ANCHOR_CHARACTERS]
        at += len(piece.encode())
        src += len(piece.encode(codec))


def _sizes(runs: Sequence[Run]) -> list[int]:
    """Store per run: bytes of text, gap in the original before it, bytes of the original."""
    sizes: list[int] = []
    at, src = 0, 0
    for run in runs:
        if run.start != at:
            raise ValueError(f"runs do not tile the text: {at} is followed by {run.start}")
        sizes += (run.end - run.start, run.src_start - src, run.src_end - run.src_start)
        at, src = run.end, run.src_end
    return sizes


def _runs(kinds: str, sizes: Sequence[int]) -> Iterator[Run]:
    if len(sizes) != 3 * len(kinds) or any(a < 0 for a in sizes[::3]):
        raise ValueError("sizes do not fit the kinds of runs")
    at, src = 0, 0
    for kind, index in zip(kinds, range(0, len(sizes), 3), strict=True):
        length, gap, taken = sizes[index : index + 3]
        src += gap
        yield Run(
            start=at,
            end=at + length,
            src_start=src,
            src_end=src + taken,
            kind=_NAMES[kind],
        )
        at, src = at + length, src + taken


def tiles(runs: Sequence[Run], length: int) -> bool:
    """Say whether runs cover a text of so many bytes without gap or overlap."""
    if not runs:
        return length == 0
    joined = all(left.end == right.start for left, right in pairwise(runs))
    return joined and runs[0].start == 0 and runs[-1].end == length
