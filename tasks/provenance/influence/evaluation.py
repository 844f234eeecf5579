"""What influence is measured on: JSON Lines of {"id", "text"}; bad lines are refused one by one."""

import json
from dataclasses import dataclass
from pathlib import Path

from storage.errors import InputError
from storage.files import explained

MAX_FILE_BYTES = 64 * 2**20
MAX_TEXTS = 1000


@dataclass(frozen=True, kw_only=True)
class EvaluationTexts:
    """Texts by id, and why other lines were not used."""

    texts: dict[str, str]
    refused: tuple[str, ...]


def read_evaluation(path: Path) -> EvaluationTexts:
    """Read a file; InputError when it is too large or not one line of it can be used."""
    with explained(str(path)):
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"larger than {MAX_FILE_BYTES} bytes", item=str(path))
        lines = path.read_bytes().splitlines()
    texts: dict[str, str] = {}
    refused: list[str] = []
    for number, line in enumerate(lines, start=1):
        try:
            texts |= _parse(line, texts) if line.strip() else {}
        except ValueError as error:
            refused.append(f"{path.name}:{number}: {error}")
    if not texts:
        raise InputError(
            "no usable line", item=str(path), way_out='Each line must be {"id": ..., "text": ...}'
        )
    return EvaluationTexts(texts=texts, refused=tuple(refused))


def _parse(line: bytes, known: dict[str, str]) -> dict[str, str]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    found = row if isinstance(row, dict) else {}
    key, text = found.get("id"), found.get("text")
    for bad, reason in (
        (
            not isinstance(key, str | int) or isinstance(key, bool),
            "field id is missing or not text",
        ),
        (not isinstance(text, str) or not text.strip(), "field text is missing, empty or not text"),
        (str(key) in known, f"id {key!r} came before"),
        (len(known) == MAX_TEXTS, f"more than {MAX_TEXTS} texts"),
    ):
        if bad:
            raise ValueError(reason)
    return {str(key): str(text)}
