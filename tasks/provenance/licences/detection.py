"""The licence of a document as an SPDX expression, with the evidence it rests on.

Unknown stays unknown: what cannot be read for certain is NOASSERTION, and a licence is never
made up from a text that names none.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from storage.records import UNKNOWN_LICENCE, Evidence, Extraction, LicenceFinding, RawDocument
from tasks.provenance.licences.declarations import (
    read_declaration,
    read_expression,
    read_statement,
    read_url,
)
from tasks.provenance.licences.names import Name
from tasks.provenance.licences.texts import find_texts, is_mostly, join_texts, opening_texts

HEAD_CHARS = 8192
"""A header and a statement about the document stand in its beginning."""
RAW_CHARS = 200

_TAG = re.compile(
    r"(?P<lead>[^\w\n]{0,24}|[ \t]{0,8}(?:rem|dnl|@c|@comment)[ \t]+)"
    r"SPDX-License-Identifier[ \t]*:[ \t]*(?P<value>[^\n]{1,400})",
    re.IGNORECASE,
)
_TAG_WORD = re.compile(r"SPDX-License-Identifier")
_LINE_END = re.compile(r"[ \t]*(?:\*+/|-->|#\}|\*\)|\]\]|-\}|\}\})?[\s\"']*\Z")
_FIELD = re.compile(
    r"^[ \t]{0,3}(?::licen[cs]e:|__license__ ?=|licen[cs]e ?:|许可证[：:]|許可證[：:])[ \t]*(?P<value>\S[^\n]{0,199})$",
    re.IGNORECASE | re.MULTILINE,
)
_STATEMENT = re.compile(
    r"(?:\b(?:licen[cs]ed|released|distributed|available|published|provided)\s+(?:to\s+you\s+)?under|\bsubject\s+to|"
    r"\bmodify\s+(?:it|this\s+\w+)\s+under)\s+(?:the\s+terms\s+(?:and\s+conditions\s+)?of\s+)?(?:the\s+|an?\s+)?"
    r"(?P<value>[^\n]{2,120}(?:\n[^\n]{1,120}){0,2})"
    r"|(?:采用|遵循|使用|依据|按照|基于|以)\s*(?P<chinese>[^\n。，；]{2,40}?)\s*(?:发布|授权|许可|开源)"
    r"|\b(?:placed|released|dedicated)\s+(?:in|into|to)\s+the\s+(?P<domain>public\s+domain)",
    re.IGNORECASE,
)
_WORDS = (
    "licen",
    "permission",
    "redistribution",
    "gpl",
    "creative commons",
    "cc by",
    "cc-by",
    "cc0",
    "public domain",
    "许可",
    "授权",
    "許可",
    "授權",
    "知识共享",
)
_LEADERS = re.compile(r"\n[ \t]*(?:#|//|\*|--|;;?|\.\.)[ \t]+")
_MARKUP = re.compile(
    rb"<(?:a|link)\b[^>]{0,400}?\brel=[\"']?(?:license|[\w ]*\blicense)\b[^>]{0,400}>",
    re.IGNORECASE,
)
_ADDRESS = re.compile(rb"\bhref=[\"']?([^\"'\s>]{1,300})", re.IGNORECASE)


def normalise(text: str) -> str:
    """Give the SPDX expression that a declaration names; NOASSERTION when it names none.

    The declaration may be an expression, a name, a trove classifier, a URL or a whole licence.
    """
    found = _read(text)
    return found.spdx if found else UNKNOWN_LICENCE


def match_text(text: str) -> str:
    """Give the SPDX expression of the licence texts in a text, joined by AND."""
    return join_texts(find_texts(text))


def find_licence(declared: str, declared_evidence: Evidence, text: str) -> LicenceFinding:
    """Find the licence of a document; the strongest evidence wins.

    Order: an SPDX header, the document being itself a licence, a licence text in its head, a
    licence field, what the container declares or a file beside it says, a statement in prose.
    """
    head = text[:HEAD_CHARS]
    named = _names_any(head.lower())
    found = (
        _from_tags(head)
        or (_from_texts(text) or _from_field(head) if named else None)
        or _from_declared(declared, declared_evidence)
        or (_from_prose(head) if named else None)
    )
    unread = LicenceFinding(expression=UNKNOWN_LICENCE, evidence="none", raw=_short(declared))
    return found or unread


def tag_licence(raw: RawDocument, extraction: Extraction) -> dict[str, object]:
    """Give the licence columns of a document; markup may say what the text does not."""
    found = None
    if extraction.origin in ("mapped", "extracted"):
        found = _from_markup(raw.data)
    if found is None:
        found = find_licence(raw.declared_licence, raw.declared_evidence, extraction.text)
    return {
        "licence": found.expression,
        "licence_evidence": found.evidence,
        "licence_raw": found.raw,
    }


@lru_cache(maxsize=256)
def _read(text: str) -> Name | None:
    """Read a declaration; cached, since all files of a distribution declare the same."""
    text = text.strip()
    if len(text) > RAW_CHARS or text.count("\n") > 2:
        expression = match_text(text)
        if expression != UNKNOWN_LICENCE:
            return Name(expression, sure=True)
    return read_declaration(text.split("\n", 1)[0]) if text else None


def _names_any(lowered: str) -> bool:
    """Tell whether a text says anything about licences; most do not, and need no closer look."""
    return any(word in lowered for word in _WORDS)


def _from_tags(head: str) -> LicenceFinding | None:
    """Read the block of SPDX tags that opens a document; several tags all apply."""
    values = list(_tag_values(head))
    names = [name for name in map(read_expression, values) if name]
    if not names or len(names) < len(values):
        return None
    parts = dict.fromkeys(name.spdx for name in names)
    joined = " AND ".join(f"({part})" for part in parts) if len(parts) > 1 else next(iter(parts))
    found = read_expression(joined)
    if found is None:
        return None
    return LicenceFinding(expression=found.spdx, evidence="header", raw=_short("; ".join(values)))


def _tag_values(head: str) -> Iterator[str]:
    """Give the tags that stand on lines of their own with nothing but blank lines between."""
    end = -1
    for word in _TAG_WORD.finditer(head):
        start = head.rfind("\n", 0, word.start()) + 1
        match = _TAG.match(head, start)
        if match is None or (end >= 0 and head[end:start].strip()):
            if end >= 0:
                return
            continue
        if end < 0 and _is_sample(head, start, match["lead"]):
            continue
        end = match.end()
        yield _LINE_END.sub("", match["value"])


def _is_sample(head: str, start: int, lead: str) -> bool:
    """Tell a tag shown in a code sample from one of the document's own."""
    fenced = head.count("```", 0, start) % 2 == 1
    indented = len(lead) - len(lead.lstrip(" \t")) > 1 or lead.startswith("\t")
    return fenced or (indented and bool(head[:start].strip()))


