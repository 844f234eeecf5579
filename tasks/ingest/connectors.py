"""List what a source holds: folders, files, globs, fsspec URLs, the Python environment."""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.records import Item, Reject
from tasks.ingest.failures import BadInput
from tasks.ingest.local import list_local
from tasks.ingest.python_env import list_distributions
from tasks.ingest.remote import list_remote
from tasks.ingest.sources import SourceSpec, is_remote

MAX_ITEMS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a source holds, sorted by URI, and what could not be listed.

    The URI of a rejected folder ends in "/": nothing is known of what lies below it.
    """

    items: tuple[Item, ...]
    rejects: tuple[Reject, ...]


def list_items(spec: SourceSpec) -> Listing:
    """List a source without reading it; each item once, also when locations overlap."""
    items: dict[str, Item] = {}
    bad: dict[tuple[str, str], BadInput] = {}
    for found in _found(spec):
        if isinstance(found, BadInput):
            bad[found.uri, found.reason] = found
        elif len(items) < MAX_ITEMS:
            items.setdefault(found.uri, found)
        else:
            bad["", "listing.too_long"] = _too_long(spec)
            break
    return Listing(
        items=tuple(items[uri] for uri in sorted(items)),
        rejects=tuple(
            Reject(source=spec.name, uri=one.uri, reason=one.reason, detail=one.detail)
            for _, one in sorted(bad.items())
        ),
    )


def _found(spec: SourceSpec) -> Iterable[Item | BadInput]:
    yield from list_local([place for place in spec.locations if not is_remote(place)], spec)
    for location in spec.locations:
        if is_remote(location):
            yield from list_remote(location, spec)
    if spec.python_env:
        yield from list_distributions(spec)


def _too_long(spec: SourceSpec) -> BadInput:
    return BadInput(
        uri=f"source:{spec.name}",
        reason="listing.too_long",
        detail=f"more than {MAX_ITEMS} items: split the source into several with narrower globs",
    )
