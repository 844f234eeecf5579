"""Read an item into raw documents: a file gives one, a container one for each row."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from storage.records import Evidence, Item, RawDocument
from tasks.ingest.failures import BadInput, ExtractError
from tasks.ingest.fields import clean
from tasks.ingest.formats import CONTAINERS, HTML, JSONL, PARQUET, TSV, format_of, sniff_mime
from tasks.ingest.opening import (
    MAX_STREAM_BYTES,
    PEEK_BYTES,
    file_errors,
    open_content,
    open_item,
    open_regular,
)
from tasks.ingest.python_env import read_distribution
from tasks.ingest.read_parquet import read_parquet
from tasks.ingest.read_rows import Rows, read_csv, read_jsonl
from tasks.ingest.sources import SourceSpec, is_remote, local_path, path_of, split_glob

MAX_LICENCE_BYTES = 20_000
MAX_PARENTS = 64
_LICENCE_NAMES = tuple(
    stem + suffix
    for stem in ("LICENSE", "LICENCE", "COPYING", "License", "license", "UNLICENSE")
    for suffix in ("", ".txt", ".md", ".rst")
)
_HEAD_LICENCE = re.compile(
    rb"""<(?:link|a)\s[^<>]{0,500}rel=["']?license["']?[^<>]{0,500}href=["']([^"'<>]{1,500})"""
    rb"""|<(?:link|a)\s[^<>]{0,500}href=["']([^"'<>]{1,500})["'][^<>]{0,500}rel=["']?license\b"""
    rb"""|<meta\s[^<>]{0,500}name=["'](?:dc|dcterms)\.(?:license|rights)["'][^<>]{0,500}content=["']([^"'<>]{1,500})""",
    re.IGNORECASE,
)


def read_item(item: Item, spec: SourceSpec) -> Iterator[RawDocument | BadInput]:
    """Yield the documents of an item and its bad rows; a failure of the item comes last."""
    try:
        if item.kind == "distribution":
            yield from read_distribution(item, spec)
        else:
            yield from _read_file(item, spec)
    except ExtractError as error:
        yield BadInput(uri=item.uri, reason=error.reason, detail=error.detail)


def _read_file(item: Item, spec: SourceSpec) -> Iterator[RawDocument | BadInput]:
    default, evidence = _default_licence(item, spec)
    with open_item(item, spec) as stream:
        for found in _contents(stream, item, spec):
            if isinstance(found, RawDocument) and not found.declared_licence and default:
                yield replace(found, declared_licence=default, declared_evidence=evidence)
            else:
                yield found


def _contents(stream: IO[bytes], item: Item, spec: SourceSpec) -> Iterator[RawDocument | BadInput]:
    mime = format_of(item.uri).mime
    if mime in CONTAINERS:
        yield from _container(stream, item, mime, spec)
        return
    with open_content(stream, item.uri, spec.max_item_bytes) as content:
        mime = mime or sniff_mime(content.peek(PEEK_BYTES))
        if mime != PARQUET:
            yield _document(content.read(), item, mime)
    if mime == PARQUET:
        yield from _container(stream, item, mime, spec)


def _container(
    stream: IO[bytes], item: Item, mime: str, spec: SourceSpec
) -> Iterator[RawDocument | BadInput]:
    stream.seek(0)
    container_id = _digest(stream)
    rows = Rows(item.uri, container_id, spec)
    if mime == PARQUET:
        yield from _parquet(stream, item, rows)
        return
    with open_content(stream, item.uri, MAX_STREAM_BYTES) as content:
        if mime == JSONL:
            yield from read_jsonl(content, rows)
        else:
            yield from read_csv(content, rows, "\t" if mime == TSV else "")


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _parquet(stream: IO[bytes], item: Item, rows: Rows) -> Iterator[RawDocument | BadInput]:
    if not format_of(item.uri).compression:
        stream.seek(0)
        yield from read_parquet(stream, rows)
        return
    with (
        open_content(stream, item.uri, MAX_STREAM_BYTES) as content,
        tempfile.TemporaryFile() as unpacked,
    ):
        while block := content.read(PEEK_BYTES):
            unpacked.write(block)
        unpacked.seek(0)
        yield from read_parquet(unpacked, rows)


def _document(data: bytes, item: Item, mime: str) -> RawDocument:
    if not data.strip():
        raise ExtractError("file.empty", "the file has no content: fill it or exclude it")
    licence = _head_licence(data) if mime == HTML else ""
    return RawDocument(
        uri=item.uri,
        data=data,
        mime=mime,
        declared_licence=licence,
        declared_evidence="declared" if licence else "none",
        meta={"declared_licence": licence} if licence else {},
    )


def _head_licence(data: bytes) -> str:
    match = _HEAD_LICENCE.search(data, 0, PEEK_BYTES)
    if not match:
        return ""
    return clean(next(group for group in match.groups() if group).decode("utf-8", "replace"))


def _default_licence(item: Item, spec: SourceSpec) -> tuple[str, Evidence]:
    """Give the caller's licence, else the text of the licence file nearest above the item."""
    if spec.licence:
        return spec.licence, "declared"
    if is_remote(item.uri):
        return "", "none"
    roots = [_folder_of(place) for place in spec.locations if not is_remote(place)]
    folder = path_of(item.uri).parent
    for _ in range(MAX_PARENTS):
        if not any(_within(str(folder), root) for root in roots):
            break
        text = _licence_text(folder)
        if text:
            return text, "file"
        folder = folder.parent
    return "", "none"


def _within(folder: str, root: str) -> bool:
    return folder == root or folder.startswith(root.rstrip("/") + "/")


def _folder_of(location: str) -> str:
    path = local_path(split_glob(location)[0])
    return str(path if path.is_dir() else path.parent)


def _licence_text(folder: Path) -> str:
    for name in _LICENCE_NAMES:
        candidate = f"{folder}/{name}"
        if not os.path.isfile(candidate):  # noqa: PTH113  # a third of the time of Path.is_file
            continue
        try:
            with file_errors(), open_regular(Path(candidate).as_uri()) as file:
                return file.read(MAX_LICENCE_BYTES).decode("utf-8", "replace")
        except ExtractError:
            continue
    return ""
