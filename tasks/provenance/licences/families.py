"""The families of licence names that are recognised, as data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Family:
    """Licences that share a name and differ by version."""

    template: str
    """SPDX id with {} for the version; without {} the name takes no version."""
    signs: tuple[str, ...]
    """Groups of words; a name must contain all words of at least one."""
    extras: str = ""
    """Words that may stand beside a sign."""
    unversioned: str = ""
    """Id when no version is named; "" when that leaves the licence open."""
    sure: bool = False
    """Whether the id is certain when no version is named."""
    versions: tuple[str, ...] = ()
    """Versions that may be named for a template without {}."""
    suffixes: bool = False
    """Whether the id ends in -only or -or-later."""


_GNU = "gnu general public gpl"
_CC0 = "cc cc0 creative commons public domain dedication universal"

FAMILIES = (
    Family(
        template="Apache-{}",
        signs=("apache", "asl"),
        extras="software public foundation asf asl",
        unversioned="Apache-2.0",
    ),
    Family(template="MIT", signs=("mit", "expat"), extras="mit expat x11 style", sure=True),
    Family(template="MIT-0", signs=("mit no attribution", "mit zero"), sure=True),
    Family(template="0BSD", signs=("zerobsd", "bsd 0clause"), extras="zerobsd", sure=True),
    Family(
        template="BSD-2-Clause",
        signs=("bsd 2clause", "bsd simplified", "freebsd", "bsd two"),
        extras="simplified freebsd bsd 2clause",
        versions=("2",),
        sure=True,
    ),
    Family(
        template="BSD-3-Clause",
        signs=("bsd 3clause", "bsd new", "bsd modified", "bsd revised", "bsd three"),
        extras="new modified revised or 3clause",
        versions=("3",),
        sure=True,
    ),
    Family(
        template="BSD-4-Clause",
        signs=("bsd 4clause", "bsd original", "bsd old", "bsd four"),
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
        unversioned="ODbL-1.0",
        sure=True,
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
        template="PostgreSQL",
        signs=("postgresql",),
        extras="database management system",
        sure=True,
    ),
    Family(
        template="HPND",
        signs=("hpnd", "historical permission notice and disclaimer"),
        extras="hpnd",
        sure=True,
    ),
    Family(template="ZPL-{}", signs=("zpl", "zope public"), extras="zpl zope"),
    Family(
        template="NCSA",
        signs=("ncsa",),
        extras="university of illinois open source",
        sure=True,
    ),
    Family(
        template="CC0-1.0",
        signs=("cc0", "cc zero", "creative commons zero"),
        extras=_CC0 + " zero",
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
"""The first family that fits a name reads it; SPDX has no id for a plain BSD, so none fits it."""
