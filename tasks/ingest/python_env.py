"""The installed Python distributions as a source: descriptions, licence files, docstrings."""

import re
from collections.abc import Iterator
from email.message import Message
from functools import cached_property
from importlib import metadata
from pathlib import Path

from storage.records import Evidence, Item, RawDocument
from tasks.ingest.extract_code import is_public_path
from tasks.ingest.failures import BadInput, ExtractError
from tasks.ingest.fields import clean
from tasks.ingest.formats import MARKDOWN, PYTHON, REST, TEXT
from tasks.ingest.sources import SourceSpec

MAX_LICENCE_CHARACTERS = 20_000
_LICENCE_FILE = re.compile(r"(?:LICEN[CS]E|COPYING|NOTICE|UNLICENSE)[^/]*", re.IGNORECASE)
_BODY = re.compile(rb"\r?\n\r?\n")
_DOCSTRING = re.compile(rb"\"\"\"|'''|^[ \t]*[rRuU]?[\"']", re.MULTILINE)
_UNKNOWN = {"", "unknown", "none", "n/a"}


def list_distributions(spec: SourceSpec) -> Iterator[Item]:
    """List distributions once each by normalised name; the first on the path is the one in use."""
    wanted = {normal_name(name) for name in spec.distributions}
    seen: set[str] = set()
    for distribution in metadata.distributions():
        name = normal_name(distribution.metadata["Name"] or "")
        if not name or name in seen or (wanted and name not in wanted):
            continue
        seen.add(name)
        uri = f"pkg:pypi/{name}@{distribution.version}"
        yield Item(source=spec.name, uri=uri, kind="distribution")


def read_distribution(item: Item, spec: SourceSpec) -> Iterator[RawDocument | BadInput]:
    """Yield the description, the licence files and the modules with docstrings of one distribution."""
    name, _, version = item.uri.removeprefix("pkg:pypi/").partition("@")
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise ExtractError("file.vanished", "the distribution is not installed any more") from error
    if found.version != version:
        raise ExtractError("file.vanished", f"version {found.version} is installed now: run again")
    yield from _Distribution(found, item.uri, spec).documents()


