"""Which URIs a source description covers: only those can be found missing."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from tasks.ingest.globs import glob_regex
from tasks.ingest.sources import SourceSpec, location_uri, split_glob

_DISTRIBUTION = re.compile(r"^pkg:pypi/([^@]+)@")


def scope_of(spec: SourceSpec) -> Callable[[str], bool]:
    """Return a test: would a complete listing of this source contain the URI if it existed?"""
    names = frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in spec.distributions)
    places = tuple((location_uri(place), split_glob(place)[1]) for place in spec.locations)

    def in_scope(uri: str) -> bool:
        found = _DISTRIBUTION.match(uri)
        if found:
            return spec.python_env and (not names or found.group(1) in names)
        item = uri.partition("#")[0]
        return any(_covers(base, pattern, item) for base, pattern in places)

    return in_scope


def _covers(base: str, pattern: str, item: str) -> bool:
    if item == base:
        return not pattern
    if not item.startswith(base.rstrip("/") + "/"):
        return False
    below = unquote(item[len(base.rstrip("/")) + 1 :])
    return not pattern or glob_regex(pattern).fullmatch(below) is not None
