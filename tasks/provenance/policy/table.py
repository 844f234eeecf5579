"""The table of a licence policy: families of licences, and what each use of them asks for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Literal, get_args

from license_expression import get_license_index

from storage.records import UNKNOWN_LICENCE
from tasks.provenance.licences.names import known, spdx

Use = Literal["index", "train", "quote", "redistribute"]
Verdict = Literal["allow", "attribute", "share-alike", "deny"]
Term = Literal["non-commercial", "no-derivatives", "network-source"]
USES: tuple[Use, ...] = get_args(Use)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""From the mildest to the strictest."""
TERMS: tuple[Term, ...] = get_args(Term)
UNKNOWN = "unknown"
"""Name of the family that takes what no other one fits."""
WITH = " WITH "


@dataclass(frozen=True, kw_only=True)
class Family:
    """Licences that are treated alike."""

    name: str
    ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    verdicts: tuple[Verdict, ...]
    """In the order of USES."""

    def verdict(self, use: Use) -> Verdict:
        """Give what a use of such a licence asks for."""
        return self.verdicts[USES.index(use)]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A table that was checked. Equal digests mean equal verdicts; hashes cheaply, pickles."""

    name: str
    digest: str
    families: tuple[Family, ...] = field(compare=False, repr=False)

    def family(self, licence: str) -> Family:
        """Give the family of one licence; "A WITH B" counts as A where no row names B."""
        return _family(self, licence)


@cache
def categories() -> dict[str, str]:
    """Give the category of each licence by the index of the package license-expression."""
    index = get_license_index()
    return {row["spdx_license_key"]: row["category"] for row in index if row["spdx_license_key"]}


@lru_cache(maxsize=4096)
def _family(policy: Policy, licence: str) -> Family:
    last = next(family for family in policy.families if family.name == UNKNOWN)
    return next(_candidates(policy, licence), last)


def _candidates(policy: Policy, licence: str) -> Iterator[Family]:
    """Give families that fit: those that name the exception, then the id, then its category."""
    base, _, exception = licence.partition(WITH)
    if not _is_licence(base):
        return
    if exception in spdx().known_symbols:
        yield from (f for f in policy.families if any(_fits(licence, p) for p in f.ids))
    yield from (f for f in policy.families if any(_fits(base, p) for p in f.ids))
    category = "" if base == UNKNOWN_LICENCE else categories().get(base)
    yield from (family for family in policy.families if category in family.categories)


def _is_licence(name: str) -> bool:
    """Tell whether a row may speak about a name at all: no pattern takes a made-up id."""
    return known(name) or name.startswith("LicenseRef-") or name in ("NONE", UNKNOWN_LICENCE)


def _fits(licence: str, pattern: str) -> bool:
    """Compare whole names, so that "GPL-*" does not take "GPL-2.0-only WITH …" unasked."""
    return (WITH in licence) == (WITH in pattern) and fnmatchcase(licence, pattern)
