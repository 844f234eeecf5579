"""Formats by name and by first bytes: MIME type and compression."""

from dataclasses import dataclass
from urllib.parse import urlsplit

TEXT = "text/plain"
MARKDOWN = "text/markdown"
REST = "text/x-rst"
HTML = "text/html"
PDF = "application/pdf"
JSONL = "application/jsonl"
CSV = "text/csv"
TSV = "text/tab-separated-values"
PARQUET = "application/vnd.apache.parquet"
PYTHON = "text/x-python"

CONTAINERS = frozenset({JSONL, CSV, TSV, PARQUET})
"""Formats whose rows are the documents."""

_BY_SUFFIX = {
    ".txt": TEXT,
    ".text": TEXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".rst": REST,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".pdf": PDF,
    ".jsonl": JSONL,
    ".ndjson": JSONL,
    ".csv": CSV,
    ".tsv": TSV,
    ".parquet": PARQUET,
}
_COMPRESSED = {".gz": "gz", ".zst": "zst"}
_MAGIC = (
    (b"%PDF-", PDF),
    (b"PAR1", PARQUET),
)
_COMPRESSION_MAGIC = ((b"\x1f\x8b", "gz"), (b"\x28\xb5\x2f\xfd", "zst"))


@dataclass(frozen=True, slots=True)
class Format:
    """MIME type ("" when the name does not tell) and compression ("", "gz" or "zst")."""

    mime: str
    compression: str = ""


def format_of(name: str) -> Format:
    """Tell the format from the name of a file or from the path of a URL."""
    path = urlsplit(name).path if "://" in name else name
    stem, compression = path.lower(), ""
    for suffix, kind in _COMPRESSED.items():
        if stem.endswith(suffix):
            stem, compression = stem.removesuffix(suffix), kind
    return Format(_BY_SUFFIX.get(suffix_of(stem), ""), compression)


def suffix_of(path: str) -> str:
    """Give the last suffix of a path in lower case, with its dot; "" when there is none."""
    name = path.rpartition("/")[2].lower()
    stem, dot, suffix = name.rpartition(".")
    return dot + suffix if stem else ""


def sniff_compression(head: bytes) -> str:
    """Tell the compression from the first bytes."""
    return next((kind for magic, kind in _COMPRESSION_MAGIC if head.startswith(magic)), "")


def sniff_mime(head: bytes) -> str:
    """Tell the MIME type from the first bytes; what is not recognised is tried as plain text."""
    for magic, mime in _MAGIC:
        if head.startswith(magic):
            return mime
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return HTML
    return TEXT
