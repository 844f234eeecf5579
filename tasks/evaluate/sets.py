"""Read the labelled sets that users bring: questions, licences, sensitive spans.

Formats: docs/evaluation.md. A question set is a folder in BEIR layout or one SQuAD-style JSON
file; a folder without corpus.jsonl judges documents of the published index by URI or document id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storage.errors import InputError
from tasks.evaluate.beir import read_beir
from tasks.evaluate.questions import QuestionSet
from tasks.evaluate.rows import Refusal, Row, RowError, parse_rows, text_field
from tasks.evaluate.squad import read_squad


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Usable rows of a labelled file, and what was refused."""

    rows: tuple[Row, ...]
    refused: tuple[Refusal, ...]


def read_set(path: Path, queries: Path | None = None) -> QuestionSet:
    """Read a set in any documented format; `queries` gives the questions in another language.

    Raises MissingError when a file is absent, InputError when no question is usable.
    """
    found = read_beir(path, queries) if path.is_dir() else read_squad(path, queries)
    if not found.queries:
        why = "; ".join(f"{row.place}: {row.reason}" for row in found.refused[:3])
        raise InputError(
            f"no usable question ({why or 'the set holds none'})",
            item=str(path),
            way_out="See docs/evaluation.md for the formats.",
        )
    return found


def read_licences(path: Path) -> LabelledRows:
    """Read documents `{id, text, license}`; license "" means that the document carries none."""

    def parse(row: Row, number: int) -> Row:
        name = text_field(row, "id", "path", default=str(number))
        licence = text_field({**row, "license": row.get("license") or ""}, "license", default="")
        return {**row, "id": name, "text": text_field(row, "text"), "license": licence}

    return _read_rows(path, parse)


def read_sensitivity(path: Path) -> LabelledRows:
    """Read `{full_text, spans: [{entity_type, start_position, end_position}]}`, char offsets."""

    def parse(row: Row, _: int) -> Row:
        text = text_field(row, "full_text")
        spans = row.get("spans")
        if not isinstance(spans, list):
            raise RowError("field spans is missing or not a list")
        for at, span in enumerate(spans):
            _check_span(span, at, len(text))
        return row

    return _read_rows(path, parse)


def _check_span(span: object, at: int, num_chars: int) -> None:
    if not isinstance(span, dict) or not isinstance(span.get("entity_type"), str):
        raise RowError(f"span {at} has no entity_type")
    start, end = span.get("start_position"), span.get("end_position")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= num_chars):
        raise RowError(f"span {at} [{start}, {end}) does not lie in the text of {num_chars} chars")


def _read_rows(path: Path, parse: Callable[[Row, int], Row]) -> LabelledRows:
    refused: list[Refusal] = []
    rows = tuple(row for _, row in parse_rows(path, parse, refused))
    if not rows:
        first = f"; first refusal: {refused[0].place}: {refused[0].reason}" if refused else ""
        raise InputError(
            f"no usable row{first}",
            item=str(path),
            way_out="See docs/evaluation.md for the formats.",
        )
    return LabelledRows(rows=rows, refused=tuple(refused))
