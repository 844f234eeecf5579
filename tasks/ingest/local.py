"""List local files: every real file once, no link into a loop, nothing that could block."""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.records import Item
from tasks.ingest.failures import BadInput
from tasks.ingest.formats import format_of
from tasks.ingest.globs import glob_regex, path_matcher
from tasks.ingest.sources import SourceSpec, local_path, split_glob

_LISTING_ERRORS = {
    errno.EACCES: ("folder.permission", "no permission to list the folder: grant it and run again"),
    errno.ENOENT: ("folder.vanished", "the folder went away while it was listed: run again"),
}


@dataclass(frozen=True, slots=True)
class _Found:
    path: str
    real: str
    n_bytes: int
    is_link: bool


@dataclass(frozen=True, slots=True)
class _Root:
    """A location: where it starts, where it really is, and which relative paths are wanted."""

    path: str
    real: str
    wanted: Callable[[str], bool]


def list_local(locations: Sequence[str], spec: SourceSpec) -> Iterator[Item | BadInput]:
    """List local locations; of several paths to one real file the one without a link stays."""
    found: list[_Found] = []
    for location in locations:
        for one in _list_location(location, spec):
            if isinstance(one, BadInput):
                yield one
            else:
                found.append(one)
    seen: set[str] = set()
    for one in sorted(found, key=lambda each: (each.is_link, each.path)):
        if one.real not in seen:
            seen.add(one.real)
            uri = Path(one.path).as_uri()
            yield Item(source=spec.name, uri=uri, kind="file", n_bytes=one.n_bytes)


def _list_location(location: str, spec: SourceSpec) -> Iterator[_Found | BadInput]:
    folder, pattern = split_glob(location)
    path = local_path(folder)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield _no_location(path, error)
        return
    if stat.S_ISDIR(mode):
        root = _Root(str(path), os.path.realpath(path), _wanted(spec, pattern))
        yield from _walk(root)
    else:
        yield _single_file(path, mode)


def _single_file(path: Path, mode: int) -> _Found | BadInput:
    if not stat.S_ISREG(mode):
        return not_regular(path.as_uri())
    return _Found(str(path), os.path.realpath(path), path.stat().st_size, path.is_symlink())


def _wanted(spec: SourceSpec, pattern: str) -> Callable[[str], bool]:
    """Known formats only, unless a pattern ends in a suffix of its own such as *.log."""
    selected = glob_regex(pattern).fullmatch if pattern else bool
    include = path_matcher(spec.include) if spec.include else bool
    exclude = path_matcher(spec.exclude)
    named = _names_suffix(pattern) or any(_names_suffix(one) for one in spec.include)

    def wanted(path: str) -> bool:
        return bool(
            (named or format_of(path).mime)
            and selected(path)
            and include(path)
            and not exclude(path)
        )

    return wanted


def _names_suffix(pattern: str) -> bool:
    suffix = pattern.rpartition("/")[2].rpartition(".")[2]
    return "." in pattern.rpartition("/")[2] and not any(mark in suffix for mark in "*?[")


def _walk(root: _Root) -> Iterator[_Found | BadInput]:
    folders = [root.path]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield _no_folder(folder, error)
            continue
        for entry in ordered:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield from _entry(entry, root)


def _entry(entry: os.DirEntry[str], root: _Root) -> Iterator[_Found | BadInput]:
    wanted = root.wanted(_relative(entry.path, root))
    try:
        status = entry.stat()
        if entry.is_symlink():
            yield from _link(entry, root, wanted, status)
        elif wanted and not stat.S_ISREG(status.st_mode):
            yield not_regular(Path(entry.path).as_uri())
        elif wanted:
            yield _Found(entry.path, _real(entry.path, root), status.st_size, False)
    except OSError as error:
        if error.errno == errno.ELOOP:
            yield _loop(entry.path)
        elif wanted:
            yield BadInput(
                uri=Path(entry.path).as_uri(),
                reason="file.vanished",
                detail="the path points to nothing: mend or delete the link",
            )


def _link(
    entry: os.DirEntry[str], root: _Root, wanted: bool, status: os.stat_result
) -> Iterator[_Found | BadInput]:
    target = os.path.realpath(entry.path)
    folder = stat.S_ISDIR(status.st_mode)
    if folder and _below(_real(entry.path, root), target):
        yield _loop(entry.path)
    elif not _below(target, root.real):
        if folder or wanted:
            yield BadInput(
                uri=Path(entry.path).as_uri() + "/" * folder,
                reason="path.symlink_outside",
                detail="the link leads out of its location and is not followed: "
                "name its target as a location of its own",
            )
    elif wanted and stat.S_ISREG(status.st_mode):
        yield _Found(entry.path, target, status.st_size, True)


def _relative(path: str, root: _Root) -> str:
    return path[len(root.path.rstrip("/")) + 1 :]


def _real(path: str, root: _Root) -> str:
    return f"{root.real.rstrip('/')}/{_relative(path, root)}"


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _loop(path: str) -> BadInput:
    return BadInput(
        uri=Path(path).as_uri(),
        reason="path.symlink_loop",
        detail="the link leads back to a folder that holds it: delete the link",
    )


def not_regular(uri: str) -> BadInput:
    """Describe a folder, pipe, socket or device where a file is wanted."""
    return BadInput(
        uri=uri,
        reason="file.not_regular",
        detail="a pipe, socket, device or folder, which is never opened: name a regular file",
    )


def _no_folder(folder: str, error: OSError) -> BadInput:
    reason, detail = _LISTING_ERRORS.get(
        error.errno or 0,
        ("folder.unreadable", f"the folder cannot be listed ({error.strerror}): see to the disk"),
    )
    return BadInput(uri=Path(folder).as_uri() + "/", reason=reason, detail=detail)


def _no_location(path: Path, error: OSError) -> BadInput:
    if error.errno == errno.ELOOP:
        return _loop(str(path))
    reason = "file.permission" if isinstance(error, PermissionError) else "location.missing"
    detail = f"the location cannot be read ({error.strerror}): correct its name or mount it"
    return BadInput(uri=path.as_uri() + "/", reason=reason, detail=detail)
