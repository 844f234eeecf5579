"""Declarations of a licence (metadata fields, headers, URLs) read into SPDX expressions."""

import re
from functools import lru_cache

from license_expression import (
    ExpressionError,
    LicenseSymbol,
    LicenseWithExceptionSymbol,
    ParseError,
)

from tasks.provenance.licences.names import (
    MAX_NAME,
    Name,
    known,
    read_name,
    read_prefix,
    spdx,
    words,
)

MAX_EXPRESSION = 1000
"""Characters of an expression; keeps the recursion of the parser bounded."""
MAX_NAMES = 20
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.\-]+\Z")
_SPLIT = re.compile(r"(\(|\)|,|;|&|/|\||\band\b|\bor\b|\bwith\b|和|与|與|或)", re.IGNORECASE)
_JOINTS = {
    **dict.fromkeys((",", ";", "&", "and", "和", "与", "與"), "AND"),
    **dict.fromkeys(("|", "/", "or", "或"), "OR"),
    "with": "WITH",
    "(": "(",
    ")": ")",
}
_URL = re.compile(r"https?://[^\s<>()\"'，。]+", re.IGNORECASE)
_URL_NAMES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (
            r"(?:opensource\.org/licen[cs]es?|spdx\.org/licenses|choosealicense\.com/licenses)/(?P<id>[a-z0-9.\-+]+)",
            "{id}",
        ),
        (
            r"gnu\.org/(?:licen[cs]es|copyleft)/(?:old-licenses/)?(?P<id>[al]?gpl|fdl)-?(?P<v>\d\.\d)",
            "{id} {v}",
        ),
        (
            r"creativecommons\.org/licenses/(?P<id>[a-z\-]+)/(?P<v>\d\.\d)(?:/(?P<place>[a-z]{2,3})\b)?",
            "cc {id} {v} {place}",
        ),
        (r"creativecommons\.org/publicdomain/zero/1\.0", "CC0-1.0"),
        (r"creativecommons\.org/publicdomain/mark", "public domain"),
        (r"apache\.org/licenses/license-(?P<v>\d\.\d)", "apache {v}"),
        (r"mozilla\.org/(?:[a-z-]+/)?mpl/(?P<v>\d\.\d)", "mpl {v}"),
        (r"license\.coscl\.org\.cn/mulanpsl(?P<v>\d)?", "mulanpsl {v}"),
        (r"unlicense\.org", "unlicense"),
    )
)
_PREAMBLE = re.compile(
    r"(?:this (?:software|project|package|document|work) is )?(?:dual[ -]?)?"
    r"(?:licen[cs]ed?|released|distributed|available)(?:\s*:|\s+(?:is\s+)?under)\s+(?:the\s+terms\s+of\s+)?",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"[\s,.;]*[(\[]?\b(?:please\s+)?see\b.*|\.\s.*", re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=4096)
def read_declaration(text: str) -> Name | None:
    """Read what one line says the licence is: an expression, a name, a URL, or several joined."""
    line = text.strip().strip("\"'`.")
    if "::" in line:  # a trove classifier
        line = line.rsplit("::", 1)[1].strip()
    found = _read_line(line)
    if found is None:
        plain = _ASIDE.sub("", _PREAMBLE.sub("", line, count=1))
        found = _read_line(plain) if plain != line else None
    return found


@lru_cache(maxsize=4096)
def read_expression(text: str) -> Name | None:
    """Read an SPDX expression whose every symbol is on the list or a LicenseRef."""
    if len(text) > MAX_EXPRESSION:
        return None
    try:
        parsed = spdx().parse(text, validate=False)
        symbols = spdx().license_symbols(parsed, decompose=False) if parsed is not None else []
    except (ExpressionError, ParseError, RecursionError):
        return None
    if not symbols or not all(map(_is_valid, symbols)):
        return None
    return Name(parsed.render(), sure=True)


def read_url(url: str) -> Name | None:
    """Read the address of a licence's page."""
    url = url.casefold()
    for pattern, template in _URL_NAMES:
        match = pattern.search(url)
        if match:
            groups = {key: value or "" for key, value in match.groupdict().items()}
            name = re.sub(r"(?:-license)?(?:\.(?:html|php|txt))?$", "", groups.get("id", ""))
            name = template.format(**{**groups, "id": name}).strip()
            return read_expression(name) or _read_words(name.replace("-", " "))
    return None


def read_statement(text: str) -> Name | None:
    """Read the licence named at the beginning of a piece of prose."""
    url = _URL.match(text.lstrip("<( "))
    return read_url(url[0]) if url else read_prefix(text)


def _is_valid(symbol: LicenseSymbol | LicenseWithExceptionSymbol) -> bool:
    licence = getattr(symbol, "license_symbol", symbol)
    exception = getattr(symbol, "exception_symbol", None)
    if exception is not None:
        stored = spdx().known_symbols.get(exception.key)
        if stored is None or not stored.is_exception:
            return False
    return known(licence.key) or bool(_REFERENCE.match(licence.key))


def _read_line(line: str) -> Name | None:
    if not line:
        return None
    return read_expression(line) or _read_linked(line) or _read_words(line) or _read_joined(line)


def _read_linked(line: str) -> Name | None:
    """Read a URL, alone or beside the name of the same licence."""
    urls = _URL.findall(line)
    found = read_url(urls[0]) if len(urls) == 1 else None
    rest = words(_URL.sub(" ", line)) if found else []
    return found if not rest or read_name(rest) == found else None


def _read_words(text: str) -> Name | None:
    return read_name(words(text.replace("/", " "))) if len(text) <= MAX_NAME else None


def _read_joined(line: str) -> Name | None:
    """Read several names; a comma means that all apply, a slash that one may choose (Rust)."""
    pieces = [piece.strip() for piece in _SPLIT.split(line[:MAX_EXPRESSION]) if piece.strip()]
    if not 2 <= len(pieces) <= 2 * MAX_NAMES:
        return None
    joined: list[str] = []
    sure = True
    for piece in pieces:
        joint = _JOINTS.get(piece.casefold())
        if joint:
            joined.append(joint)
            continue
        name = read_expression(piece) or _read_words(piece)
        if name is None:
            return None
        joined.append(name.spdx)
        sure = sure and name.sure
    found = read_expression(" ".join(joined))
    return Name(found.spdx, sure) if found else None
