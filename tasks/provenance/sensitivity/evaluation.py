"""How many labelled spans of personal data are found, per type, on templates never tuned on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.provenance.sensitivity.detection import KINDS, find_sensitive
from tasks.provenance.share import Share, share

Span = tuple[str, int, int]


@dataclass(frozen=True, kw_only=True)
class TypeScore:
    """Scores of one type; a span is found when at least half of both spans overlaps."""

    precision: Share
    recall: Share
    f1: float
    exact_recall: Share
    """Recall when only equal offsets count."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Scores on one part of the set."""

    rows: int
    types: Mapping[str, TypeScore]
    """Every type that is labelled in the set and that the detector promises."""
    supported: TypeScore
    """All spans of these types together."""
    all_types: TypeScore
    """All labelled spans together, those of types that nobody looks for included."""


@dataclass(frozen=True, kw_only=True)
class SensitivityScores:
    """Scores on the templates that rules were tuned on (even ids) and on the others (odd ids)."""

    n: int
    tuned: Part
    held_out: Part
    not_covered: Mapping[str, int]
    """Labelled types that are not looked for, with their number of spans."""
    not_judged: Mapping[str, int]
    """Spans found of types that the set does not label."""
    refused: tuple[str, ...]


@dataclass
class _Tally:
    rows: int = 0
    labelled: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)
    exact: dict[str, int] = field(default_factory=dict)


def evaluate_sensitivity(rows: Iterable[Mapping[str, Any]]) -> SensitivityScores:
    """Judge find_sensitive on rows {full_text, spans[{entity_type, start_position, end_position}]}.

    Offsets of the rows count characters. Rows without template_id count as held out.
    """
    parts = (_Tally(), _Tally())
    refused: list[str] = []
    n = 0
    for n, row in enumerate(rows, start=1):
        try:
            truth = _labels(row)
        except (KeyError, TypeError, ValueError) as error:
            refused.append(f"row {n}: {error!r}")
            continue
        _count(parts[int(row.get("template_id", 1)) % 2], _found(row["full_text"]), truth)
    labelled = _sum(part.labelled for part in parts)
    types = [kind for kind in KINDS if kind in labelled]
    found = _sum(part.found for part in parts)
    return SensitivityScores(
        n=n,
        tuned=_part(parts[0], types),
        held_out=_part(parts[1], types),
        not_covered={kind: labelled[kind] for kind in sorted(labelled) if kind not in KINDS},
        not_judged={kind: found[kind] for kind in sorted(found) if kind not in labelled},
        refused=tuple(refused),
    )


def overlaps_half(left: Span, right: Span) -> bool:
    """Tell whether at least half of each span lies in the other."""
    common = min(left[2], right[2]) - max(left[1], right[1])
    return common > 0 and 2 * common >= max(left[2] - left[1], right[2] - right[1])


def _labels(row: Mapping[str, Any]) -> list[Span]:
    text = row["full_text"]
    if not isinstance(text, str):
        raise TypeError("full_text must be a string")
    spans = []
    for span in row["spans"]:
        start, end = int(span["start_position"]), int(span["end_position"])
        if not 0 <= start < end <= len(text):
            raise ValueError(f"span {start}..{end} is outside a text of {len(text)} characters")
        spans.append((str(span["entity_type"]), start, end))
    return spans


def _found(text: str) -> list[Span]:
    data = text.encode("utf-8")
    return [
        (span.kind, len(data[: span.start].decode()), len(data[: span.end].decode()))
        for span in find_sensitive(text)
    ]


def _count(tally: _Tally, found: list[Span], truth: list[Span]) -> None:
    tally.rows += 1
    open_labels = list(truth)
    for span in truth:
        _add(tally.labelled, span[0])
    for span in found:
        _add(tally.found, span[0])
        same = [label for label in open_labels if label[0] == span[0]]
        match = next((label for label in same if overlaps_half(span, label)), None)
        if match is not None:
            open_labels.remove(match)
            _add(tally.hits, span[0])
            _add(tally.exact, span[0], int(match == span))


def _add(counts: dict[str, int], kind: str, n: int = 1) -> None:
    counts[kind] = counts.get(kind, 0) + n


def _sum(tallies: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for tally in tallies:
        for kind, n in tally.items():
            _add(total, kind, n)
    return total


def _part(tally: _Tally, types: list[str]) -> Part:
    everything = sorted({*types, *tally.labelled})
    return Part(
        rows=tally.rows,
        types={kind: _score(tally, [kind]) for kind in types},
        supported=_score(tally, types),
        all_types=_score(tally, everything),
    )


def _score(tally: _Tally, kinds: list[str]) -> TypeScore:
    hits = sum(tally.hits.get(kind, 0) for kind in kinds)
    found = sum(tally.found.get(kind, 0) for kind in kinds)
    labelled = sum(tally.labelled.get(kind, 0) for kind in kinds)
    exact = sum(tally.exact.get(kind, 0) for kind in kinds)
    f1 = 2 * hits / (found + labelled) if found + labelled else 0.0
    return TypeScore(
        precision=share(hits, found),
        recall=share(hits, labelled),
        f1=f1,
        exact_recall=share(exact, labelled),
    )
