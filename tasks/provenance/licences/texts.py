"""Whole licence texts, recognised by the word patterns of licenseclassifier (docs/adr/0003)."""

import re
from functools import lru_cache
from typing import NamedTuple

from storage.records import UNKNOWN_LICENCE
from tasks.provenance.licences.names import known, spdx

MAX_CHARS = 400_000
"""Characters looked at: a bundle of many licences is shorter."""
MAX_SINGLE = 100_000
"""Characters of the longest document that is matched because a licence's title opens it."""
HEAD = 8192
MIN_REGION = 250
"""A shorter match is a notice or a link, not a licence text."""
_BODIES = (
    "permission is hereby granted",
    "permission to use, copy, modify",
    "redistribution and use in source",
    "redistribution and use of this",
    "free and unencumbered software",
    "express or implied warranty. in no event",
    "boost software license - version",
    "do what the fuck you want to",
)
"""Openings of short licences, which may stand in the head of any document."""
_TITLES = (
    "version 2.0, january 2004",
    "version 1, february 1989",
    "version 2, june 1991",
    "version 2.1, february 1999",
    "version 3, 29 june 2007",
    "version 3, 19 november 2007",
    "version 1.1, march 2000",
    "version 1.2, november 2002",
    "version 1.3, 3 november 2008",
    "mozilla public license version",
    "mozilla public license, version",
    "eclipse public license - v",
    "creative commons legal code",
    "creative commons corporation",
    "creative commons attribution",
    "open font license version",
    "artistic license",
    "common development and distribution license",
    "european union public licence",
    "academic free license",
    "psf license agreement",
    "python software foundation license",
    "mulan permissive software license",
    "木兰宽松许可证",
)
"""Titles of long licences; the text must be matched as a whole."""
_UNMATCHED = {
    "gnu free documentation license version 1.2, november 2002": "GFDL-1.2-only",
    "gnu free documentation license version 1.1, march 2000": "GFDL-1.1-only",
}
"""Titles of licences that the patterns leave out; taken at their word when the text is long."""
_UNMATCHED_CHARS = 15_000
_SPACES = re.compile(r"[\s*#/;|>-]+")


CACHED_CHARS = 65_536
"""Many packages carry the same licence under another name: texts up to this size are looked at once."""
_HOLDER = re.compile(
    r"^[^\w\n]{0,20}(?:copyright|©)[ \t:]*(?:\(c\)|©|\d{4})[^\n]{0,120}$",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that names the holder; which licence a text is does not depend on it."""
_WORD = re.compile(r"\S+")


class Region(NamedTuple):
    """One licence text found at chars [start, end)."""

    spdx: str
    start: int
    end: int


def find_texts(text: str) -> list[Region]:
    """Find the licence texts in a text, in order of place.

    Texts that differ only in white space and in who holds the copyright have the same licences.
    """
    if len(text) > CACHED_CHARS:
        return _found(text)
    blanked = _HOLDER.sub(lambda line: " " * len(line[0]), text)
    words = [match.span() for match in _WORD.finditer(blanked)]
    found = _cached(" ".join([text[start:end] for start, end in words]))
    return [Region(name, words[first][0], words[last][1]) for name, first, last in found]


@lru_cache(maxsize=256)
def _cached(text: str) -> tuple[tuple[str, int, int], ...]:
    """Give each licence text of words joined by one space, with its first and last word."""
    return tuple(
        (region.spdx, text.count(" ", 0, region.start), text.count(" ", 0, region.end - 1))
        for region in _found(text)
    )


def _found(text: str) -> list[Region]:
    from licenseclassifier import identify_license

    found = []
    for match in identify_license(text[:MAX_CHARS], 0.0):
        parsed = spdx().parse(match.id, validate=False)
        name = parsed.render() if parsed is not None else ""
        if known(name) and match.end - match.start >= MIN_REGION:
            found.append(Region(name, match.start, match.end))
    return found or _by_title(text)


def _by_title(text: str) -> list[Region]:
    if not _UNMATCHED_CHARS <= len(text) <= MAX_SINGLE:
        return []
    opening = _SPACES.sub(" ", text[:1000].lower())
    return [Region(name, 0, len(text)) for title, name in _UNMATCHED.items() if title in opening]


def join_texts(regions: list[Region]) -> str:
    """Give the SPDX expression that all the texts apply; NOASSERTION without any."""
    names = dict.fromkeys(region.spdx for region in regions)
    for name in list(names):  # "how to apply" at the end of a GNU licence is part of it
        if name.replace("-or-later", "-only") in names and name.endswith("-or-later"):
            del names[name]
    return " AND ".join(names) if names else UNKNOWN_LICENCE


def opening_texts(text: str) -> list[Region]:
    """Find the licence texts of a document that opens with one, or that its head contains."""
    head = text[:HEAD]
    lowered = _SPACES.sub(" ", head.lower())
    if len(text) <= MAX_SINGLE and any(title in lowered for title in _TITLES):
        return find_texts(text)
    if not any(body in lowered for body in _BODIES):
        return []
    found = find_texts(head)
    return find_texts(text) if len(text) > HEAD and is_mostly(found, head) else found


def is_mostly(regions: list[Region], text: str) -> bool:
    """Tell whether licence texts make up at least half of a text."""
    return bool(regions) and 2 * sum(region.end - region.start for region in regions) >= len(text)
