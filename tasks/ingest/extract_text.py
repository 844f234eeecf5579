"""Plain text, Markdown and reStructuredText: the text is the file itself, plus an outline."""

import re
from collections.abc import Iterator, Sequence

from storage.records import Extraction, Heading, Origin
from tasks.ingest.decode import decode, is_exact
from tasks.ingest.fields import clean
from tasks.ingest.formats import MARKDOWN, REST

MAX_TITLE_CHARACTERS = 300

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NOT_PARAGRAPH = re.compile(r" {4}|\t| {0,3}(?:[>#|]|[-*+][ \t]|\d{1,9}[.)][ \t]|<!--)")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*$")

Line = tuple[int, str]
"""Character offset and text of a line without its end."""


def extract_text(data: bytes, mime: str) -> Extraction:
    """Decode a text file; the outline is that of its markup."""
    text, encoding = decode(data)
    origin: Origin = "extracted"
    if encoding == "utf-8":
        origin = "identity"
    elif is_exact(data, text, encoding):
        origin = "recoded"
    outline = outline_of(text, mime)
    title = outline[0].title if outline else ""
    return Extraction(text=text, origin=origin, encoding=encoding, outline=outline, title=title)


def outline_of(text: str, mime: str) -> tuple[Heading, ...]:
    """Find the headings of Markdown or reStructuredText; other text has none."""
    lines = _lines(text)
    if mime == MARKDOWN:
        found = list(_markdown(lines))
    elif mime == REST:
        found = list(_rest(lines))
    else:
        return ()
    return tuple(_in_bytes(text, found))


def _lines(text: str) -> list[Line]:
    lines = []
    at = 0
    for line in text.split("\n"):
        lines.append((at, line.removesuffix("\r")))
        at += len(line) + 1
    return lines


def _in_bytes(text: str, found: Sequence[tuple[int, int, str]]) -> Iterator[Heading]:
    at, size = 0, 0
    for start, level, title in found:
        size += len(text[at:start].encode())
        at = start
        yield Heading(start=size, level=level, title=clean(title)[:MAX_TITLE_CHARACTERS])


def _markdown(lines: Sequence[Line]) -> Iterator[tuple[int, int, str]]:
    """Yield ATX and setext headings outside fenced code and front matter."""
    fence = ""
    paragraph: list[Line] = []
    for start, line in lines[_front_matter(lines) :]:
        mark = _FENCE.match(line)
        if fence:
            closes = mark is not None and mark[1].startswith(fence)
            fence = "" if closes and not line.strip(" `~\t") else fence
            continue
        if mark and not ("`" in mark[1] and "`" in line[mark.end() :]):
            fence, paragraph = mark[1], []
            continue
        heading = _markdown_heading(start, line, paragraph)
        if heading:
            yield heading
        continues = line.strip() and not heading and (paragraph or not _NOT_PARAGRAPH.match(line))
        paragraph = [*paragraph[-20:], (start, line)] if continues else []


def _markdown_heading(
    start: int, line: str, paragraph: Sequence[Line]
) -> tuple[int, int, str] | None:
    atx = _ATX.match(line)
    if atx:
        return start, len(atx[1]), atx[2] or ""
    setext = _SETEXT.match(line)
    if setext and paragraph:
        title = " ".join(text.strip() for _, text in paragraph)
        return paragraph[0][0], 1 if setext[1][0] == "=" else 2, title
    return None


def _front_matter(lines: Sequence[Line]) -> int:
    if not lines or lines[0][1].rstrip() != "---":
        return 0
    for index, (_, line) in enumerate(lines[1:200], start=2):
        if line.rstrip() in {"---", "..."}:
            return index
    return 0


def _rest(lines: Sequence[Line]) -> Iterator[tuple[int, int, str]]:
    """Yield underlined titles; a style's level is the order in which it first appears."""
    styles: list[str] = []
    index = 0
    while index < len(lines):
        title = _rest_title(lines, index)
        if title is None:
            index += 1
            continue
        style, row, height = title
        if style not in styles:
            styles.append(style)
        yield lines[index][0], styles.index(style) + 1, lines[row][1].strip()
        index += height


def _rest_title(lines: Sequence[Line], index: int) -> tuple[str, int, int] | None:
    """Return (style, row of the title, rows it takes) when a title starts at this row."""
    line = lines[index][1]
    if _ADORNMENT.match(line) and index + 2 < len(lines):
        title, under = lines[index + 1][1], lines[index + 2][1]
        same = under.rstrip() == line.rstrip()
        if same and title.strip() and not _ADORNMENT.match(title) and _covers(line, title):
            return line[0] * 2, index + 1, 3
    if not line.strip() or line[0].isspace() or _ADORNMENT.match(line):
        return None
    if index + 1 < len(lines) and _starts_block(lines, index):
        under = lines[index + 1][1]
        if _ADORNMENT.match(under) and _covers(under, line):
            return under[0], index, 2
    return None


def _starts_block(lines: Sequence[Line], index: int) -> bool:
    return index == 0 or not lines[index - 1][1].strip() or lines[index - 1][1].startswith("..")


def _covers(adornment: str, title: str) -> bool:
    length = len(adornment.rstrip())
    return length >= min(len(title.strip()), 4) and length >= 2 and length >= len(title.strip()) - 2
