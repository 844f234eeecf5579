"""HTML to text with an exact byte map: a scan over the source, with no tree.

Every piece of the text is copied from the source, decoded from a character reference, or white
space between blocks. Broken markup cannot fail: what is no tag is text.
"""

import html
import re
from functools import lru_cache

from storage.records import Extraction, Heading
from tasks.ingest.decode import decode, is_exact
from tasks.ingest.failures import ExtractError
from tasks.ingest.fields import clean
from tasks.ingest.pieces import Piece, assemble

MAX_TITLE_CHARACTERS = 300
MAX_TAGS = 1_500_000
"""A tag costs about 500 bytes while a page is read."""

HEAD_BYTES = 4_096

_START = re.compile(r"<(?:!--|[!?]|/?[a-zA-Z])")
_TAG = re.compile(
    r"""<(/?)([a-zA-Z][^\s/>]*+)((?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')|=)*+)>""", re.ASCII
)
_PLAIN_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)([^>]*+)>", re.ASCII)
_SPECIAL = re.compile(
    r"([ \t\n\r\f]{2,})|(&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[a-zA-Z][a-zA-Z0-9]{0,31});?)",
    re.ASCII,
)
_REFERENCE = re.compile(r"(&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[a-zA-Z][a-zA-Z0-9]{0,31});?)")
_SPACE = " \t\n\r\f"
_LEADING = re.compile(rf"[{_SPACE}]+")
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)

_HIDDEN = frozenset({"script", "style", "nav", "template", "noscript", "svg", "iframe", "object"})
_RAW = frozenset({"script", "style", "iframe"})
_LINES = frozenset({"br", "li", "dt", "dd", "tr", "option", "legend", "caption", "thead", "tbody"})
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "details", "dialog", "div", "dl",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "header", "hgroup", "hr", "html", "main", "menu", "ol", "p", "pre", "section", "summary",
    "table", "textarea", "tfoot", "title", "ul",
})  # fmt: skip
_GAPS = {
    **dict.fromkeys(_CELLS, "\t"),
    **dict.fromkeys(_LINES, "\n"),
    **dict.fromkeys(_BLOCKS, "\n\n"),
}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def extract_html(data: bytes) -> Extraction:
    """Extract the readable text of a page, its outline and its title."""
    declared = _CHARSET.search(data, 0, HEAD_BYTES)
    source, encoding = decode(data, declared[1].decode("ascii", "ignore") if declared else "")
    if source.count("<") > MAX_TAGS:
        raise ExtractError("html.too_many_tags", f"more than {MAX_TAGS} tags: split the page")
    page = _Page(source)
    page.scan()
    if not is_exact(data, source, encoding):
        text, _, starts = assemble(source, page.pieces, "utf-8")
        return Extraction(
            text=text, origin="extracted", outline=page.outline(starts), title=page.title
        )
    text, runs, starts = assemble(source, page.pieces, encoding)
    return Extraction(
        text=text,
        origin="mapped",
        encoding=encoding,
        runs=runs,
        outline=page.outline(starts),
        title=page.title,
    )


