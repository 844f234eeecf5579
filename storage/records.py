"""The records that move between the layers: plain values, frozen, picklable.

Offsets are byte offsets and end-exclusive everywhere, unless a name says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Origin = Literal["identity", "recoded", "mapped", "extracted"]
"""How extracted text relates to the original bytes.

identity: the same bytes; recoded: the same characters in another encoding; mapped: pieces of
the original with a byte map; extracted: no byte map is possible, offsets count in the stored text.
"""

Evidence = Literal["declared", "header", "file", "guessed", "none"]
"""Where a licence was found, from strongest to weakest."""

Status = Literal["live", "superseded", "gone"]
Grade = Literal["quoted", "cited", "exposed", "influenced", "none"]
"""Strength of evidence between a text and a source; a weaker one is never shown as a stronger one."""

UNKNOWN_LICENCE = "NOASSERTION"
"""SPDX's own word for "no licence is known"; unknown stays unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing that a connector found and nobody has read yet: a file, an object, a distribution."""

    source: str
    uri: str
    kind: str
    """Connector that can open it: "file" or "distribution"."""
    n_bytes: int = -1
    """Size as the connector reports it; -1 when unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """An item or a row that could not be used, with the reason and what was kept of it."""

    source: str
    uri: str
    reason: str
    """Machine code such as "pdf.truncated" or "row.no_text"."""
    detail: str
    """One sentence for a person, with the way out."""
    blob_id: str = ""
    """Stored bytes of the item, when they could be read within the size limit."""
    expectation: str = ""
    """Name of the failed Great Expectations expectation, when that is the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawDocument:
    """Original bytes of one document with what its container says about it."""

    uri: str
    data: bytes
    mime: str
    title: str = ""
    author: str = ""
    declared_licence: str = ""
    """Licence as the container or the caller states it; free text."""
    declared_evidence: Evidence = "none"
    """"declared" for a metadata field or an argument, "file" for a licence file beside it."""
    published_at: datetime | None = None
    container_id: str = ""
    """SHA-256 of the file that holds this document as a row; "" for a document of its own."""
    locator: str = ""
    """Place in the container, such as "line=12" or "row=7"."""
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Byte range [start, end) of extracted text that comes from [src_start, src_end) of the original.

    kind "copy": the bytes are equal. kind "entity": the original is a character reference that
    decodes to the text. kind "inserted": white space that the extractor put in; the original
    range is empty.
    """

    start: int
    end: int
    src_start: int
    src_end: int
    kind: Literal["copy", "entity", "inserted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """A heading at byte `start` of the extracted text."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Extraction:
    """Text of a document, and how each byte of it relates to the original."""

    text: str
    origin: Origin
    encoding: str = "utf-8"
    runs: tuple[Run, ...] = ()
    """Complete tiling of the text for origin "mapped"; empty otherwise."""
    outline: tuple[Heading, ...] = ()
    title: str = ""
    author: str = ""
    pages: tuple[int, ...] = ()
    """Start offset of each page, for paged formats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenceFinding:
    """An SPDX licence expression and the evidence it rests on."""

    expression: str
    evidence: Evidence
    raw: str = ""
    """The text that was read, shortened to 200 characters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensitive:
    """A span of personal data or a secret: byte offsets in the extracted text."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A passage of one document: byte range in the extracted text, and in the original if mapped."""

    chunk_id: str
    doc_id: str
    text_id: str
    ordinal: int
    start: int
    end: int
    src_start: int | None
    src_end: int | None
    heading: tuple[str, ...]
    text: str
    n_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One Parquet file of a table, as written by one worker."""

    path: str
    """Path relative to the table's root."""
    n_bytes: int
    n_rows: int
    sha256: str
    partition: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A passage that retrieval returned, with all that a citation needs."""

    chunk_id: str
    doc_id: str
    text_id: str
    origin: Origin
    source: str
    uri: str
    title: str
    licence: str
    trust: float
    language: str
    heading: tuple[str, ...]
    text: str
    start: int
    end: int
    src_start: int | None
    src_end: int | None
    score: float
    bm25: float
    cosine: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """Sentence [a_start, a_end) of an answer rests on bytes [start, end) of a document's text."""

    a_start: int
    a_end: int
    grade: Grade
    score: float
    chunk_id: str
    doc_id: str
    text_id: str
    origin: Origin
    source: str
    uri: str
    licence: str
    start: int
    end: int
    src_start: int | None
    src_end: int | None
    quote_sha256: str
    """SHA-256 of bytes [start, end) of the text blob."""
    a_sha256: str = field(default="", compare=False)
    """SHA-256 of the sentence, given by the ledger; "" before it is stored or once erased."""
    salt: str = field(default="", compare=False)
    """16 random bytes in hexadecimal, given by the ledger; "" before it is stored or once erased."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A stored answer or refusal; offsets in citations count bytes of `text` in UTF-8."""

    answer_id: str
    """A ULID, without the "answer:" prefix."""
    question: str
    status: Literal["answered", "refused"]
    text: str
    generator: str
    index_digest: str
    run_id: str
    created_at: datetime
    citations: tuple[Citation, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    """Relevance signals behind the decision to answer or refuse."""
    state: Literal["live", "stale", "erased"] = "live"
    """stale: a source behind it was revoked or changed; erased: its text is gone as well."""
    stale_reason: str = ""
    salt: str = field(default="", compare=False)
    """As of Citation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """What a model was trained on: one document of one source, under this licence."""

    doc_id: str
    source: str
    licence: str
    n_samples: int
    n_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A violation that verification found: which thing, what is wrong with it."""

    node: str
    """Name of the damaged thing: "blob:<sha>", "part:<table>/<path>", "ledger:<table>/<key>", …"""
    reason: str
