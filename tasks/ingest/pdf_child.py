"""Read one PDF from standard input in a process of its own; write JSON to standard output.

Run by extract_pdf as a script, so that a hostile file can cost one process its time and memory
but not the worker. It imports nothing of this project. Exit code 0 with {"reason", "detail"} for
a file that cannot be used.
"""

import io
import json
import logging
import re
import resource
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

MAX_PAGES = 5_000
MAX_TEXT_CHARACTERS = 200_000_000
_SURROGATES = re.compile(r"[\ud800-\udfff\x00]")


def main() -> None:
    """Extract and print; anything that goes wrong in the PDF library is a broken file."""
    memory_bytes, cpu_s = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    logging.disable(logging.CRITICAL)
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        result = _read(PdfReader(io.BytesIO(sys.stdin.buffer.read())))
    except (
        PyPdfError, ArithmeticError, AttributeError, LookupError, MemoryError, OSError,
        RecursionError, RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        result = {"reason": "pdf.broken", "detail": f"{type(error).__name__}: {str(error)[:200]}"}
    sys.stdout.write(json.dumps(result))


def _read(reader: Any) -> dict[str, object]:
    if reader.is_encrypted and not reader.decrypt(""):
        return {"reason": "pdf.encrypted", "detail": ""}
    pages: list[str] = []
    size = 0
    for page in reader.pages[:MAX_PAGES]:
        pages.append(_SURROGATES.sub("\ufffd", page.extract_text() or "").strip())
        size += len(pages[-1])
        if size > MAX_TEXT_CHARACTERS:
            return {"reason": "pdf.too_large", "detail": ""}
    facts = reader.metadata or {}
    return {
        "pages": pages,
        "title": _clean(facts.get("/Title")),
        "author": _clean(facts.get("/Author")),
        "outline": _outline(reader),
    }


def _clean(value: object) -> str:
    return _SURROGATES.sub("", str(value)) if value else ""


def _outline(reader: Any) -> list[tuple[int, int, str]]:
    """Flatten the bookmarks to (page, level, title); a damaged outline is no outline."""
    try:
        found = islice(_bookmarks(reader, reader.outline, 1), MAX_PAGES)
        return sorted(found, key=lambda bookmark: bookmark[0])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return []


def _bookmarks(reader: Any, entries: Any, level: int) -> Iterator[tuple[int, int, str]]:
    for entry in entries:
        if isinstance(entry, list):
            yield from _bookmarks(reader, entry, level + 1)
            continue
        page = reader.get_destination_page_number(entry)
        if page is not None and page >= 0:
            yield page, level, _clean(entry.title)


if __name__ == "__main__":
    main()
