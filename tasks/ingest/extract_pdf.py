"""PDF to text, page by page; a PDF has no byte map, so offsets count in the stored text."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from storage.records import Extraction, Heading
from tasks.ingest.failures import ExtractError
from tasks.ingest.fields import clean

PAGE_GAP = "\n\n"
MEMORY_BYTES = 3 << 30
"""Address space of the process that reads a PDF."""

_CHILD = Path(__file__).with_name("pdf_child.py")
_DETAILS = {
    "pdf.encrypted": "the PDF asks for a password: save it without one",
    "pdf.too_large": "the PDF holds too much text: split it",
    "pdf.no_text": "the PDF holds pictures of pages and no text: run text recognition on it first",
}


def extract_pdf(data: bytes, timeout_s: float) -> Extraction:
    """Extract the text of all pages, in a process of its own with limits on time and memory."""
    result = _run_child(data, timeout_s)
    if "reason" in result:
        reason = str(result["reason"])
        broken = f"the PDF is cut or damaged ({result['detail']}): export or copy it again"
        raise ExtractError(reason, _DETAILS.get(reason, broken))
    pages: list[str] = result["pages"]
    if not any(pages):
        raise ExtractError("pdf.no_text", _DETAILS["pdf.no_text"])
    starts = _page_starts(pages)
    title = clean(result["title"])
    outline = tuple(
        Heading(start=starts[page], level=level, title=clean(text)[:300])
        for page, level, text in result["outline"]
        if page < len(starts)
    )
    return Extraction(
        text=PAGE_GAP.join(pages),
        origin="extracted",
        title=title,
        author=clean(result["author"]),
        outline=outline,
        pages=starts,
    )


def _page_starts(pages: list[str]) -> tuple[int, ...]:
    starts = [0]
    for page in pages[:-1]:
        starts.append(starts[-1] + len(page.encode()) + len(PAGE_GAP))
    return tuple(starts)


def _run_child(data: bytes, timeout_s: float) -> dict[str, Any]:
    limits = [str(MEMORY_BYTES), str(int(timeout_s) + 1)]
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD), *limits],
            input=data,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_slow(timeout_s) from error
    if done.returncode == -signal.SIGXCPU:
        raise _too_slow(timeout_s)
    if done.returncode != 0:
        raise ExtractError(
            "pdf.broken", f"the PDF stopped its reader (exit {done.returncode}): export it again"
        )
    return json.loads(done.stdout)


def _too_slow(timeout_s: float) -> ExtractError:
    return ExtractError(
        "pdf.too_slow", f"reading took more than {timeout_s:.0f} s: simplify or split the PDF"
    )
