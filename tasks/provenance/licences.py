"""The licence of a document as an SPDX expression, with the evidence it rests on.

Unknown stays unknown: what cannot be read for certain is NOASSERTION, and a licence is never
made up from a text that names none.
"""

import re
from functools import lru_cache

from license_expression import ExpressionError, ParseError

from storage.records import UNKNOWN_LICENCE, Evidence, Extraction, LicenceFinding, RawDocument
from tasks.provenance.licence_names import Name, known, read_name, spdx, words
from tasks.provenance.licence_texts import Region, licence_regions

HEAD_CHARS = 8192
RAW_CHARS = 200
MAX_EXPRESSION = 1000
"""Longer than any real expression; keeps the parser's recursion bounded."""
MIN_REGION_CHARS = 250
"""A shorter match is a notice or a link, not a licence text."""

_HEADER = re.compile(
    r"^[^\w\n]{0,16}(?:rem |dnl |@c |%+ )?SPDX-License-Identifier[ \t]*:[ \t]*(?P<expression>[^\n]{1,400})",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(
    r"^(?::licen[cs]e:|licen[cs]e:|许可证[：:]|許可證[：:])[ \t]*(?P<name>\S[^\n]{0,199})$",
    re.IGNORECASE | re.MULTILINE,
)
_STATEMENT = re.compile(
    r"(?:licen[cs]ed|released|distributed|available|published|provided|made available)\s+"
    r"(?:to you\s+)?(?:under|according to)\s+(?:the\s+)?(?:terms\s+(?:and conditions\s+)?of\s+)?(?:the\s+|an?\s+)?(?P<name>[^\n]{2,120}(?:\n[^\n]{1,120})?)"
    r"|(?:采用|遵循|使用|依据|按照|基于|以)\s*(?P<zh>[^\n。，；]{2,40}?)\s*(?:发布|授权|许可|进行许可|共享|开源)",
    re.IGNORECASE,
)
_COMMENT_END = re.compile(r"\s*(?:\*+/|-->|#\}|\*\)|\]\]|-\})?\s*$")
_SYMBOL = re.compile(r"LicenseRef-[A-Za-z0-9.\-]+\Z")
_SPLIT = re.compile(r"(\(|\)|,|;|&|/|\||\band\b|\bor\b|\bwith\b|和|与|或)", re.IGNORECASE)
_JOIN = {
    ",": "AND",
    ";": "AND",
    "&": "AND",
    "and": "AND",
    "和": "AND",
    "与": "AND",
    "|": "OR",
    "/": "OR",
    "or": "OR",
    "或": "OR",
    "with": "WITH",
    "(": "(",
    ")": ")",
}
_URLS = (
    (
        re.compile(
            r"(?:opensource\.org/licen[cs]es?|spdx\.org/licenses|choosealicense\.com/licenses)/(?P<id>[a-z0-9.\-+]+)"
        ),
        "{id}",
    ),
    (
        re.compile(
            r"gnu\.org/(?:licen[cs]es|copyleft)/(?:old-licenses/)?(?P<id>[al]?gpl|fdl)-?(?P<v>\d\.\d)"
        ),
        "{id} {v}",
    ),
    (
        re.compile(
            r"creativecommons\.org/licenses/(?P<id>[a-z\-]+)/(?P<v>\d\.\d)(?:/(?P<place>[a-z]{2,3})\b)?"
        ),
        "cc {id} {v} {place}",
    ),
    (re.compile(r"creativecommons\.org/publicdomain/zero/1\.0"), "CC0-1.0"),
    (re.compile(r"creativecommons\.org/publicdomain/mark"), "public domain"),
    (re.compile(r"apache\.org/licenses/license-(?P<v>\d\.\d)"), "apache {v}"),
    (re.compile(r"mozilla\.org/(?:en-us/)?mpl/(?P<v>\d\.\d)"), "mpl {v}"),
    (re.compile(r"license\.coscl\.org\.cn/mulanpsl(?P<v>\d)?"), "mulanpsl {v}"),
    (re.compile(r"unlicense\.org"), "unlicense"),
)
_URL = re.compile(r"https?://[^\s<>()\"'，。]+", re.IGNORECASE)


def normalise(text: str) -> str:
    """Give the SPDX expression that a declaration names; NOASSERTION when it names none."""
    found = _read(text)
    return found.spdx if found else UNKNOWN_LICENCE


def match_text(text: str) -> str:
    """Give the SPDX expression of the licence texts in a text, joined by AND."""
    return _join(_texts(text))


def find_licence(declared: str, declared_evidence: Evidence, text: str) -> LicenceFinding:
    """Find the licence of a document; the strongest evidence wins.

    Order: the text is itself a licence, a header in it, what its container declares, a licence
    file beside it, a statement in its prose.
    """
    head = text[:HEAD_CHARS]
    found = (
        _as_licence_file(text)
        or _from_header(head)
        or _from_declared(declared, declared_evidence)
        or _from_prose(head)
    )
    return found or LicenceFinding(
        expression=UNKNOWN_LICENCE, evidence="none", raw=_short(declared)
    )


def tag_licence(raw: RawDocument, extraction: Extraction) -> dict[str, object]:
    """Give the licence columns of a document."""
    found = find_licence(raw.declared_licence, raw.declared_evidence, extraction.text)
    return {
        "licence": found.expression,
        "licence_evidence": found.evidence,
        "licence_raw": found.raw,
    }


@lru_cache(maxsize=4096)
def _read(text: str) -> Name | None:
    text = text.strip()
    if not text:
        return None
    if len(text) > RAW_CHARS or text.count("\n") > 2:
        expression = match_text(text)
        if expression != UNKNOWN_LICENCE:
            return Name(expression, sure=True)
    line = _trove(text.splitlines()[0].strip())
    return _expression(line) or _url(line) or _named(line) or _compound(line)


def _trove(line: str) -> str:
    line = line.strip().strip("\"'`.")
    if "::" in line:
        line = line.rsplit("::", 1)[1].strip()
    return line[:MAX_EXPRESSION]


def _expression(text: str) -> Name | None:
    """Read an SPDX expression; every symbol must be on the list or a LicenseRef."""
    if len(text) > MAX_EXPRESSION:
        return None
    try:
        parsed = spdx().parse(text, validate=False)
        if parsed is None or not all(
            _valid(symbol) for symbol in spdx().license_symbols(parsed, decompose=False)
        ):
            return None
        return Name(parsed.render(), sure=True)
    except (ExpressionError, ParseError, RecursionError):
        return None


def _valid(symbol: object) -> bool:
    licence = getattr(symbol, "license_symbol", symbol)
    exception = getattr(symbol, "exception_symbol", None)
    if exception is not None:
        stored = spdx().known_symbols.get(str(exception.key))
        if stored is None or not stored.is_exception:
            return False
    key = str(licence.key)
    return known(key) or bool(_SYMBOL.match(key))


def _url(text: str) -> Name | None:
    urls = _URL.findall(text)
    if len(urls) != 1:
        return None
    rest = words(_URL.sub(" ", text))
    named = _read_url(urls[0])
    return named if named and (not rest or read_name(rest) == named) else None


def _read_url(url: str) -> Name | None:
    url = url.casefold()
    for pattern, template in _URLS:
        match = pattern.search(url)
        if match:
            groups = {key: value or "" for key, value in match.groupdict().items()}
            groups["id"] = (
                groups.get("id", "")
                .removesuffix(".html")
                .removesuffix(".php")
                .removesuffix("-license")
            )
            name = template.format(**groups).strip()
            return _expression(name) or _named(name.replace("-", " "))
    return None


def _named(text: str) -> Name | None:
    if len(text) > RAW_CHARS:
        return None
    return read_name(words(text.replace("/", " ")))


def _compound(text: str) -> Name | None:
    """Read several names joined by and, or, commas or slashes."""
    pieces = [piece.strip() for piece in _SPLIT.split(text) if piece and piece.strip()]
    if len(pieces) < 2 or len(pieces) > 40:
        return None
    out: list[str] = []
    sure = True
    for piece in pieces:
        joint = _JOIN.get(piece.casefold())
        if joint is not None:
            out.append(joint)
            continue
        name = _expression(piece) or _named(piece)
        if name is None:
            return None
        out.append(name.spdx)
        sure = sure and name.sure
    found = _expression(" ".join(out))
    return Name(found.spdx, sure) if found else None


def _texts(text: str) -> list[Region]:
    return [
        region for region in licence_regions(text) if region.end - region.start >= MIN_REGION_CHARS
    ]


def _join(regions: list[Region]) -> str:
    names = list(dict.fromkeys(region.spdx for region in regions))
    return " AND ".join(names) if names else UNKNOWN_LICENCE


def _as_licence_file(text: str) -> LicenceFinding | None:
    regions = _texts(text)
    covered = sum(region.end - region.start for region in regions)
    if not regions or covered * 2 < len(text):
        return None
    raw = text[regions[0].start : regions[0].start + RAW_CHARS]
    return LicenceFinding(expression=_join(regions), evidence="file", raw=_short(raw))


def _from_header(head: str) -> LicenceFinding | None:
    match = _HEADER.search(head)
    if match:
        raw = _COMMENT_END.sub("", match["expression"])
        found = _expression(raw)
        if found:
            return LicenceFinding(expression=found.spdx, evidence="header", raw=_short(raw))
    match = _FIELD.search(head)
    if match:
        found = _read(match["name"])
        if found:
            return LicenceFinding(
                expression=found.spdx, evidence="header", raw=_short(match["name"])
            )
    return None


def _from_declared(declared: str, evidence: Evidence) -> LicenceFinding | None:
    found = _read(declared)
    if not found:
        return None
    shown: Evidence = evidence if found.sure and evidence != "none" else "guessed"
    return LicenceFinding(expression=found.spdx, evidence=shown, raw=_short(declared))


def _from_prose(head: str) -> LicenceFinding | None:
    for match in _STATEMENT.finditer(head):
        named = match["name"] or match["zh"]
        found = _prefix(named)
        if found:
            return LicenceFinding(expression=found.spdx, evidence="guessed", raw=_short(match[0]))
    return None


def _prefix(text: str) -> Name | None:
    """Read the longest licence name that a text begins with."""
    tokens = words(text)[:14]
    for length in range(len(tokens), 0, -1):
        found = read_name(tokens[:length])
        if found:
            return found
    return None


def _short(text: str) -> str:
    return " ".join(text.split())[:RAW_CHARS]