def normal_name(name: str) -> str:
    """Normalise a distribution's name as package URLs want it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class _Distribution:
    """One installed distribution and what its metadata says."""

    def __init__(self, found: metadata.Distribution, uri: str, spec: SourceSpec) -> None:
        self._uri = uri
        self._spec = spec
        self._found = found
        self._facts: Message = found.metadata  # type: ignore[assignment]  # it is a Message
        self._files = sorted(found.files or (), key=str)

    def documents(self) -> Iterator[RawDocument | BadInput]:
        """Yield everything that is a document."""
        for file in self._files:
            name = _info_name(file)
            if name == "METADATA":
                yield from self._description(Path(str(file.locate())))
            elif _LICENCE_FILE.fullmatch(name.rpartition("/")[2]) or name.startswith("licenses/"):
                yield from self._licence_file(Path(str(file.locate())), name)
        for file in self._files:
            if self._is_module(file):
                yield from self._module(file)

    def _description(self, path: Path) -> Iterator[RawDocument | BadInput]:
        data = self._read(path, "METADATA")
        if isinstance(data, BadInput):
            yield data
            return
        body = _BODY.split(data, maxsplit=1)[-1] if _BODY.search(data) else b""
        if not body.strip():
            body = str(self._facts.get("Description") or "").encode("utf-8", "replace")
        if body.strip().lower().decode("utf-8", "replace") in _UNKNOWN:
            return
        mime = str(self._facts.get("Description-Content-Type") or REST).partition(";")[0].strip()
        known = mime if mime in {MARKDOWN, REST, TEXT} else TEXT
        yield self._document("METADATA", body, known, str(self._facts["Name"]))

    def _licence_file(self, path: Path, name: str) -> Iterator[RawDocument | BadInput]:
        data = self._read(path, name)
        if isinstance(data, BadInput):
            yield data
        elif data.strip():
            title = f"{self._facts['Name']} {name.rpartition('/')[2]}"
            yield self._document(name, data, TEXT, title)

    def _module(self, file: metadata.PackagePath) -> Iterator[RawDocument | BadInput]:
        data = self._read(Path(str(file.locate())), str(file))
        if isinstance(data, BadInput):
            yield data
        elif _DOCSTRING.search(data):
            parts = [part for part in file.with_suffix("").parts if part != "__init__"]
            yield self._document(str(file), data, PYTHON, ".".join(parts))

    def _is_module(self, file: metadata.PackagePath) -> bool:
        parts = file.with_suffix("").parts
        dots = len([part for part in parts if part != "__init__"]) - 1
        return (
            file.suffix == ".py"
            and 0 <= dots <= self._spec.docstring_depth
            and self._spec.docstring_depth > 0
            and all(part.isidentifier() for part in parts)
            and is_public_path(parts)
        )

    def _read(self, path: Path, name: str) -> bytes | BadInput:
        """Read a file of the distribution within the size limit."""
        reason, detail = "file.vanished", "a file of the distribution is gone: reinstall it"
        try:
            if path.stat().st_size <= self._spec.max_item_bytes:
                return path.read_bytes()
            reason, detail = "file.too_large", "the file is over max_item_bytes: raise it"
        except OSError as error:
            detail = f"a file of the distribution cannot be read ({error.strerror}): reinstall it"
        return BadInput(uri=f"{self._uri}#{name}", reason=reason, detail=detail)

    def _document(self, name: str, data: bytes, mime: str, title: str) -> RawDocument:
        licence, evidence = self._licence
        return RawDocument(
            uri=f"{self._uri}#{name}",
            data=data,
            mime=mime,
            title=clean(title),
            author=self._meta.get("author", ""),
            declared_licence=licence,
            declared_evidence=evidence,
            meta=self._meta,
        )

    @cached_property
    def _meta(self) -> dict[str, str]:
        facts = self._facts
        links = [str(link) for link in facts.get_all("Project-URL") or ()]
        home = facts.get("Home-page") or next(
            (link.partition(",")[2].strip() for link in links if _is_home(link)), ""
        )
        values = {
            "name": facts["Name"],
            "version": facts["Version"],
            "author": facts.get("Author") or facts.get("Author-email") or facts.get("Maintainer"),
            "home_page": home,
            "summary": facts.get("Summary"),
        }
        cleaned = {key: clean(str(value or ""))[:500] for key, value in values.items()}
        return {key: value for key, value in cleaned.items() if value.lower() not in _UNKNOWN}

    @cached_property
    def _licence(self) -> tuple[str, Evidence]:
        """Give the licence that the metadata states, else the text of the licence file."""
        facts = self._facts
        expression = facts.get("License-Expression")
        if expression:
            return str(expression), "declared"
        free = str(facts.get("License") or "").strip()
        classifiers = [str(c) for c in facts.get_all("Classifier") or () if "License ::" in str(c)]
        stated = ([free] if free.lower() not in _UNKNOWN else []) + classifiers
        if stated:
            return "\n".join(stated)[:MAX_LICENCE_CHARACTERS], "declared"
        for file in self._files:
            name = _info_name(file).rpartition("/")[2]
            if re.fullmatch(r"(?:LICEN[CS]E|COPYING)[^/]*", name, re.IGNORECASE):
                data = self._read(Path(str(file.locate())), name)
                if isinstance(data, bytes):
                    return data.decode("utf-8", "replace")[:MAX_LICENCE_CHARACTERS], "file"
        return "", "none"


def _info_name(file: metadata.PackagePath) -> str:
    """Give the path below the distribution's own metadata folder; "" for any other file."""
    folder, _, name = str(file).partition(".dist-info/")
    return "" if "/" in folder else name


def _is_home(link: str) -> bool:
    label = link.partition(",")[0].strip().lower()
    return label in {"homepage", "home", "source", "repository", "source code", "github"}
