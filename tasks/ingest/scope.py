"""Which URIs a source description covers: only those can be found missing."""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from tasks.ingest.sources import SourceSpec

_NAME = re.compile(r"^pkg:pypi/([^@]+)@")


def scope_of(spec: SourceSpec) -> Callable[[str], bool]:
    """Return a test: would a complete listing of this source contain the URI if it existed?"""
    names = frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in spec.distributions)
    bases = tuple(_base(location) for location in spec.locations)

    def in_scope(uri: str) -> bool:
        match = _NAME.match(uri)
        if match:
            return spec.python_env and (not names or match.group(1) in names)
        item = uri.partition("#")[0]
        return any(_covers(base, item) for base in bases)

    return in_scope


def _base(location: str) -> str:
    if "://" in location:
        return location.rstrip("/")
    return "file://" + str(Path(location).expanduser().absolute())


def _covers(base: str, item: str) -> bool:
    if any(character in base for character in "*?["):
        return fnmatchcase(item, base)
    return item == base or item.startswith(base + "/")
