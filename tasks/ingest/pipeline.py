"""From items to rows of the documents table: what one worker does with one batch."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import unquote

from storage.blobs import BlobStore
from storage.digest import sha256_hex
from storage.records import UNKNOWN_LICENCE, Extraction, Item, RawDocument, Reject
from tasks.ingest.extract import extract
from tasks.ingest.failures import BadInput, ExtractError
from tasks.ingest.fields import clean
from tasks.ingest.formats import PYTHON
from tasks.ingest.language import detect_language
from tasks.ingest.opening import file_errors, open_regular
from tasks.ingest.read import read_item
from tasks.ingest.sources import SourceSpec
from tasks.shared.layout import dump_layout

MAX_REJECT_BYTES = 8 << 20
"""Bytes of a rejected item that are kept for inspection."""

Tagger = Callable[[RawDocument, Extraction], Mapping[str, object]]
"""Gives columns of a document's row; a module-level function, so that it pickles."""
Refusal = Callable[[str], str]
"""Says why a document under a licence may not be taken, "" if it may; it pickles."""
LICENCE_DENIED = "licence.denied"
REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True)
class IngestJob:
    """Work for one call: items, how to read them, what is known already."""

    spec: SourceSpec
    blobs_url: str
    items: tuple[Item, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    """doc_id of the live document at each URI."""
    taggers: tuple[Tagger, ...] = ()
    refusal: Refusal | None = None
    """Policy on licences; None takes every document."""
    revoked: Refusal | None = None
    """Why a document, by its id, may not come in again; None takes every document."""
    lineage: bool = True
    """False leaves out taggers, layout and signature: only to measure what they cost."""

    def for_items(self, items: Sequence[Item], known: Mapping[str, str]) -> "IngestJob":
        """Give the same job for some items, with only the known documents that belong to them."""
        wanted = {item.uri for item in items}
        own = {uri: doc for uri, doc in known.items() if uri.partition("#")[0] in wanted}
        return replace(self, items=tuple(items), known=own)


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What came of a batch: new rows, documents that are as they were, and rejects."""

    rows: list[dict[str, object]]
    """Columns of DOCUMENTS except version, status, cluster and run_id."""
    unchanged: list[tuple[str, str]]
    rejects: list[Reject]


def read_batch(job: IngestJob) -> BatchResult:
    """Read, extract, tag and store the documents of a batch; a bad item only rejects itself."""
    batch = _Batch(job)
    for item in job.items:
        for found in read_item(item, job.spec):
            if isinstance(found, BadInput):
                batch.reject(found, item)
            else:
                batch.take(found)
    return BatchResult(rows=batch.rows, unchanged=batch.unchanged, rejects=batch.rejects)


class _Batch:
    """Collects the results of one job."""

    def __init__(self, job: IngestJob) -> None:
        self.rows: list[dict[str, object]] = []
        self.unchanged: list[tuple[str, str]] = []
        self.rejects: list[Reject] = []
        self._job = job
        self._blobs = BlobStore(job.blobs_url)

    def take(self, raw: RawDocument) -> None:
        """Make a row of a document, unless it is known or cannot be used."""
        doc_id = sha256_hex(raw.data)
        if self._job.known.get(raw.uri) == doc_id:
            self.unchanged.append((raw.uri, doc_id))
            return
        if self._job.revoked and (because := self._job.revoked(doc_id)):
            self.reject(BadInput(uri=raw.uri, reason=REVOKED, detail=because))
            return
        try:
            extraction = extract(raw, timeout_s=self._job.spec.timeout_s)
        except ExtractError as error:
            self.reject(
                BadInput(uri=raw.uri, reason=error.reason, detail=error.detail, data=raw.data)
            )
            return
        if raw.mime == PYTHON and not extraction.text:
            return
        lineage = self._lineage(raw, extraction)
        if self._job.refusal and (denied := self._job.refusal(str(lineage["licence"]))):
            self.reject(BadInput(uri=raw.uri, reason=LICENCE_DENIED, detail=denied))
            return
        lineage["layout_id"] = self._layout(extraction) if self._job.lineage else ""
        self.rows.append({**self._row(raw, doc_id, extraction), **lineage})

    def reject(self, bad: BadInput, item: Item | None = None) -> None:
        """Keep a reject, with its bytes when they are few enough."""
        data = bad.data or (_salvaged(item) if item and item.uri == bad.uri else b"")
        small = 0 < len(data) <= MAX_REJECT_BYTES
        self.rejects.append(
            Reject(
                source=self._job.spec.name,
                uri=bad.uri,
                reason=bad.reason,
                detail=bad.detail,
                blob_id=self._blobs.put(data) if small else "",
            )
        )

    def _row(self, raw: RawDocument, doc_id: str, extraction: Extraction) -> dict[str, object]:
        text = extraction.text.encode()
        self._blobs.put(raw.data)
        text_id = doc_id if extraction.origin == "identity" else self._blobs.put(text)
        return {
            "source": self._job.spec.name,
            "uri": raw.uri,
            "doc_id": doc_id,
            "n_bytes": len(raw.data),
            "mime": raw.mime,
            "title": raw.title or extraction.title or _name_of(raw.uri),
            "author": raw.author or extraction.author,
            "language": detect_language(extraction.text),
            "text_id": text_id,
            "text_bytes": len(text),
            "origin": extraction.origin,
            "trust": self._job.spec.trust,
            "container_id": raw.container_id,
            "locator": raw.locator,
            "fetched_at": datetime.now(UTC),
            "published_at": raw.published_at,
            "meta": json.dumps(dict(raw.meta), ensure_ascii=False, sort_keys=True),
        }

    def _lineage(self, raw: RawDocument, extraction: Extraction) -> dict[str, object]:
        """Give the columns that say where a text comes from and what may be done with it."""
        columns: dict[str, object] = {
            "licence": UNKNOWN_LICENCE,
            "licence_evidence": "none",
            "licence_raw": "",
            "sensitivity": [],
            "signature": b"",
        }
        if self._job.lineage:
            from tasks.ingest.duplicates import signature

            columns["signature"] = signature(extraction.text)
            for tagger in self._job.taggers:
                columns.update(tagger(raw, extraction))
        return columns

    def _layout(self, extraction: Extraction) -> str:
        plain = extraction.origin == "identity" and not extraction.outline and not extraction.pages
        return "" if plain else self._blobs.put(dump_layout(extraction))


def _salvaged(item: Item) -> bytes:
    """Read a rejected local file once more, if it is small and regular."""
    if not item.uri.startswith("file://"):
        return b""
    try:
        with file_errors(), open_regular(item.uri) as file:
            data = file.read(MAX_REJECT_BYTES + 1)
    except ExtractError:
        return b""
    return data if len(data) <= MAX_REJECT_BYTES else b""


def _name_of(uri: str) -> str:
    """Title a document by its name in the URI."""
    return clean(unquote(uri.rstrip("/").rpartition("/")[2]))