def _from_texts(text: str) -> LicenceFinding | None:
    regions = opening_texts(text)
    if not regions:
        return None
    raw = text[regions[0].start : regions[0].start + RAW_CHARS]
    evidence: Evidence = "file" if is_mostly(regions, text) else "header"
    return LicenceFinding(expression=join_texts(regions), evidence=evidence, raw=_short(raw))


def _from_field(head: str) -> LicenceFinding | None:
    for match in _FIELD.finditer(head):
        value = _LINE_END.sub("", match["value"]).lstrip("\"'")
        found = read_declaration(value)
        if found:
            evidence: Evidence = "header" if found.sure else "guessed"
            return LicenceFinding(expression=found.spdx, evidence=evidence, raw=_short(value))
    return None


def _from_declared(declared: str, evidence: Evidence) -> LicenceFinding | None:
    found = _read(declared)
    if not found:
        return None
    shown: Evidence = evidence if found.sure and evidence != "none" else "guessed"
    return LicenceFinding(expression=found.spdx, evidence=shown, raw=_short(declared))


def _from_prose(head: str) -> LicenceFinding | None:
    for match in _STATEMENT.finditer(_LEADERS.sub("\n", head)):
        found = read_statement(match["value"] or match["chinese"] or match["domain"])
        if found:
            return LicenceFinding(expression=found.spdx, evidence="guessed", raw=_short(match[0]))
    return None


def _from_markup(data: bytes) -> LicenceFinding | None:
    """Read an SPDX comment or a rel=license link, which extraction drops."""
    found = _from_tags(data[:HEAD_CHARS].decode("utf-8", "replace"))
    if found or b"license" not in data:
        return found
    for match in _MARKUP.finditer(data):
        address = _ADDRESS.search(match[0])
        url = address[1].decode("ascii", "replace") if address else ""
        name = read_url(url)
        if name:
            return LicenceFinding(expression=name.spdx, evidence="header", raw=_short(url))
    return None


def _short(text: str) -> str:
    return " ".join(text.split())[:RAW_CHARS]
