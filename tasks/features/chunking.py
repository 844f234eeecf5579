"""Cut a text into passages along its structure: headings, blocks, sentences, then characters.

Laws: chunks are in order and disjoint; every byte that is not white space lies in exactly one;
no chunk begins or ends in white space or inside a character; the token and length limits hold
except for a single grapheme that exceeds them alone. Time is linear in the length of the text,
and blocks are counted in windows, so that memory stays a small multiple of the text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

import numpy as np

from storage.records import Heading
from tasks.features.blocks import Block, Span, cut_evenly, find_blocks, split_block

CHUNKER = "structure/1"
"""Name and version of this algorithm; enters the digest of every chunk set."""

CountTokens = Callable[[list[str]], list[int]]
Passage = tuple[int, int, tuple[str, ...], int]
"""Start and end in bytes, heading path, tokens."""

_WINDOW_CHARS = 1 << 18
"""Characters of blocks that are counted in one call."""
_SLACK = 1.1
"""Cut a little smaller than the limit, since pieces of equal length differ in tokens."""


@dataclass(frozen=True, kw_only=True)
class ChunkOptions:
    """Sizes of chunks."""

    target_tokens: int = 160
    """A chunk is closed once it has about this many."""
    max_tokens: int = 256
    """No chunk has more."""
    min_tokens: int = 24
    """A chunk with fewer goes on past a heading, if what follows fits."""
    max_chars: int = 4096
    """No chunk is longer, however few tokens the tokenizer makes of it."""

    def __post_init__(self) -> None:
        """Refuse sizes that contradict each other."""
        if not 0 <= self.min_tokens <= self.target_tokens <= self.max_tokens:
            raise ValueError(f"need 0 <= min <= target <= max tokens, got {self}")
        if self.target_tokens < 1 or self.max_chars < 1:
            raise ValueError(f"sizes must be positive, got {self}")

    def within(self, max_tokens: int) -> "ChunkOptions":
        """Lower the sizes to what an encoder can read without cutting."""
        return replace(
            self,
            min_tokens=min(self.min_tokens, max_tokens),
            target_tokens=min(self.target_tokens, max_tokens),
            max_tokens=min(self.max_tokens, max_tokens),
        )


@dataclass(frozen=True, slots=True)
class _Unit:
    """Something that is kept whole: char span, tokens, and the section it lies in."""

    start: int
    end: int
    num_tokens: int
    section: int


def chunk_text(
    text: str,
    outline: Sequence[Heading],
    count_tokens: CountTokens,
    options: ChunkOptions | None = None,
) -> list[Passage]:
    """Cut text into chunks; see the laws above. Offsets are bytes in UTF-8.

    `count_tokens` counts the tokens of each text alone; the tokens of a chunk are the sum over
    its units. Headings give the first byte of their section.
    """
    options = options or ChunkOptions()
    starts, paths = _sections(text, outline)
    units = _units(text, starts, count_tokens, options)
    to_bytes = _ByteCursor(text)
    return [
        (to_bytes(start), to_bytes(end), path, num_tokens)
        for start, end, path, num_tokens in _pack(units, paths, options)
    ]


def _sections(text: str, outline: Sequence[Heading]) -> tuple[list[int], list[tuple[str, ...]]]:
    """Give the first character of each section and its heading path; the first starts at 0."""
    headings = sorted(outline, key=lambda one: one.start)
    starts = [0, *_char_offsets(text, [heading.start for heading in headings])]
    paths: list[tuple[str, ...]] = [()]
    stack: list[Heading] = []
    for heading in headings:
        while stack and stack[-1].level >= heading.level:
            stack.pop()
        stack.append(heading)
        paths.append(tuple(one.title for one in stack))
    return starts, paths


def _units(
    text: str, starts: Sequence[int], count_tokens: CountTokens, options: ChunkOptions
) -> Iterator[_Unit]:
    """Yield units in order, each within the limits; those of one window are counted together."""
    ends = [*starts[1:], len(text)]
    window: list[tuple[Block, int]] = []
    num_chars = 0
    for section, (start, end) in enumerate(zip(starts, ends, strict=True)):
        for block in find_blocks(text, start, end):
            window.append((block, section))
            num_chars += block.end - block.start
            if num_chars >= _WINDOW_CHARS:
                yield from _fit_window(text, window, count_tokens, options)
                window, num_chars = [], 0
    yield from _fit_window(text, window, count_tokens, options)


def _fit_window(
    text: str,
    window: Sequence[tuple[Block, int]],
    count_tokens: CountTokens,
    options: ChunkOptions,
) -> Iterator[_Unit]:
    """Count blocks; split those over a limit to sentences or lines, those to equal pieces."""
    blocks = [(block.start, block.end) for block, _ in window]
    counts = _count(text, blocks, count_tokens, options)
    too_big = [index for index, number in enumerate(counts) if number > options.max_tokens]
    parts = {index: split_block(text, window[index][0]) for index in too_big}
    flat = [span for spans in parts.values() for span in spans]
    fitted = iter(_fit_spans(text, flat, count_tokens, options))
    for index, (block, section) in enumerate(window):
        if index not in parts:
            yield _Unit(block.start, block.end, counts[index], section)
            continue
        for _ in parts[index]:
            yield from (_Unit(*span, number, section) for span, number in next(fitted))


def _fit_spans(
    text: str, spans: Sequence[Span], count_tokens: CountTokens, options: ChunkOptions
) -> list[list[tuple[Span, int]]]:
    """Replace each span by pieces within the limits, cutting ever smaller until they fit."""
    done: list[list[tuple[Span, int]]] = [[] for _ in spans]
    todo = list(enumerate(spans))
    while todo:
        counts = _count(text, [span for _, span in todo], count_tokens, options)
        again: list[tuple[int, Span]] = []
        for (index, span), number in zip(todo, counts, strict=True):
            pieces = _pieces(text, span, number, options)
            if len(pieces) < 2:
                done[index].append((span, number))
            else:
                again += [(index, piece) for piece in pieces]
        todo = again
    return [sorted(pieces) for pieces in done]


def _pieces(text: str, span: Span, num_tokens: int, options: ChunkOptions) -> list[Span]:
    """Cut a span that exceeds a limit; one that fits, or cannot be cut, comes back alone."""
    if num_tokens <= options.max_tokens:
        return [span]
    by_chars = -(-(span[1] - span[0]) // options.max_chars)
    by_tokens = 1 + int(_SLACK * num_tokens / options.max_tokens)
    return cut_evenly(text, span, by_chars if by_chars > 1 else by_tokens)


def _count(
    text: str, spans: Sequence[Span], count_tokens: CountTokens, options: ChunkOptions
) -> list[int]:
    """Count tokens in calls of bounded size; a span over the length limit counts as too many."""
    counts = [options.max_tokens + 1] * len(spans)
    short = [i for i, (start, end) in enumerate(spans) if end - start <= options.max_chars]
    step = max(1, _WINDOW_CHARS // options.max_chars)
    for first in range(0, len(short), step):
        indexes = short[first : first + step]
        numbers = count_tokens([text[slice(*spans[index])] for index in indexes])
        for index, number in zip(indexes, numbers, strict=True):
            counts[index] = number
    return counts


def _pack(
    units: Iterable[_Unit], paths: Sequence[tuple[str, ...]], options: ChunkOptions
) -> Iterator[tuple[int, int, tuple[str, ...], int]]:
    """Join neighbouring units into chunks as char spans with heading path and tokens."""
    held: list[_Unit] = []
    for group in _group(units, options):
        if held and _is_tail(held, group, options):
            held = held + group
            continue
        if held:
            yield _close(held, paths)
        held = group
    if held:
        yield _close(held, paths)


def _group(units: Iterable[_Unit], options: ChunkOptions) -> Iterator[list[_Unit]]:
    """Fill groups of units in order."""
    pending: list[_Unit] = []
    num_tokens = 0
    for unit in units:
        if pending and not _joins(pending, num_tokens, unit, options):
            yield pending
            pending, num_tokens = [], 0
        pending.append(unit)
        num_tokens += unit.num_tokens
    if pending:
        yield pending


def _is_tail(group: Sequence[_Unit], after: Sequence[_Unit], options: ChunkOptions) -> bool:
    """Tell whether the second group is a short rest of the same section that still fits."""
    rest = sum(unit.num_tokens for unit in after)
    total = rest + sum(unit.num_tokens for unit in group)
    return (
        rest < options.min_tokens
        and group[-1].section == after[0].section == after[-1].section
        and total <= options.max_tokens
        and after[-1].end - group[0].start <= options.max_chars
    )


def _joins(pending: Sequence[_Unit], num_tokens: int, unit: _Unit, options: ChunkOptions) -> bool:
    """Decide whether the next unit belongs to the chunk under construction."""
    total = num_tokens + unit.num_tokens
    if total > options.max_tokens or unit.end - pending[0].start > options.max_chars:
        return False
    if unit.section != pending[-1].section:
        return num_tokens < options.min_tokens
    return total <= options.target_tokens or num_tokens < options.target_tokens // 2


def _close(
    group: Sequence[_Unit], paths: Sequence[tuple[str, ...]]
) -> tuple[int, int, tuple[str, ...], int]:
    sections = dict.fromkeys(unit.section for unit in group)
    path = _shared_path([paths[section] for section in sections])
    return group[0].start, group[-1].end, path, sum(unit.num_tokens for unit in group)


def _shared_path(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Give the deepest of nested sections; of siblings, what their paths have in common."""
    if all(deeper[: len(path)] == path for path, deeper in pairwise(paths)):
        return paths[-1]
    levels = takewhile(lambda titles: len(set(titles)) == 1, zip(*paths, strict=False))
    return tuple(titles[0] for titles in levels)


class _ByteCursor:
    """Converts ascending char offsets to byte offsets, one slice at a time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ascii = text.isascii()
        self._char = 0
        self._byte = 0

    def __call__(self, char: int) -> int:
        if self._ascii:
            return char
        self._byte += len(self._text[self._char : char].encode())
        self._char = char
        return self._byte


def _char_offsets(text: str, offsets: Sequence[int]) -> list[int]:
    """Convert ascending byte offsets to char offsets; one inside a character moves past it."""
    if text.isascii():
        return [min(offset, len(text)) for offset in offsets]
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    chars, num_chars, last = [], 0, 0
    for offset in offsets:
        num_chars += int(np.count_nonzero((data[last:offset] & 0xC0) != 0x80))
        chars.append(num_chars)
        last = max(last, offset)
    return chars
