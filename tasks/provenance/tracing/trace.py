"""Trace a text: find its passages in the live documents, with their sources, by comparing bytes.

The span index proposes places; documents, sources and texts are read from the stores at the time
of the question. `exact` compares bytes, a place whose text does not say the same is a problem and
not a source, and what no live document of an active source carries is not shown.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from storage.errors import InputError, MissingError
from storage.home import Home
from storage.records import Problem
from storage.spans.manifest import NAME as MANIFEST
from tasks.provenance.tracing.coverage import coverage
from tasks.provenance.tracing.live_texts import Carrier, LiveTexts
from tasks.provenance.tracing.records import (
    StitchedSpan,
    Trace,
    TracedDocument,
    TracedEdit,
    TracedSpan,
)
from tasks.provenance.tracing.stitching import Edit, Match, Stitch, may_join, stitch
from tasks.provenance.tracing.view import render

if TYPE_CHECKING:
    from storage.spans.index import SpanHit, SpanIndex, SpanMatch
    from storage.spans.units import Scanner, Units

__all__ = ["Trace", "TraceOptions", "Tracer", "render", "trace_text"]

MAX_TEXT_BYTES = 4 << 20
MAX_PASSAGE_BYTES = 4096
SEED_UNITS = 4
"""Pieces of a near-verbatim passage may be as short as this, when together they are long enough."""

MOST_SEED_HITS = 12
"""A piece that occurs more often ties a text to no document in particular."""

MOST_SEEDED_UNITS = 20_000
"""In a longer text only spans are joined: it has enough of them."""

_HITS_PER_DOCUMENT = 4
"""Places looked at for each document shown, so that one document's repetitions hide no other."""


Places = Mapping[str, Collection[Match]]


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """What to look for, and how much of it to show."""

    min_units: int = 8
    """Shortest span: words, or characters of scripts without spaces, which say about as much."""
    max_documents: int = 10
    """Passages shown for one span."""
    max_bytes: int = MAX_TEXT_BYTES

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if min(self.min_units, self.max_documents, self.max_bytes) < 1:
            raise ValueError("min_units, max_documents and max_bytes must be 1 or more")


def trace_text(home: Home, text: bytes | str, options: TraceOptions | None = None) -> Trace:
    """Trace one text; MissingError without a span index."""
    return Tracer(home).trace(text, options)


def has_span_index(home: Home) -> bool:
    """Say whether the span index was ever built; one that lost all its documents counts."""
    return (home.spans.folder / MANIFEST).exists()


@dataclass
class Tracer:
    """Traces texts against one state of the stores: for many texts in a row, not for a server."""

    home: Home
    texts: LiveTexts = field(init=False)

    def __post_init__(self) -> None:
        """Open the index; MissingError when there is none."""
        self.texts = LiveTexts(self.home)
        self._index: SpanIndex = self.home.spans
        if not has_span_index(self.home):
            raise MissingError(
                "there is no span index", item="spans", way_out="Run `suyuan index` first"
            )

    def trace(self, text: bytes | str, options: TraceOptions | None = None) -> Trace:
        """Find the passages of one text."""
        return self.trace_many([text], options)[0]

    def trace_many(
        self, texts: Sequence[bytes | str], options: TraceOptions | None = None
    ) -> list[Trace]:
        """Find the passages of many texts, with one reading of the documents table."""
        options = options or TraceOptions()
        queries = [_Query.of(_checked(text, options), options, self._scanner) for text in texts]
        hits = options.max_documents * _HITS_PER_DOCUMENT
        found = [self._index.trace(q.text, min_units=q.min_units, max_hits=hits) for q in queries]
        places = [self._places(q, matches) for q, matches in zip(queries, found, strict=True)]
        self.texts.load(hit.doc_id for matches in found for match in matches for hit in match.hits)
        self.texts.load(text_id for by_text in places for text_id in by_text)
        return [
            _Tracing(query, self.texts, self._scanner, options).result(matches, by_text)
            for query, matches, by_text in zip(queries, found, places, strict=True)
        ]

    def _places(self, query: "_Query", matches: "Sequence[SpanMatch]") -> Places:
        """Give the pieces of possible near-verbatim passages, by text."""
        found: dict[str, set[Match]] = defaultdict(set)
        seeds: Sequence[SpanMatch] = ()
        if query.min_units > SEED_UNITS and query.units.starts.size <= MOST_SEEDED_UNITS:
            seeds = self._index.trace(
                query.text,
                min_units=SEED_UNITS,
                max_hits=MOST_SEED_HITS,
                max_count=MOST_SEED_HITS,
            )
        for match in (*matches, *seeds):
            for hit in match.hits:
                found[hit.doc_id].add(Match(match.start, match.end, hit.start, hit.end))
        return {text_id: places for text_id, places in found.items() if may_join(places)}

    @property
    def _scanner(self) -> "Scanner":
        from storage.spans.units import current_rule, scanner

        return scanner(current_rule())


