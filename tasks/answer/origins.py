"""From bytes of a document's text back to bytes of its original, through the stored layout."""

from dataclasses import dataclass, field

import polars as pl

from storage.errors import NotFoundError
from storage.home import Home
from storage.records import Hit
from tasks.answer.composing import identity_range
from tasks.shared.layout import Layout, load_layout, source_range


@dataclass
class OriginalRanges:
    """Finds original bytes; keeps the few documents that one answer cites."""

    home: Home
    _known: dict[str, tuple[bytes, Layout]] = field(default_factory=dict)

    def __call__(self, hit: Hit, start: int, end: int) -> tuple[int, int] | None:
        """Give the original bytes of bytes [start, end) of the text; None for "extracted"."""
        if hit.origin in {"identity", "extracted"}:
            return identity_range(hit, start, end)
        text, layout = self._document(hit)
        return source_range(text, layout, start, end)

    def _document(self, hit: Hit) -> tuple[bytes, Layout]:
        key = f"{hit.doc_id} {hit.text_id}"
        if key not in self._known:
            layout = load_layout(self.home.blobs.get(self._layout_id(hit)))
            self._known[key] = (self.home.blobs.get(hit.text_id), layout)
        return self._known[key]

    def _layout_id(self, hit: Hit) -> str:
        same = (pl.col("doc_id") == hit.doc_id) & (pl.col("text_id") == hit.text_id)
        rows = self.home.table("documents").scan().filter(same).select("layout_id").head(1)
        found: list[str] = rows.collect()["layout_id"].to_list()
        if not found or not found[0]:
            raise NotFoundError(
                "no layout is stored for this text",
                item=f"doc:{hit.doc_id}",
                way_out="Run `suyuan verify --all`, then ingest the document again",
            )
        return found[0]
