"""Names of licences as people write them, in English and Chinese, read into SPDX ids.

A name is a bag of words: the family ("apache", "lesser general public"), a version, "or later",
and noise ("the", "licence"). A family is recognised only when every word is accounted for, so
that a sentence is never taken for a name. What names no licence for certain stays unknown.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from license_expression import Licensing, get_spdx_licensing

from tasks.provenance.licences.families import FAMILIES, Family


class Name(NamedTuple):
    """What a name says: an SPDX id, and whether it says so without a guess at the version."""

    spdx: str
    sure: bool


_CHINESE = (
    (r"(?:软件)?(?:许可|授权|許可|授權)(?:证|證|协议|協議|条款|條款)?|协议|協議", " license "),
    (
        r"(?:或|及|以及)(?:者)?(?:任何|任意|其)?(?:更高|更新|以[后後]|之[后後]|[后後][续續]|以上)的?(?:版本|版)?",
        " + ",
    ),
    (r"第\s*([0-9.]+)\s*版|([0-9][0-9.]*)\s*版本?", r" \1\2 "),
    (r"版本|版", " "),
    (r"知识共享|创作共用|知識共享|創用\s*cc", " creative commons "),
    (r"署名|姓名[標标]示", " attribution "),
    (r"相同方式[共分]享", " sharealike "),
    (r"非商[业業]性?(?:使用)?", " noncommercial "),
    (r"禁止演[绎繹]|禁止改作", " noderivatives "),
    (r"国际|國際", " international "),
    (r"木[兰蘭]\s*[宽寬][松鬆]", " mulan permissive "),
    (r"木[兰蘭]\s*公共", " mulan public "),
    (r"公[有共][领領]域", " public domain "),
    (r"[较較]?[宽寬][松鬆]?通用公[共眾]", " lesser general public "),
    (r"通用公[共眾]", " general public "),
    (r"自由文[档件]", " free documentation "),
    (r"和|及|与|與", " and "),
    (r"或", " or "),
)
_CHINESE_RULES = tuple((re.compile(pattern), word) for pattern, word in _CHINESE)
_CJK = re.compile(r"[\u4e00-\u9fff]")
_NUMBERED = (
    "[al]?gpl|g?fdl|mpl|epl|cddl|eupl|afl|apache|psf|bsl|ofl|mulanpsl|mulanpubl|zpl|bsd|asl|cc by"
)
_SPELLING = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"licen[cs](?:es|e|ing|ed)\b", "license"),
        (r",? as published by the free software foundation[,;]?", " "),
        (r"\bof the license\b", " "),
        (
            r"[,;]? ?\(?(?:and|or),? ?(?:\(? ?at your (?:option|choice)\)?,? ?)?(?:under )?(?:any |the )?"
            r"(?:later|newer|above|higher|greater)(?: versions?)?\)?",
            " + ",
        ),
        (r"\b0bsd\b", "zerobsd"),
        (r"\bmit[ -]0\b", "mit zero"),
        (r"\b(?:cc|creative commons)[ -]?(?:0|zero)\b", "cc0"),
        (r"\b(?:0|zero)[ -]?clauses?\b", "0clause"),
        (r"\b(?:2|two)[ -]?clauses?\b", "2clause"),
        (r"\b(?:3|three)[ -]?clauses?\b", "3clause"),
        (r"\b(?:4|four)[ -]?clauses?\b", "4clause"),
        (r"non[ -]commercial", "noncommercial"),
        (r"no[ -]?deriv\w*(?: works)?", "noderivatives"),
        (r"share[ -]alike", "sharealike"),
        (rf"\b({_NUMBERED})[ -]?v?(?=\d)", r"\1 "),
        (r"\bv(?:er(?:sions?)?)?\b[. ]*|\bv(?=\d)", " "),
    )
)
_TOKEN = re.compile(r"\dclause|\d+(?:\.\d+)*|[^\W\d_]\w*|\+")
_NUMBER = re.compile(r"\d+(?:\.\d+)*\Z")
_NOISE = frozenset(
    (
        "the",
        "a",
        "an",
        "license",
        "open",
        "source",
        "osi",
        "approved",
        "free",
        "foss",
        "only",
        "either",
    )
)
MAX_NAME = 400
"""Characters of the longest name that is read."""


@lru_cache(maxsize=1)
def spdx() -> Licensing:
    """Load the list of SPDX licences once."""
    return get_spdx_licensing()


def known(name: str) -> bool:
    """Tell whether a name is the id of a licence on the list."""
    symbol = spdx().known_symbols.get(name)
    return symbol is not None and not symbol.is_exception


def words(text: str) -> list[str]:
    """Split a name into lower-case words with one spelling each; "+" stands for "or later"."""
    text = unicodedata.normalize("NFKC", text[:MAX_NAME]).casefold()
    if _CJK.search(text):
        for pattern, word in _CHINESE_RULES:
            text = pattern.sub(word, text)
    text = " ".join(text.replace("_", " ").split())
    for pattern, word in _SPELLING:
        text = pattern.sub(word, text)
    return _TOKEN.findall(text)


def read_name(name: list[str]) -> Name | None:
    """Read the words of one licence name; None when they name none for certain."""
    numbers = {word for word in name if _NUMBER.match(word)}
    bag = set(name) - numbers - _NOISE
    later = "+" in bag
    bag.discard("+")
    if len(numbers) > 1 or not bag:
        return None
    version = next(iter(numbers), "")
    commons = _creative_commons(bag, version)
    if commons is not None:
        return commons
    return next(
        (_versioned(family, version, later) for family in FAMILIES if _fits(family, bag)), None
    )


def read_prefix(text: str, limit: int = 24) -> Name | None:
    """Read the longest licence name, in words, that a text begins with."""
    tokens = words(text)[:limit]
    readings = (read_name(tokens[:length]) for length in range(len(tokens), 0, -1))
    return next((name for name in readings if name is not None), None)


def _fits(family: Family, bag: set[str]) -> bool:
    extras = set(family.extras.split())
    needs = (set(sign.split()) - _NOISE for sign in family.signs)
    return any(needed <= bag <= needed | extras for needed in needs)


def _versioned(family: Family, version: str, later: bool) -> Name | None:
    if "{}" not in family.template:
        allowed = not version or version in family.versions or f"{version}.0" in family.versions
        return Name(family.template, family.sure) if allowed else None
    if not version:
        return Name(family.unversioned, family.sure) if family.unversioned else None
    spdx_id = family.template.format(version if "." in version else f"{version}.0")
    if family.suffixes:
        spdx_id += "-or-later" if later else "-only"
    return Name(spdx_id, sure=True) if known(spdx_id) else None


_CC_TERMS = {
    "BY": {"by", "attribution"},
    "NC": {"nc", "noncommercial"},
    "ND": {"nd", "noderivatives"},
    "SA": {"sa", "sharealike"},
}
_CC_NOISE = frozenset(
    (
        "cc",
        "creative",
        "commons",
        "international",
        "unported",
        "generic",
        "public",
        "deed",
        "legal",
        "code",
    )
)


def _creative_commons(bag: set[str], version: str) -> Name | None:
    """Read Creative Commons terms and a jurisdiction ("cc by sa us" with version 3.0)."""
    if "cc" not in bag and not {"creative", "commons"} <= bag:
        return None
    terms = [short for short, spellings in _CC_TERMS.items() if bag & spellings]
    rest = bag.difference(_CC_NOISE, *_CC_TERMS.values())
    if "BY" not in terms or not version or len(rest) > 1:
        return None
    base = f"CC-{'-'.join(terms)}-{version if '.' in version else version + '.0'}"
    name = f"{base}-{rest.pop().upper()}" if rest else base
    return Name(name, sure=True) if known(name) else None