@dataclass(frozen=True)
class _Query:
    text: bytes
    units: "Units"
    min_units: int

    @staticmethod
    def of(text: bytes, options: TraceOptions, scanner: "Scanner") -> "_Query":
        """Cut a text into units; one that is too short for a span is looked for as a whole."""
        units = scanner.units(text)
        shortest = min(options.min_units, max(1, units.starts.size))
        return _Query(text, units, shortest)


@dataclass
class _Tracing:
    """One trace while it is put together."""

    query: _Query
    texts: LiveTexts
    scanner: "Scanner"
    options: TraceOptions
    hidden: int = 0
    problems: list[Problem] = field(default_factory=list)

    def result(self, matches: "Sequence[SpanMatch]", places: Places) -> Trace:
        known = len(self.texts.problems)
        spans = tuple(span for match in matches if (span := self._span(match)))
        verbatim = [(span.start, span.end) for span in spans]
        stitched = tuple(self._stitched(places, verbatim))
        kept = [edit for one in stitched for edit in one.edits if edit.kind == "kept"]
        text = self.query.text
        return Trace(
            spans=spans,
            stitched=stitched,
            coverage=coverage(text, verbatim),
            coverage_stitched=coverage(text, [*verbatim, *((e.start, e.end) for e in kept)]),
            n_bytes=len(text),
            n_units=int(self.query.units.starts.size),
            min_units=self.query.min_units,
            hidden=self.hidden,
            problems=tuple(dict.fromkeys([*self.texts.problems[known:], *self.problems])),
        )

    def _span(self, match: "SpanMatch") -> TracedSpan | None:
        """Give a span with its live documents; None when no live document has it."""
        documents, seen = [], set()
        for exact, hit in self._proven(match):
            for carrier in self.texts.carriers(hit.doc_id):
                repeated = (carrier.source, carrier.uri) in seen
                seen.add((carrier.source, carrier.uri))
                documents.append((repeated, not exact, -carrier.trust, carrier, hit))
        if not documents:
            return None
        documents.sort(key=lambda one: one[:3])
        passage = self.query.text[match.start : match.end]
        return TracedSpan(
            start=match.start,
            end=match.end,
            text=_shown(passage),
            count=match.count,
            documents=tuple(
                traced_document(self.texts, carrier, (hit.start, hit.end), passage)
                for *_, carrier, hit in documents[: self.options.max_documents]
            ),
        )

    def _proven(self, match: "SpanMatch") -> "Iterator[tuple[bool, SpanHit]]":
        """Compare each place with the text that stands there; give those that say the same."""
        wanted = self.query.text[match.start : match.end]
        for hit in match.hits:
            if not self.texts.carriers(hit.doc_id):
                self.hidden += 1
                continue
            text = self.texts.text(hit.doc_id)
            if text is None:
                continue
            there = text[hit.start : hit.end]
            if there == wanted or self._says_the_same(there, wanted):
                yield there == wanted, hit
            else:
                reason = f"the span index is wrong about bytes [{hit.start}, {hit.end})"
                self.problems.append(Problem(node=f"blob:{hit.doc_id}", reason=reason))

    def _says_the_same(self, one: bytes, other: bytes) -> bool:
        units = self.scanner.units
        return bool(units(one).hashes.tobytes() == units(other).hashes.tobytes())

    def _stitched(
        self, places: Places, verbatim: Sequence[tuple[int, int]]
    ) -> Iterator[StitchedSpan]:
        """Give the near-verbatim passages in order, without those that lie in a verbatim span."""
        passages = [one for text_id in places for one in self._passages(text_id, places[text_id])]
        passages.sort(key=lambda one: (one[1].start, -one[1].end, -one[1].kept, one[0]))
        shown: Counter[tuple[int, int]] = Counter()
        for text_id, one in passages:
            place = (one.start, one.end)
            shown[place] += 1
            if shown[place] <= self.options.max_documents and not _inside(place, verbatim):
                yield self._stitched_span(text_id, one)

    def _passages(self, text_id: str, places: Collection[Match]) -> Iterator[tuple[str, Stitch]]:
        text = self.texts.text(text_id) if self.texts.carriers(text_id) else None
        if text is not None:
            for one in stitch(places, self.query.units, self.scanner.units(text)):
                if one.kept >= self.query.min_units:
                    yield text_id, one

    def _stitched_span(self, text_id: str, one: Stitch) -> StitchedSpan:
        text = self.texts.text(text_id) or b""
        passage = self.query.text[one.start : one.end]
        place = (one.doc_start, one.doc_end)
        carriers = self.texts.carriers(text_id)[: self.options.max_documents]
        return StitchedSpan(
            start=one.start,
            end=one.end,
            doc_start=one.doc_start,
            doc_end=one.doc_end,
            edits=tuple(_edit(edit, self.query.text, text) for edit in one.edits),
            documents=tuple(traced_document(self.texts, c, place, passage) for c in carriers),
        )


