"""Names of licences as people write them, read into SPDX ids.

A name is a bag of words: the family ("apache", "lesser general public"), a version, "or later",
and noise ("the", "licence", "software"). A family is recognised only when every word is
accounted for, so that a sentence is never taken for a name. What names no licence for certain
stays unknown: SPDX has no plain "BSD", and "MPL" without a version could be any of three.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from license_expression import Licensing, get_spdx_licensing


class Name(NamedTuple):
    """What a name says: an SPDX id, and whether it says so without a guess about the version."""

    spdx: str
    sure: bool


@dataclass(frozen=True, kw_only=True)
class Family:
    """Licences that share a name and differ by version."""

    template: str
    """SPDX id with {} for the version; without {} the name takes no version."""
    signs: tuple[str, ...]
    """Word groups; a name must contain all words of at least one."""
    extras: str = ""
    """Words that may stand beside a sign."""
    unversioned: str = ""
    """Id when no version is named; "" when that leaves the licence open."""
    sure: bool = False
    """Whether the id without a version is certain."""
    versions: tuple[str, ...] = ()
    """Versions that may be named for a template without {}."""
    suffixes: bool = False
    """Whether the id ends in -only or -or-later."""


_GNU = "gnu general public gpl"
FAMILIES = (
    Family(
        template="Apache-{}",
        signs=("apache", "asl"),
        extras="software public foundation asf asl",
        unversioned="Apache-2.0",
    ),
    Family(template="MIT", signs=("mit", "expat"), extras="mit expat x11 style", sure=True),
    Family(template="MIT-0", signs=("mit no attribution", "mit 0"), sure=True),
    Family(template="0BSD", signs=("zerobsd", "bsd 0clause"), extras="zerobsd", sure=True),
    Family(
        template="BSD-2-Clause",
        signs=("bsd 2clause", "bsd simplified", "freebsd"),
        extras="simplified freebsd bsd 2clause",
        versions=("2",),
        sure=True,
    ),
    Family(
        template="BSD-3-Clause",
        signs=("bsd 3clause", "bsd new", "bsd modified", "bsd revised"),
        extras="new modified revised or 3clause",
        versions=("3",),
        sure=True,
    ),
    Family(
        template="BSD-4-Clause",
        signs=("bsd 4clause", "bsd original", "bsd old"),
        extras="original old or 4clause",
        versions=("4",),
        sure=True,
    ),
    Family(template="ISC", signs=("isc", "iscl"), extras="isc iscl", sure=True),
    Family(
        template="PSF-{}",
        signs=("psf", "psfl", "python software foundation"),
        extras="psf psfl python software foundation",
        unversioned="PSF-2.0",
        sure=True,
    ),
    Family(
        template="GPL-{}",
        signs=("gpl", "general public gnu", "gnu public"),
        extras=_GNU,
        unversioned="GPL-1.0-or-later",
        suffixes=True,
    ),
    Family(
        template="LGPL-{}",
        signs=("lgpl", "lesser general public", "library general public", "lesser gpl"),
        extras=_GNU + " lgpl lesser library or",
        unversioned="LGPL-2.0-or-later",
        suffixes=True,
    ),
    Family(
        template="AGPL-{}",
        signs=("agpl", "affero general public", "affero gpl"),
        extras=_GNU + " agpl affero",
        suffixes=True,
    ),
    Family(
        template="GFDL-{}",
        signs=("gfdl", "fdl", "free documentation"),
        extras="gnu gfdl fdl free documentation",
        suffixes=True,
    ),
    Family(template="MPL-{}", signs=("mpl", "mozilla public"), extras="mpl mozilla public"),
    Family(template="EPL-{}", signs=("epl", "eclipse public"), extras="epl eclipse public"),
    Family(
        template="CDDL-{}",
        signs=("cddl", "common development and distribution"),
        extras="cddl common development and distribution",
    ),
    Family(
        template="EUPL-{}",
        signs=("eupl", "european union public"),
        extras="eupl european union public",
    ),
    Family(template="AFL-{}", signs=("afl", "academic free"), extras="afl academic free"),
    Family(template="Artistic-{}", signs=("artistic",), extras="perl"),
    Family(
        template="BSL-{}",
        signs=("boost", "bsl"),
        extras="boost bsl software",
        unversioned="BSL-1.0",
        sure=True,
    ),
    Family(template="OFL-{}", signs=("ofl", "open font"), extras="sil ofl open font"),
    Family(
        template="MulanPSL-{}",
        signs=("mulanpsl", "mulan psl", "mulan permissive"),
        extras="mulan psl mulanpsl permissive software",
    ),
    Family(template="MulanPubL-{}", signs=("mulanpubl", "mulan public"), extras="mulanpubl"),
    Family(
        template="ODbL-{}",
        signs=("odbl", "open database"),
        extras="odbl open database data commons",
    ),
    Family(template="Zlib", signs=("zlib",), extras="libpng", sure=True),
    Family(template="Unlicense", signs=("unlicense",), sure=True),
    Family(
        template="WTFPL",
        signs=("wtfpl", "do what the fuck you want to public"),
        extras="wtfpl",
        versions=("2.0",),
        sure=True,
    ),
    Family(
        template="PostgreSQL", signs=("postgresql",), extras="database management system", sure=True
    ),
    Family(
        template="HPND",
        signs=("hpnd", "historical permission notice and disclaimer"),
        extras="hpnd",
        sure=True,
    ),
    Family(template="ZPL-{}", signs=("zpl", "zope public"), extras="zpl zope"),
    Family(
        template="NCSA", signs=("ncsa",), extras="university of illinois open source", sure=True
    ),
    Family(
        template="CC0-1.0",
        signs=("cc0", "cc zero", "creative commons zero"),
        extras="cc cc0 creative commons public domain dedication universal",
        versions=("1.0",),
        sure=True,
    ),
    Family(
        template="LicenseRef-scancode-public-domain",
        signs=("public domain",),
        extras="dedication",
        sure=True,
    ),
)

_CHINESE = (
    (r"(?:软件)?(?:许可|授权|許可|授權)(?:证|證|协议|協議|条款|條款)?|协议|協議", " license "),
    (r"第\s*([0-9.]+)\s*版|([0-9][0-9.]*)\s*版本?", r" \1\2 "),
    (
        r"(?:或|及|以及)(?:者)?(?:任何|任意|其)?(?:更高|更新|以后|之后|后续|以後|之後|後續|以上)(?:的)?(?:版本|版)?",
        " + ",
    ),
    (r"版本|版", " "),
    (r"知识共享|创作共用|知識共享|創用\s*cc", " creative commons "),
    (r"署名|姓名標示|姓名标示", " attribution "),
    (r"相同方式[共分]享", " sharealike "),
    (r"非商[业業][性]?(?:使用)?", " noncommercial "),
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
_LATER = r"(?:,? ?\(?(?:and|or) ?\(? ?at your option\)? ?|,? ?(?:and|or) )(?:under )?(?:any |the )?(?:later|newer|above|higher|greater)(?: versions?)?"
_SPELLING = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"licen[cs](?:es|e|ing|ed)\b", "license"),
        (_LATER, " + "),
        (r"\b0bsd\b", "zerobsd"),
        (r"\b(?:0|zero)[ -]?clauses?\b", "0clause"),
        (r"\b(?:2|two)[ -]?clauses?\b", "2clause"),
        (r"\b(?:3|three)[ -]?clauses?\b", "3clause"),
        (r"\b(?:4|four)[ -]?clauses?\b", "4clause"),
        (r"non[ -]commercial", "noncommercial"),
        (r"no[ -]deriv\w*(?: works)?", "noderivatives"),
        (r"share[ -]alike", "sharealike"),
        (
            r"\b([al]?gpl|g?fdl|mpl|epl|cddl|eupl|afl|apache|psf|bsl|ofl|mulanpsl|mulanpubl|zpl|bsd|asl)[ -]?v?(?=\d)",
            r"\1 ",
        ),
        (r"\bv(?:er(?:sion)?s?)?\b[. ]*|\bv(?=\d)", " "),
    )
)
_TOKEN = re.compile(r"\dclause|\d+(?:\.\d+)*|[^\W\d_]\w*|\+")
_NUMBER = re.compile(r"\d+(?:\.\d+)*\Z")
_NOISE = frozenset(
    ["the", "a", "license", "open", "source", "osi", "approved", "free", "foss", "only"]
)
_NUMBERLESS = frozenset({"0clause", "2clause", "3clause", "4clause"})


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
    text = unicodedata.normalize("NFKC", text).casefold()
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
    bag = {word for word in name if word not in _NOISE} - numbers
    later = "+" in bag
    bag.discard("+")
    if len(numbers) > 1 or not bag:
        return None
    version = next(iter(numbers), "")
    found = _creative_commons(bag, version)
    if found is not None:
        return found
    for family in FAMILIES:
        if _fits(family, bag):
            return _with_version(family, version, later)
    return None


def _fits(family: Family, bag: set[str]) -> bool:
    extras = set(family.extras.split())
    for sign in family.signs:
        needed = set(sign.split()) - _NOISE
        if needed <= bag <= needed | extras:
            return True
    return False


def _with_version(family: Family, version: str, later: bool) -> Name | None:
    if "{}" not in family.template:
        if version and version not in family.versions and f"{version}.0" not in family.versions:
            return None
        return Name(family.template, family.sure)
    if not version:
        return Name(family.unversioned, family.sure) if family.unversioned else None
    major, _, rest = version.partition(".")
    spdx_id = family.template.format(f"{major}.{rest or '0'}")
    if family.suffixes:
        spdx_id += "-or-later" if later else "-only"
    return Name(spdx_id, sure=True) if known(spdx_id) else None


_CC_TERMS = {
    "BY": ("by", "attribution"),
    "NC": ("nc", "noncommercial"),
    "ND": ("nd", "noderivatives"),
    "SA": ("sa", "sharealike"),
}
_CC_NOISE = frozenset(
    [
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
    ]
)


def _creative_commons(bag: set[str], version: str) -> Name | None:
    if "cc" not in bag and not {"creative", "commons"} <= bag:
        return None
    terms = [short for short, spellings in _CC_TERMS.items() if bag & set(spellings)]
    rest = (
        bag - _CC_NOISE - {spelling for spellings in _CC_TERMS.values() for spelling in spellings}
    )
    if "BY" not in terms or not version or len(rest) > 1:
        return None
    base = f"CC-{'-'.join(terms)}-{version if '.' in version else version + '.0'}"
    place = f"{base}-{rest.pop().upper()}" if rest else base
    return Name(place, sure=True) if known(place) else None
