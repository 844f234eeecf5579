"""Live documents behind a stored text: who carries it, its bytes, and its place in the original."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from storage.errors import SuyuanError
from storage.home import Home
from storage.records import Problem
from tasks.shared.layout import Layout, load_layout, source_range

_COLUMNS = (
    "text_id",
    "doc_id",
    "source",
    "uri",
    "title",
    "author",
    "licence",
    "trust",
    "origin",
    "layout_id",
)
_CACHE_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Carrier:
    """A live document of an active source that has a text."""

    text_id: str
    doc_id: str
    source: str
    uri: str
    title: str
    author: str
    licence: str
    trust: float
    origin: str
    layout_id: str


@dataclass
class LiveTexts:
    """Reads live documents and their texts, each once. What cannot be read is kept as a problem."""

    home: Home
    problems: list[Problem] = field(default_factory=list)
    _carriers: dict[str, tuple[Carrier, ...]] = field(default_factory=dict)
    _texts: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    _layouts: dict[str, Layout | None] = field(default_factory=dict)
    _active: dict[str, bool] = field(default_factory=dict)
    _cached_bytes: int = 0

    def load(self, text_ids: Iterable[str]) -> None:
        """Find the carriers of many texts in one reading of the documents table."""
        wanted = sorted(set(text_ids) - self._carriers.keys())
        if not wanted:
            return
        rows = self._live.filter(pl.col("text_id").is_in(wanted)).collect()
        found: dict[str, list[Carrier]] = {text_id: [] for text_id in wanted}
        for row in rows.iter_rows(named=True):
            carrier = _carrier(row)
            if self._is_active(carrier.source) and not self._is_revoked(carrier):
                found[carrier.text_id].append(carrier)
        self._carriers |= {text_id: tuple(sorted(c, key=_rank)) for text_id, c in found.items()}

    def carriers(self, text_id: str) -> tuple[Carrier, ...]:
        """Give the live documents that have a text, the most trusted first."""
        self.load([text_id])
        return self._carriers[text_id]

    def text(self, text_id: str) -> bytes | None:
        """Read a text; None, and a problem, when its bytes are gone or damaged."""
        if text_id in self._texts:
            self._texts.move_to_end(text_id)
            return self._texts[text_id]
        try:
            data = self.home.blobs.get(text_id)
        except SuyuanError as error:
            self._problem(error, f"blob:{text_id}")
            return None
        self._texts[text_id] = data
        self._cached_bytes += len(data)
        while len(self._texts) > 1 and self._cached_bytes > _CACHE_BYTES:
            self._cached_bytes -= len(self._texts.popitem(last=False)[1])
        return data

    def original(self, carrier: Carrier, start: int, end: int) -> tuple[int | None, int | None]:
        """Give the bytes of the original behind bytes of the text; (None, None) without a map."""
        if carrier.origin == "identity":
            return start, end
        layout = self._layout(carrier.layout_id)
        text = self.text(carrier.text_id)
        if layout is None or text is None:
            return None, None
        return source_range(text, layout, start, end) or (None, None)

    @cached_property
    def _live(self) -> pl.LazyFrame:
        documents = self.home.table("documents").scan()
        return documents.filter(pl.col("status") == "live").select(_COLUMNS)

    def _is_active(self, source: str) -> bool:
        if source not in self._active:
            self._active[source] = self._status("source", source) != "revoked"
        return self._active[source]

    def _is_revoked(self, carrier: Carrier) -> bool:
        key = (carrier.doc_id, carrier.source, carrier.uri)
        return self._status("doc_source", *key) == "revoked"

    def _status(self, kind: str, *key: str) -> str:
        """Look a status up in the ledger, where revocation writes it before it rewrites tables."""
        row = self.home.ledger.get(kind, "|".join(part.replace("|", "%7C") for part in key))
        return str(row["status"]) if row else ""

    def _layout(self, layout_id: str) -> Layout | None:
        if layout_id not in self._layouts:
            self._layouts[layout_id] = self._read_layout(layout_id) if layout_id else None
        return self._layouts[layout_id]

    def _read_layout(self, layout_id: str) -> Layout | None:
        try:
            return load_layout(self.home.blobs.get(layout_id))
        except SuyuanError as error:
            self._problem(error, f"blob:{layout_id}")
            return None

    def _problem(self, error: SuyuanError, node: str) -> None:
        problem = Problem(node=error.item or node, reason=error.cause)
        if problem not in self.problems:
            self.problems.append(problem)


def _carrier(row: dict[str, Any]) -> Carrier:
    blank = {name: row[name] or "" for name in _COLUMNS if name != "trust"}
    return Carrier(**blank, trust=row["trust"] if row["trust"] is not None else 0.0)


def _rank(carrier: Carrier) -> tuple[float, str, str]:
    return -carrier.trust, carrier.source, carrier.uri