def traced_document(
    texts: LiveTexts, carrier: Carrier, place: tuple[int, int], passage: bytes
) -> TracedDocument:
    """Describe the bytes at a place of a live document, and compare them with a passage."""
    there = (texts.text(carrier.text_id) or b"")[slice(*place)]
    source = texts.original(carrier, *place)
    return TracedDocument(
        doc_id=carrier.doc_id,
        source=carrier.source,
        uri=carrier.uri,
        title=carrier.title,
        author=carrier.author,
        licence=carrier.licence,
        trust=carrier.trust,
        text_id=carrier.text_id,
        start=place[0],
        end=place[1],
        src_start=source[0],
        src_end=source[1],
        text=_shown(there),
        exact=there == passage,
    )


def _inside(place: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a range lies in one of the spans; their starts and ends both rise."""
    at = bisect_right(spans, place[0], key=lambda span: span[0])
    return at > 0 and place[1] <= spans[at - 1][1]


def _checked(text: bytes | str, options: TraceOptions) -> bytes:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if not data.strip():
        raise InputError("there is no text to trace", item="text", way_out="Give some text")
    if len(data) > options.max_bytes:
        raise InputError(
            f"the text has {len(data)} bytes, at most {options.max_bytes} are traced at once",
            item="text",
            way_out="Cut it into parts, one a line of --batch",
        )
    return data


def _shown(passage: bytes) -> str:
    return passage[:MAX_PASSAGE_BYTES].decode("utf-8", "ignore")


def _edit(edit: Edit, text: bytes, document: bytes) -> TracedEdit:
    kept = edit.kind == "kept"
    return TracedEdit(
        kind=edit.kind,
        start=edit.start,
        end=edit.end,
        doc_start=edit.doc_start,
        doc_end=edit.doc_end,
        text="" if kept else _shown(text[edit.start : edit.end]),
        doc_text="" if kept else _shown(document[edit.doc_start : edit.doc_end]),
    )
