"""Assemble extracted text from pieces of a source, with the byte map that goes with it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from storage.records import Run
from tasks.shared.layout import codec_of

Kind = Literal["copy", "entity", "inserted"]
_OpenRun = tuple[int, int, int, int, Kind]


class Piece(NamedTuple):
    """Text that stands for characters [start, end) of the decoded source."""

    kind: Kind
    start: int
    end: int
    text: str


class Assembly(NamedTuple):
    """The text, its runs, and the byte offset in the text at which each piece starts."""

    text: str
    runs: tuple[Run, ...]
    starts: tuple[int, ...]


def assemble(source: str, pieces: Sequence[Piece], encoding: str) -> Assembly:
    """Join pieces, which are in the order of the source, and count bytes instead of characters."""
    mark, codec = codec_of(encoding)
    one_byte = source.isascii() and len("a".encode(codec)) == 1
    starts: list[int] = []
    runs: list[_OpenRun] = []
    at, character, src = 0, 0, len(mark)
    for kind, start, end, text in pieces:
        starts.append(at)
        if one_byte:
            src, taken = len(mark) + start, end - start
        else:
            src += len(source[character:start].encode(codec))
            taken = len(source[start:end].encode(codec))
        size = len(text) if text.isascii() else len(text.encode())
        last = runs[-1] if runs else None
        if last and kind == last[4] == "copy" and last[3] == src:
            runs[-1] = (last[0], at + size, last[2], src + taken, kind)
        else:
            runs.append((at, at + size, src, src + taken, kind))
        at, character, src = at + size, end, src + taken
    return Assembly(
        text="".join(piece.text for piece in pieces),
        runs=tuple(Run(start=a, end=b, src_start=c, src_end=d, kind=e) for a, b, c, d, e in runs),
        starts=tuple(starts),
    )
