"""Whole licence texts, recognised by licenseclassifier's word patterns (ADR 0003)."""

import re
from typing import NamedTuple

from tasks.provenance.licence_names import known, spdx

MAX_CHARS = 400_000
"""A licence file is shorter; of a longer text only the beginning is looked at."""
_GATE = re.compile(
    r"permission is hereby|permission to use, copy|redistribution and use|general public licen|"
    r"apache licen|public licen[cs]e|creative\s*commons|licen[cs]e agreement|terms and conditions|"
    r"this is free and unencumbered|altered source|free documentation licen|open font licen|"
    r"software licen|artistic licen|木兰|mulan",
    re.IGNORECASE,
)


class Region(NamedTuple):
    """One licence text found at chars [start, end)."""

    spdx: str
    start: int
    end: int


def licence_regions(text: str) -> list[Region]:
    """Find the licence texts in a text, in order; offsets count characters."""
    text = text[:MAX_CHARS]
    if not _GATE.search(text):
        return []
    from licenseclassifier import identify_license

    found = []
    for match in identify_license(text, 0.0):
        parsed = spdx().parse(match.id, validate=False)
        name = parsed.render() if parsed is not None else ""
        if known(name):
            found.append(Region(name, match.start, match.end))
    return found
