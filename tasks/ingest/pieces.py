"""Assemble extracted text from pieces of a source, with the byte map that goes with it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from storage.records import Run
from tasks.shared.layout import codec_of


class Piece(NamedTuple):
    """Text that stands for characters [start, end) of the decoded source."""

    kind: Literal["copy", "entity", "inserted"]
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
    starts: list[int] = []
    runs: list[list[int]] = []
    kinds: list[Literal["copy", "entity", "inserted"]] = []
    at, character, src = 0, 0, len(mark)
    for kind, start, end, text in pieces:
        starts.append(at)
        src += len(source[character:start].encode(codec))
        taken = len(source[start:end].encode(codec))
        size = len(text.encode())
        if kind == "copy" and kinds and kinds[-1] == "copy" and runs[-1][3] == src:
            runs[-1][1], runs[-1][3] = at + size, src + taken
        else:
            runs.append([at, at + size, src, src + taken])
            kinds.append(kind)
        at, character, src = at + size, end, src + taken
    return Assembly(
        text="".join(piece.text for piece in pieces),
        runs=tuple(
            Run(start=a, end=b, src_start=c, src_end=d, kind=kind)
            for (a, b, c, d), kind in zip(runs, kinds, strict=True)
        ),
        starts=tuple(starts),
    )
