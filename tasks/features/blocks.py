"""Find the blocks of a text (paragraphs, list items, code, tables) and cut what is too big."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tasks.shared.text import sentences

Span = tuple[int, int]
"""Start and end in characters."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(r"[ \t]*+(`{3,}+|~{3,}+)([^\n]*)")
_ITEM = re.compile(
    r"[ \t]*+(?:[-*+•]|\d{1,3}[.)]|[一二三四五六七八九十]{1,3}、)[ \t　]*+[^\s\d*+-]"
)
_BY_LINES = re.compile(r"(?: {4}|\t|[ ]{0,3}(?:>>>|\||\$ ))")
_SENTENCE_END = re.compile(r"[.!?。！？…:：][\"'”’)\]」』）]*\s*$")
_CLAUSE_END = frozenset(",;:，；：、)）]」")

_LONG_BLOCK = 1 << 15
"""Characters after which a block ends with the next line that ends a sentence; twice: any line."""
_MAX_GRAPHEME = 32
"""Characters to look around for the edge of a grapheme; one of twice the length is cut."""
_MAX_SHIFT = 64
"""Characters that a cut may move to reach white space or the end of a clause."""


@dataclass(frozen=True, slots=True)
class Block:
    """Char span without white space at its edges; code and tables split by lines."""

    start: int
    end: int
    by_lines: bool


def find_blocks(text: str, start: int, end: int) -> Iterator[Block]:
    """Yield the blocks of text[start:end] in order; together they hold all that is visible."""
    first, by_lines, fence = start, False, ""
    for match in _LINE.finditer(text, start, end):
        line = match.group()
        if fence:
            if _closes(line, fence):
                yield from _block(text, first, match.end(), by_lines=True)
                first, by_lines, fence = match.end(), False, ""
            continue
        fence = _opened_fence(line)
        if fence or _ITEM.match(line):
            yield from _block(text, first, match.start(), by_lines=by_lines)
            first = match.start()
        if first == match.start():
            by_lines = bool(_BY_LINES.match(line))
        if not line.strip() or (not fence and _is_long(line, match.end() - first)):
            yield from _block(text, first, match.end(), by_lines=by_lines)
            first = match.end()
    yield from _block(text, first, end, by_lines=by_lines or bool(fence))


def split_block(text: str, block: Block) -> list[Span]:
    """Split a block into its sentences, or into lines if it is code or a table."""
    if not block.by_lines:
        body = text[block.start : block.end]
        return [(block.start + a, block.start + b) for a, b in sentences(body)]
    lines = _LINE.finditer(text, block.start, block.end)
    spans = (trim(text, line.start(), line.end()) for line in lines)
    return [(start, end) for start, end in spans if start < end]


def cut_evenly(text: str, span: Span, num_pieces: int) -> list[Span]:
    """Cut a span into about equal pieces at white space, else between clauses, else graphemes.

    Returns the span alone when it is a single grapheme; else at least two pieces.
    """
    start, end = span
    size = (end - start) / num_pieces
    reach = max(_MAX_GRAPHEME, min(_MAX_SHIFT, int(size / 4)))
    cuts = {_best_cut(text, start + round(size * i), span, reach) for i in range(1, num_pieces)}
    edges = [start, *sorted(cuts - {start, end}), end]
    spans = (trim(text, a, b) for a, b in pairwise(edges))
    return [(a, b) for a, b in spans if a < b]


def trim(text: str, start: int, end: int) -> Span:
    """Shrink a span to what is visible in it; an empty span when nothing is."""
    body = text[start:end]
    stripped = body.lstrip()
    first = end - len(stripped)
    return first, first + len(stripped.rstrip())


def _block(text: str, start: int, end: int, *, by_lines: bool) -> Iterator[Block]:
    start, end = trim(text, start, end)
    if start < end:
        yield Block(start, end, by_lines)


def _opened_fence(line: str) -> str:
    """Give the fence that a line opens, or ""."""
    match = _FENCE.match(line)
    if not match or (match[1][0] == "`" and "`" in match[2]):
        return ""
    return match[1]


def _closes(line: str, fence: str) -> bool:
    mark = line.strip()
    return mark.startswith(fence) and not mark.strip(fence[0])


def _is_long(line: str, num_chars: int) -> bool:
    if num_chars < _LONG_BLOCK:
        return False
    return num_chars >= 2 * _LONG_BLOCK or bool(_SENTENCE_END.search(line[-16:]))


def _best_cut(text: str, near: int, span: Span, reach: int) -> int:
    """Find the best place to cut around a position; the end of the span if there is none."""
    start, end = span
    near = min(max(near, start + 1), end - 1)
    candidates = range(max(start + 1, near - reach), min(end, near + reach + 1))
    by_distance = sorted(candidates, key=lambda at: abs(at - near))
    whole = [at for at in by_distance if not _extends(text, at)]
    for good in (str.isspace, _CLAUSE_END.__contains__):
        for at in whole:
            if good(text[at - 1]):
                return at
    if whole:
        return whole[0]
    return near if end - start > 2 * _MAX_GRAPHEME else end


def _extends(text: str, at: int) -> bool:
    """Tell whether the character at a position belongs to the grapheme before it."""
    before, after = text[at - 1], text[at]
    if before < "\u0300" and after < "\u0300":
        return False
    return (
        unicodedata.category(after)[0] == "M"
        or "\u200d" in {before, after}
        or "\u1160" <= after <= "\u11ff"  # vowels and finals of Hangul syllables
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or ("\U0001f1e6" <= before <= "\U0001f1ff" and "\U0001f1e6" <= after <= "\U0001f1ff")
    )
