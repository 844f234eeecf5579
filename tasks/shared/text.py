"""Sentences, search terms and byte offsets of English and Chinese text.

Everything here takes time linear in the length of the text, whatever the text is.
"""

import re
import threading
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import Stemmer

ANALYSER = "words+stem(en)+cjk12/1"
"""Name and version of `analyse`; enters the digest of everything counted with it."""

_CJK = (
    "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f"
)
_CLOSERS = "\"'”’»)\\]}」』】》〉）］"
_BREAK = re.compile(
    # a heading line, or a line that underlines one
    r"(?m:^\#{1,6}[ \t][^\n]*+\n)"
    r"|\n[=~^*-]{3,}+[ \t]*+(?=\n)"
    # a blank line, or a line break before a list item, table row, prompt, directive or fence
    r"|\n(?=[ \t]*+(?:\n|[-*+•][ \t]|\d{1,3}[.)][ \t]|\#{1,6}[ \t]|\||>>>|\.\.[ \t]|```|~~~))"
    rf"|(?<![。！？｡…])[。！？｡…]++[!?]*+[{_CLOSERS}]*+"
    rf"|(?<![.!?])[.!?]++[{_CLOSERS}]*+(?=\s|[{_CJK}])"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:[A-HJ-Z]|(?:[A-Za-z]\.)+[A-Za-z]|"
    r"Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|cf|eg|ie|No|Nos|Fig|Figs|Eq|Eqs|Sec|Ch|Vol|pp|ed|eds|"
    r"approx|resp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)$"
    # the number of a list item
    r"|(?:^|\n)[ \t]*\d{1,3}$"
)
_LOOK_BACK = 14
"""Characters before a full stop that can decide whether it ends an abbreviation."""

_ASCII_TERM = re.compile(r"[a-z0-9]+(?:\.[0-9]+)*")
_TERM = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:\.[0-9]+)*")
_IS_CJK = re.compile(rf"[{_CJK}]")
_LOCAL = threading.local()


def sentences(text: str) -> list[tuple[int, int]]:
    """Split text into sentences: character spans in order, without white space at the edges.

    Every character that is not white space lies in exactly one span.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for cut in _cuts(text):
        _append_trimmed(spans, text, start, cut)
        start = cut
    _append_trimmed(spans, text, start, len(text))
    return spans


def analyse(text: str) -> list[str]:
    """Turn text into search terms: stemmed words, numbers, and CJK characters with their pairs.

    Stop words are kept. Full-width forms and case are folded first. Terms of words come before
    those of CJK runs; repeated terms are repeated.
    """
    if text.isascii():
        return _stem(_ASCII_TERM.findall(text.lower()))
    words: list[str] = []
    grams: list[str] = []
    for term in _TERM.findall(unicodedata.normalize("NFKC", text).lower()):
        if not _IS_CJK.match(term):
            words.append(term)
            continue
        grams.extend(term)
        grams.extend(map("".join, pairwise(term)))
    return _stem(words) + grams


def byte_offsets(text: str) -> npt.NDArray[np.int64]:
    """Map characters to bytes: entry i is the UTF-8 offset of character i; the last is the length."""
    if text.isascii():
        return np.arange(len(text) + 1, dtype=np.int64)
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    offsets = np.zeros(len(codes) + 1, dtype=np.int64)
    widths = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    np.cumsum(widths, out=offsets[1:])
    return offsets


def _cuts(text: str) -> Iterator[int]:
    """Yield the ends of sentences before the last one."""
    for match in _BREAK.finditer(text):
        if text[match.start()] in ".!?" and _continues(text, match):
            continue
        yield match.end()


def _continues(text: str, stop: re.Match[str]) -> bool:
    """Tell whether the sentence goes on after a full stop, exclamation or question mark."""
    after = text[stop.end() : stop.end() + 3].lstrip()
    if after and after[0].islower():
        return True
    if stop.group() != ".":
        return False
    before = text[max(0, stop.start() - _LOOK_BACK) : stop.start()]
    return bool(_ABBREVIATION.search(before))


def _append_trimmed(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    """Append [start, end) without its outer white space, if anything is left of it."""
    piece = text[start:end]
    body = piece.strip()
    if body:
        first = start + len(piece) - len(piece.lstrip())
        spans.append((first, first + len(body)))


def _stem(words: list[str]) -> list[str]:
    """Stem English words; numbers and other scripts pass unchanged. One stemmer a thread."""
    stemmer = getattr(_LOCAL, "stemmer", None)
    if stemmer is None:
        stemmer = _LOCAL.stemmer = Stemmer.Stemmer("english")
    stems: list[str] = stemmer.stemWords(words)
    return stems
