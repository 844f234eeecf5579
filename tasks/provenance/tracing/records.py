"""The records of a trace; offsets count bytes, `dataclasses.asdict` gives JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from storage.records import Problem
from tasks.provenance.tracing.stitching import Change


@dataclass(frozen=True, kw_only=True)
class TracedDocument:
    """A passage of a live document that says the same as a passage of the text that was traced."""

    doc_id: str
    source: str
    uri: str
    title: str
    author: str
    licence: str
    trust: float
    text_id: str
    start: int
    """Bytes [start, end) of the document's stored text."""
    end: int
    src_start: int | None
    """Bytes of the original; None when its format allows no byte map."""
    src_end: int | None
    text: str
    """The passage as it stands in the document; its beginning only when it is long."""
    exact: bool
    """Whether the bytes on both sides are equal; compared when the trace was made."""


@dataclass(frozen=True, kw_only=True)
class TracedSpan:
    """Bytes [start, end) of the text stand in the corpus, up to white space, case and markup."""

    start: int
    end: int
    text: str
    count: int
    """Occurrences in the index; documents may list fewer."""
    documents: tuple[TracedDocument, ...]


@dataclass(frozen=True, kw_only=True)
class TracedEdit:
    """One step from the document's passage to the text's."""

    kind: Change
    start: int
    end: int
    doc_start: int
    doc_end: int
    text: str
    """What the text has there; "" for kept."""
    doc_text: str
    """What the document has there; "" for kept."""


@dataclass(frozen=True, kw_only=True)
class StitchedSpan:
    """Bytes [start, end) of the text follow one stored text with few edits."""

    start: int
    end: int
    doc_start: int
    doc_end: int
    edits: tuple[TracedEdit, ...]
    documents: tuple[TracedDocument, ...]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Where the passages of a text stand in the live documents."""

    spans: tuple[TracedSpan, ...]
    """Maximal verbatim spans; neighbours may overlap."""
    stitched: tuple[StitchedSpan, ...]
    coverage: float
    """Share of the bytes of the text, white space left out, that lie in verbatim spans."""
    coverage_stitched: float
    """The same, with what near-verbatim passages kept."""
    n_bytes: int
    n_units: int
    min_units: int
    """Shortest span that was looked for; less than was asked when the text itself is shorter."""
    hidden: int
    """Occurrences left out because no live document has them: index again to forget them."""
    problems: tuple[Problem, ...]
    """Documents whose bytes could not be read or are not what the index holds."""

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return asdict(self)
