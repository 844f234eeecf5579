"""Proof of absence: every byte below the home folder is searched for what was removed."""

from collections.abc import Iterator

import numpy as np

from storage.byte_search import Place, Searched, search_file, search_folder
from storage.errors import SuyuanError
from storage.files import Files
from storage.fingerprints import Fingerprints, Words
from storage.revoked import answer_texts
from tasks.provenance.revocation.erasing import not_absent
from tasks.provenance.revocation.kept import explained_by, kept_blobs
from tasks.provenance.revocation.work import Detail, Work

_BLOB_SUFFIX = ".zst"


def prove_absence(work: Work) -> Detail:
    """Search tables, span index, answers and all files; GateError names where something is left."""
    wanted = work.wanted()
    left = [*_derived(work), *_answers(work, wanted)]
    searched = _search(work, wanted)
    left += _unexplained(work, wanted, searched)
    if left or searched.unreadable:
        raise not_absent(work, [*left, *(f"unreadable {name}" for name in searched.unreadable)])
    return {
        "files": searched.files,
        "n_bytes": searched.n_bytes,
        "windows": len(wanted),
        "least_bytes": wanted.least_bytes,
        "not_searched": list(work.tools.not_searched),
        "out_of_reach": list(work.tools.out_of_reach),
    }


def _derived(work: Work) -> Iterator[str]:
    """Find the ids of what was removed in span index, search index and blob store."""
    spans, plan = work.home.spans, work.plan
    live = spans.live()
    yield from (f"span:{text}" for text in plan.texts if text in live)
    yield from (f"spans:{one.name}" for one in spans.segments() if one.dead and plan.spans)
    yield from (f"blob:{sha}" for sha in plan.blobs if work.home.blobs.has(sha))
    buried = work.home.index_store.tombstones()
    yield from (f"index:doc:{doc}" for doc in plan.documents if doc in buried)


def _answers(work: Work, wanted: Fingerprints) -> Iterator[str]:
    texts = answer_texts(work.home.ledger_url)
    yield from (f"answer:{name}" for name, words in texts if wanted.within(words.encode()))


def _search(work: Work, wanted: Fingerprints) -> Searched:
    """Search the home folder, and blobs and tables where they lie elsewhere."""
    home = work.home
    total = sum(path.is_file() for path in home.root.rglob("*"))
    found = search_folder(
        home.root,
        wanted,
        work.tools.not_searched,
        lambda done: work.tools.progress("search", min(done, total), total),
    )
    for url in sorted({home.blobs_url, home.tables_url, str(home.indexes)}):
        local = Files(url).local
        if local is None:
            found = _joined(found, _search_remote(Files(url), wanted))
        elif not local.resolve().is_relative_to(home.root.resolve()):
            found = _joined(found, search_folder(local, wanted))
    return found


def _search_remote(files: Files, wanted: Fingerprints) -> Searched:
    places, unreadable, count, n_bytes = [], [], 0, 0
    for path in files.walk():
        try:
            data = files.read(path)
        except SuyuanError as error:
            unreadable.append(str(error))
            continue
        size, windows = search_file(data, wanted)
        count, n_bytes = count + 1, n_bytes + size
        if windows.size:
            places.append(Place(path, windows))
    return Searched(tuple(places), count, n_bytes, tuple(unreadable))


def _joined(one: Searched, other: Searched) -> Searched:
    return Searched(
        places=one.places + other.places,
        files=one.files + other.files,
        n_bytes=one.n_bytes + other.n_bytes,
        unreadable=one.unreadable + other.unreadable,
    )


def _unexplained(work: Work, wanted: Fingerprints, searched: Searched) -> list[str]:
    """Name the places that hold more than what texts that stay hold too."""
    kept = kept_blobs(work)
    explained: Words = np.empty(0, np.uint64)
    for place in searched.places:
        if (sha := _blob_of(place)) in kept:
            data = work.home.blobs.get(sha)
            explained = np.union1d(explained, explained_by(wanted, data))
    return [place.path for place in searched.places if np.setdiff1d(place.windows, explained).size]


def _blob_of(place: Place) -> str:
    return place.path.rpartition("/")[2].removesuffix(_BLOB_SUFFIX)
