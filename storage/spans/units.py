"""Units: what the span index compares instead of bytes, by a rule that an index keeps for life.

A unit is a word (a run of letters, marks and digits of any script) or one character of a script
that puts no spaces between words (Han, kana, Bopomofo, Thai, Lao, Burmese, Khmer). Case,
compatibility forms, full-width forms and canonical composition are folded, traditional Han
characters become simplified. White space and punctuation only separate; the markup characters
underscore, apostrophe, asterisk and backtick, and the typographic apostrophe are passed over inside a word, and so are invisible
format characters. Bytes that are not UTF-8 separate.
"""

import bisect
import functools
import json
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from storage.digest import canonical_json, sha256_hex
from storage.errors import CorruptError

FORMAT = "suyuan-units/1"
MARKUP = "_'*`’"
_ALONE = (
    0x0E00, 0x0F00, 0x1000, 0x10A0, 0x1780, 0x1800, 0x3005, 0x3008, 0x3041, 0x3100, 0x3105, 0x3130,
    0x31A0, 0x31C0, 0x31F0, 0x3200, 0x3400, 0x4DC0, 0x4E00, 0xA000, 0xF900, 0xFB00, 0x1B000, 0x1B170,
    0x20000, 0x323B0,
)  # fmt: skip
"""First code point of each range of such scripts, and the one behind it, in turn."""

_HAN = (0x3400, 0x4DC0, 0x4E00, 0xA000, 0x20000, 0x323B0)
_SELECTORS = (0xFE00, 0xFE10, 0xE0100, 0xE01F0)
_NUM_PAGES = (sys.maxunicode >> 8) + 1
_PAGE = 256


@dataclass(frozen=True)
class UnitRule:
    """How text becomes units. `fold` lists a Han character and its simplified form in turn."""

    fold: str
    format: str = FORMAT
    unicode: str = unicodedata.unidata_version

    @property
    def digest(self) -> str:
        """Name the rule by the hash of all its parts."""
        return sha256_hex(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Serialise the rule."""
        return canonical_json(
            {"format": self.format, "unicode": self.unicode, "fold": self.fold, "markup": MARKUP}
        )

    @staticmethod
    def from_bytes(data: bytes, item: str) -> "UnitRule":
        """Read a rule; CorruptError when this version cannot apply it."""
        values = json.loads(data)
        if values.get("format") != FORMAT or values.get("markup") != MARKUP:
            raise CorruptError(
                f"has the unit rule {values.get('format')!r}, this version reads {FORMAT}",
                item=item,
                way_out="Build the span index again",
            )
        return UnitRule(values["fold"], values["format"], values["unicode"])


@functools.cache
def current_rule() -> UnitRule:
    """Give the rule of new indexes, with the characters that OpenCC maps one to one."""
    from opencc import OpenCC

    characters = [chr(code) for code in _members(_HAN)]
    simplified = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    pairs = zip(characters, simplified, strict=True)
    return UnitRule("".join(a + b for a, b in pairs if a != b and len(b) == 1))


@dataclass(frozen=True)
class Units:
    """Units of one text: hash (48 bits), first byte, byte past the end."""

    hashes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class Scanner:
    """Cuts texts into units by one rule. Safe to share between threads: results are copies."""

    def __init__(self, rule: UnitRule) -> None:
        """Start with the page of ASCII; other pages are filled when a text needs them."""
        from storage.spans.scan import NO_PAGE, Table

        self._fold = dict(zip(map(ord, rule.fold[::2]), map(ord, rule.fold[1::2]), strict=True))
        self._lock = threading.Lock()
        extra: list[int] = []
        ascii_row = np.array([self._value(code, 0, extra) for code in range(0x80)], np.int32)
        pages, rows = np.full(_NUM_PAGES, NO_PAGE, np.int32), np.zeros((0, _PAGE), np.int32)
        self._table = Table(ascii_row, pages, rows, np.zeros(0, np.int32))

    def units(self, text: bytes) -> Units:
        """Cut a text into units."""
        from storage.spans.scan import scan

        data = np.frombuffer(text, np.uint8)
        hashes = np.empty(data.size, np.uint64)
        starts, ends = np.empty(data.size, np.int64), np.empty(data.size, np.int64)
        while (count := scan(data, self._table, hashes, starts, ends)) < 0:
            self._add_page(-1 - count)
        return Units(hashes[:count].copy(), starts[:count].copy(), ends[:count].copy())

    def _add_page(self, page: int) -> None:
        with self._lock:
            table = self._table
            if table.pages[page] >= 0:
                return
            extra: list[int] = []
            first = page * _PAGE
            row = [
                self._value(code, table.pool.size, extra) for code in range(first, first + _PAGE)
            ]
            pages = table.pages.copy()
            pages[page] = len(table.rows)
            rows = np.vstack([table.rows, np.array([row], np.int32)])
            pool = np.concatenate([table.pool, np.array(extra, np.int32)])
            # one assignment: a thread that scans meanwhile sees a whole table
            self._table = table._replace(pages=pages, rows=rows, pool=pool)

    def _value(self, code: int, pooled: int, extra: list[int]) -> int:
        from storage.spans.scan import ALONE, BREAK, LETTER, LETTERS, THROUGH

        character = chr(code)
        category = unicodedata.category(character)
        if character in MARKUP or category == "Cf" or _within(code, _SELECTORS):
            return THROUGH
        composed = unicodedata.normalize("NFKC", character)
        if len(composed) == 1 and _is_alone(composed):
            return ALONE | self._fold.get(ord(composed), ord(composed)) << 3
        letters = _folded(character) if category[0] in "LMN" else []
        if not letters:
            return BREAK
        if len(letters) == 1:
            return LETTER | letters[0] << 3
        at = pooled + len(extra)
        extra += [len(letters), *letters]
        return LETTERS | at << 3


@functools.lru_cache(maxsize=4)
def scanner(rule: UnitRule) -> Scanner:
    """Give the scanner of a rule, one per process."""
    return Scanner(rule)


def _folded(character: str) -> list[int]:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return [ord(one) for one in plain if unicodedata.category(one)[0] in "LMN"]


def _is_alone(character: str) -> bool:
    return _within(ord(character), _ALONE) and unicodedata.category(character)[0] in "LMN"


def _within(code: int, bounds: Sequence[int]) -> bool:
    return bisect.bisect_right(bounds, code) % 2 == 1


def _members(bounds: Sequence[int]) -> Iterator[int]:
    for first, end in zip(bounds[::2], bounds[1::2], strict=True):
        yield from range(first, end)
