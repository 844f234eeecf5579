"""Public docstrings of a Python module, with an exact byte map.

Each block is the source's own line or lines of `def` or `class`, a blank line, and the docstring
without its indentation: copied bytes, and white space between them.
"""

import ast
import re
from collections.abc import Iterator

from storage.records import Extraction, Heading
from tasks.ingest.decode import is_exact
from tasks.ingest.pieces import Piece, assemble

MAX_DEPTH = 8
"""Levels of classes within classes that are followed."""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_LITERAL = re.compile(r"[rRuUbB]{0,2}(\"\"\"|'''|\"|')")
_LINE_END = re.compile(r"\r\n|\r|\n")
_INDENT = re.compile(r"[ \t]*")
_TESTS = re.compile(r"(?:tests?|testing|conftest|test_.*|.*_test)")


def extract_docstrings(data: bytes, module: str) -> Extraction:
    """Extract a module's public docstrings; no text when it has none or is not valid Python."""
    source, tree = _parse(data)
    if tree is None:
        return Extraction(text="", origin="mapped")
    builder = _Builder(source)
    builder.block(tree, module, 1)
    for node, name, level in _public(tree.body, module, 2):
        builder.block(node, name, level)
    text, runs, starts = assemble(source, builder.pieces, "utf-8")
    outline = tuple(
        Heading(start=starts[piece], level=level, title=title)
        for piece, level, title in builder.headings
    )
    return Extraction(text=text, origin="mapped", runs=runs, outline=outline, title=module)


def is_public_path(parts: tuple[str, ...]) -> bool:
    """Say whether a module path holds neither private parts nor tests."""
    return not any(
        (part.startswith("_") and part != "__init__") or _TESTS.fullmatch(part) for part in parts
    )


def _parse(data: bytes) -> tuple[str, ast.Module | None]:
    """Parse UTF-8 source; a file in another encoding or for another Python gives nothing."""
    try:
        source = data.decode()
        if source.startswith("\ufeff") or not is_exact(data, source, "utf-8"):
            return "", None
        return source, ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "", None


def _public(
    body: list[ast.stmt], parent: str, level: int
) -> Iterator[tuple[_Definition, str, int]]:
    for node in body:
        if isinstance(node, _Definition) and not node.name.startswith("_"):
            name = f"{parent}.{node.name}"
            yield node, name, level
            if isinstance(node, ast.ClassDef) and level < MAX_DEPTH:
                yield from _public(node.body, name, level + 1)


class _Builder:
    """Collects pieces and headings in the order of the source."""

    def __init__(self, source: str) -> None:
        self.pieces: list[Piece] = []
        self.headings: list[tuple[int, int, str]] = []
        self._source = source
        self._ascii = source.isascii()
        self._lines = [0, *(end.end() for end in _LINE_END.finditer(source))]

    def block(self, node: ast.Module | _Definition, name: str, level: int) -> None:
        """Add the definition and docstring of a node that has one."""
        first = node.body[0] if node.body else None
        docstring = ast.get_docstring(node, clean=False)
        if not (isinstance(first, ast.Expr) and docstring and docstring.strip()):
            return
        start = self._offset(first.value.lineno, first.value.col_offset)
        end = self._offset(first.value.end_lineno or 0, first.value.end_col_offset or 0)
        if self.pieces:
            self._insert("\n\n", self.pieces[-1].end)
        self.headings.append((len(self.pieces), level, name))
        if not isinstance(node, ast.Module):
            self._header(self._offset(node.lineno, node.col_offset), start)
        self._docstring(start, end)
        self._trim()

    def _trim(self) -> None:
        """Take white space off the end of the text so far."""
        while self.pieces and not self.pieces[-1].text.strip():
            del self.pieces[-1]
        if self.pieces:
            last = self.pieces.pop()
            self._copy(last.start, last.start + len(last.text.rstrip()))

    def _header(self, start: int, end: int) -> None:
        header = self._source[start:end].rstrip()
        self.pieces.append(Piece("copy", start, start + len(header), header))
        self._insert("\n\n", start + len(header))

    def _docstring(self, start: int, end: int) -> None:
        """Copy what stands between the quotes, line by line without the common indentation."""
        opening = _LITERAL.match(self._source, start, end)
        if opening is None:  # in parentheses: keep the literal as it stands
            first, last = start, end
        else:
            first, last = opening.end(), end - len(opening[1])
        lines = list(self._split(first, last))
        indents = [_INDENT.match(self._source, a, b) for a, b in lines[1:]]
        common = min(
            (
                found.end() - a
                for (a, b), found in zip(lines[1:], indents, strict=True)
                if found and self._source[a:b].strip()
            ),
            default=0,
        )
        for number, (a, b) in enumerate(lines):
            self._line(a, b, common if number else 1 << 20, number == len(lines) - 1)

    def _split(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        at = start
        for found in _LINE_END.finditer(self._source, start, end):
            yield at, found.end()
            at = found.end()
        yield at, end

    def _line(self, start: int, end: int, indent: int, is_last: bool) -> None:
        """Copy a line without so much indentation, and without white space at its end."""
        found = _INDENT.match(self._source, start, end)
        begin = min(found.end() if found else start, start + indent)
        line = self._source[begin:end]
        if not line.strip():
            ending = _LINE_END.search(line)
            begun = bool(self.pieces) and self.pieces[-1].kind == "copy"
            if ending and begun and not is_last:
                self._copy(begin + ending.start(), begin + ending.end())
            return
        self._copy(begin, begin + len(line.rstrip() if is_last else line))

    def _copy(self, start: int, end: int) -> None:
        if start < end:
            self.pieces.append(Piece("copy", start, end, self._source[start:end]))

    def _insert(self, gap: str, at: int) -> None:
        self.pieces.append(Piece("inserted", at, at, gap))

    def _offset(self, line: int, column: int) -> int:
        """Turn ast's line and UTF-8 column into a character offset."""
        start = self._lines[line - 1]
        if self._ascii:
            return start + column
        return start + len(self._source[start : start + column].encode()[:column].decode())
