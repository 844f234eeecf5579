"""How much of a text whose sources are known the trace finds, and whether it names them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.home import Home
from tasks.provenance.share import Share, share
from tasks.provenance.tracing.coverage import coverage
from tasks.provenance.tracing.records import Trace, TracedDocument
from tasks.provenance.tracing.trace import TraceOptions, Tracer


@dataclass(frozen=True, kw_only=True)
class KindScore:
    """Queries of one kind, such as "reflow": what of their true bytes was found."""

    kind: str
    n: int
    truths: int
    """Passages with a known source."""
    coverage: float
    """Share of the bytes of true passages, white space left out, in verbatim spans."""
    attributed: float
    """The same, of spans that list the true document at the true place."""
    coverage_stitched: float
    """Share of all bytes of the queries in spans or in what near-verbatim passages kept."""
    false_alarms: Share
    """Queries with a span or a near-verbatim passage, of those without a source."""


@dataclass(frozen=True, kw_only=True)
class LineScore:
    """Lines whose author and work are known."""

    found: Share
    """Lines among whose documents is one of their author and work."""
    first: Share
    """Lines whose first document is of their author and work; others may share the line."""
    missed: tuple[str, ...]
    """Some of the lines that were not found."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line to look for, with who wrote it and where."""

    text: str
    author: str
    title: str


_SHOWN = 20


def evaluate_trace(
    home: Home, queries: Iterable[Mapping[str, Any]], options: TraceOptions | None = None
) -> list[KindScore]:
    """Trace queries {kind, query, truth: [{id, start, end, q_start, q_end}]} and score each kind.

    A document is named by the end of its URI, `#<id>`, as rows of a JSON Lines source are.
    """
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for query in queries:
        by_kind.setdefault(query["kind"], []).append(query)
    tracer = Tracer(home)
    found = []
    for kind, rows in by_kind.items():
        traces = tracer.trace_many([row["query"] for row in rows], options)
        found.append(_score(kind, rows, traces))
    return found


def evaluate_lines(
    home: Home, lines: Sequence[Line], options: TraceOptions | None = None
) -> LineScore:
    """Trace lines and count those whose author and work are named."""
    traces = Tracer(home).trace_many([line.text for line in lines], options)
    named = [_names(line, trace) for line, trace in zip(lines, traces, strict=True)]
    missed = [line.text for line, (listed, _) in zip(lines, named, strict=True) if not listed]
    return LineScore(
        found=share(sum(listed for listed, _ in named), len(lines)),
        first=share(sum(first for _, first in named), len(lines)),
        missed=tuple(missed[:_SHOWN]),
    )


def _score(kind: str, rows: Sequence[Mapping[str, Any]], traces: Sequence[Trace]) -> KindScore:
    covered = attributed = total = 0.0
    alarms = without = truths = 0
    for row, trace in zip(rows, traces, strict=True):
        text = row["query"].encode()
        truths += len(row["truth"])
        without += not row["truth"]
        alarms += not row["truth"] and bool(trace.spans or trace.stitched)
        for truth in row["truth"]:
            size = sum(len(word) for word in text[truth["q_start"] : truth["q_end"]].split())
            total += size
            covered += size * _covered(text, trace, truth, named=False)
            attributed += size * _covered(text, trace, truth, named=True)
    sizes = [trace.n_bytes for trace in traces]
    stitched = sum(t.coverage_stitched * n for t, n in zip(traces, sizes, strict=True))
    return KindScore(
        kind=kind,
        n=len(rows),
        truths=truths,
        coverage=round(covered / total, 6) if total else 0.0,
        attributed=round(attributed / total, 6) if total else 0.0,
        coverage_stitched=round(stitched / max(sum(sizes), 1), 6),
        false_alarms=share(int(alarms), without),
    )


def _covered(text: bytes, trace: Trace, truth: Mapping[str, Any], *, named: bool) -> float:
    start, end = truth["q_start"], truth["q_end"]
    ranges = [
        (max(span.start, start) - start, min(span.end, end) - start)
        for span in trace.spans
        if span.start < end
        and span.end > start
        and (not named or any(_is_true(one, truth) for one in span.documents))
    ]
    return coverage(text[start:end], ranges)


def _is_true(document: TracedDocument, truth: Mapping[str, Any]) -> bool:
    there = document.start < truth["end"] and document.end > truth["start"]
    return there and document.uri.endswith(f"#{truth['id']}")


def _names(line: Line, trace: Trace) -> tuple[bool, bool]:
    """Say whether the author and work of a line are listed, and whether they come first."""
    longest = max(trace.spans, key=lambda span: span.end - span.start, default=None)
    if longest is None:
        return False, False
    truth = (line.author, line.title)
    listed = [(document.author, document.title) for document in longest.documents]
    return truth in listed, listed[:1] == [truth]