class _Page:
    """One pass over the source; `pieces` is the result."""

    def __init__(self, source: str) -> None:
        self.pieces: list[Piece] = []
        self.title = ""
        self._source = source
        self._gap = ""
        self._blank = True
        self._preformatted = 0
        self._heading: tuple[int, int] | None = None
        self._headings: list[tuple[int, int, str]] = []
        self._last_tag_end = source.rfind(">")
        self._quotes = True
        self._comments = True
        self._never_closed: set[str] = set()

    def scan(self) -> None:
        """Walk from tag to tag."""
        at = 0
        while True:
            found = _START.search(self._source, at)
            if found is None or found.start() > self._last_tag_end:
                self._text(at, len(self._source) if found is None else found.start())
                break
            self._text(at, found.start())
            at = self._markup(found.start(), found[0])
        self._end_heading()
        self._trim()

    def outline(self, starts: tuple[int, ...]) -> tuple[Heading, ...]:
        """Give the headings at the offsets of their first pieces."""
        return tuple(
            Heading(start=starts[piece], level=level, title=title)
            for piece, level, title in self._headings
        )

    def _markup(self, at: int, opening: str) -> int:
        """Consume the tag, comment or declaration that starts here; return where it ends."""
        if opening == "<!--":
            return self._after_comment(at)
        if opening[1] in "!?":
            return self._source.find(">", at) + 1
        tag = _TAG.match(self._source, at) if self._quotes else None
        if tag is None:
            self._quotes = False  # a quote that never closes: from here on only ">" ends a tag
            tag = _PLAIN_TAG.match(self._source, at)
        if tag is None:
            return at + 1
        name = tag[2].lower()
        if tag[1]:
            self._close(name)
            return tag.end()
        return self._open(name, tag[3], tag.end())

    def _after_comment(self, at: int) -> int:
        end = self._source.find("-->", at + 2) if self._comments else -1
        if end >= 0:
            return end + 3
        self._comments = False
        return self._source.find(">", at) + 1

    def _open(self, name: str, attributes: str, end: int) -> int:
        hidden = name in _HIDDEN or ('"navigation"' in attributes and "role" in attributes)
        if (hidden or name == "title") and not attributes.endswith("/"):
            close = self._find_close(name, end)
            if name == "title" and not self.title:
                inner = html.unescape(self._source[end : close[0]])
                self.title = clean(" ".join(inner.split()))[:MAX_TITLE_CHARACTERS]
            if close[1] > end:
                self._want_gap(name)
                return close[1]
        self._want_gap(name)
        if name == "pre":
            self._preformatted += 1
        if name in _HEADINGS:
            self._end_heading()
            self._heading = (-1, _HEADINGS[name])
        return end

    def _close(self, name: str) -> None:
        if name in _HEADINGS:
            self._end_heading()
        if name == "pre":
            self._preformatted = max(self._preformatted - 1, 0)
        self._want_gap(name)

    def _find_close(self, name: str, at: int) -> tuple[int, int]:
        """Find (start, end) of the closing tag; (at, at) when there is none."""
        if name in self._never_closed:
            return at, at
        depth = 1
        for tag in _tags_named(name).finditer(self._source, at):
            if name not in _RAW and not tag[1]:
                depth += 1
            elif tag[1]:
                depth -= 1
            if depth == 0:
                end = self._source.find(">", tag.end() - 1)
                return tag.start(), end + 1 if end >= 0 else len(self._source)
        if name in _RAW:
            return len(self._source), len(self._source)
        self._never_closed.add(name)
        return at, at

    def _want_gap(self, name: str) -> None:
        wanted = _GAPS.get(name, "")
        if len(wanted) > len(self._gap) or (wanted == "\n" and self._gap == "\t"):
            self._gap = wanted

    def _text(self, start: int, end: int) -> None:
        source = self._source
        if (self._gap or self._blank) and not self._preformatted:
            leading = _LEADING.match(source, start, end)
            start = leading.end() if leading else start
        if start >= end:
            return
        if self._gap:
            self._insert_gap(start)
        if self._heading and self._heading[0] < 0:
            self._heading = (len(self.pieces), self._heading[1])
        special = _REFERENCE if self._preformatted else _SPECIAL
        while found := special.search(source, start, end):
            self._copy(start, found.start())
            self._special(found)
            start = found.end()
        self._copy(start, end)
        self._blank = self.pieces[-1].text[-1:] in _SPACE if self.pieces else True

    def _special(self, found: re.Match[str]) -> None:
        """Keep one character of white space, its line break if it has one; decode a reference."""
        if found[0][0] != "&":
            newline = found[0].find("\n")
            kept = found.start() + max(newline, 0)
            self._copy(kept, kept + 1)
            return
        decoded = html.unescape(found[0])
        if decoded == found[0]:
            self._copy(found.start(), found.end())
        elif decoded:
            self.pieces.append(Piece("entity", found.start(), found.end(), decoded))

    def _copy(self, start: int, end: int) -> None:
        if start < end:
            self.pieces.append(Piece("copy", start, end, self._source[start:end]))

    def _insert_gap(self, at: int) -> None:
        self._trim()
        if self.pieces:
            self.pieces.append(Piece("inserted", at, at, self._gap))
        self._gap = ""

    def _trim(self) -> None:
        """Take white space off the end of the text so far."""
        while self.pieces:
            last = self.pieces[-1]
            kept = last.text.rstrip(_SPACE)
            if kept == last.text or last.kind == "entity":
                return
            del self.pieces[-1]
            if kept:
                self._copy(last.start, last.start + len(kept))

    def _end_heading(self) -> None:
        if self._heading and 0 <= self._heading[0] < len(self.pieces):
            first, level = self._heading
            words = "".join(piece.text for piece in self.pieces[first:]).split()
            if words:
                title = clean(" ".join(words))[:MAX_TITLE_CHARACTERS]
                self._headings.append((first, level, title))
        self._heading = None


@lru_cache(maxsize=64)
def _tags_named(name: str) -> re.Pattern[str]:
    return re.compile(rf"<(/?){re.escape(name)}(?=[\s/>])", re.IGNORECASE)
