"""Proof of one passage: its bytes in the stored text, and behind them in the original."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.blobs import BlobStore
from storage.digest import sha256_hex
from tasks.shared.layout import Layout, check_range, load_layout, source_range

CHUNK_COLUMNS = (
    "chunk_id",
    "doc_id",
    "text_id",
    "start",
    "end",
    "src_start",
    "src_end",
    "text",
    "text_sha",
)
"""What chunk_reason reads of a row of the chunks table."""


@dataclass(frozen=True, kw_only=True)
class DocumentBytes:
    """Bytes of one document, each blob read once and proven by its hash."""

    original: bytes
    text: bytes
    layout: Layout | None
    blobs: frozenset[str]
    """Names of the blobs that were read."""

    @property
    def mapped(self) -> bool:
        """Whether each byte of the text can be followed to the original."""
        return self.layout is None or self.layout.origin != "extracted"

    @property
    def n_bytes(self) -> int:
        """How many bytes of content were read."""
        same = self.original is self.text
        return len(self.text) + (0 if same else len(self.original))


def read_document(blobs: BlobStore, doc_id: str, text_id: str, layout_id: str) -> DocumentBytes:
    """Read original, text and layout; NotFoundError or CorruptError name the blob."""
    text = blobs.get(text_id)
    original = text if doc_id == text_id else blobs.get(doc_id)
    layout = load_layout(blobs.get(layout_id)) if layout_id else None
    names = frozenset({doc_id, text_id, layout_id} - {""})
    return DocumentBytes(original=original, text=text, layout=layout, blobs=names)


def range_reason(
    document: DocumentBytes, start: int, end: int, source: tuple[int | None, int | None]
) -> str:
    """Return "" when bytes [start, end) of the text come from the recorded bytes of the original.

    Otherwise the reason. Without a byte map there is nothing behind the stored text to prove.
    """
    if not 0 <= start <= end <= len(document.text):
        return f"range [{start}, {end}) is outside the text of {len(document.text)} bytes"
    if document.layout is None and document.original is document.text:
        return (
            "" if source == (start, end) else f"the original range is {(start, end)}, not {source}"
        )
    if not document.mapped:
        return "" if source == (None, None) else "has original offsets, but there is no byte map"
    reason = check_range(document.original, document.text, document.layout, start, end)
    if reason:
        return reason
    expected = source_range(document.text, document.layout, start, end)
    return "" if source == expected else f"the original range is {expected}, not {source}"


def chunk_reason(document: DocumentBytes, chunk: Mapping[str, Any]) -> str:
    """Return "" when a row of the chunks table is proven from its document, else the reason."""
    start, end, text = chunk["start"], chunk["end"], chunk["text"].encode()
    if document.text[start:end] != text:
        return f"its text is not bytes [{start}, {end}) of the stored text"
    if sha256_hex(text) != chunk["text_sha"]:
        return "its text has another hash than the one recorded"
    return range_reason(document, start, end, (chunk["src_start"], chunk["src_end"]))
