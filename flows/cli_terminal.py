"""What every command shares: where it reads its settings, and how it prints."""

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Deploy = Annotated[bool, typer.Option("--deploy", help="Run as the Prefect deployment, and wait.")]


def load_settings() -> Any:
    """Read the settings and set the off switches of this process."""
    import os

    from infra.settings import Settings
    from storage.files import explained

    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
    settings = _checked_settings(Settings)
    with explained(f"SUYUAN_HOME {settings.home}"):
        return settings.apply()


def _checked_settings(settings: Callable[[], Any]) -> Any:
    from pydantic import ValidationError

    from storage.errors import InputError

    try:
        return settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"SUYUAN_{'_'.join(map(str, first['loc'])).upper()}"
        raise InputError(
            first["msg"], item=name, way_out="Set it right, or unset the variable"
        ) from error


def load_home() -> Any:
    """Give the stores that the settings name."""
    from infra.settings import home

    return home(load_settings())


def chosen_language() -> str:
    """Give the language of messages."""
    from infra.messages import language

    return language(load_settings())


def call_flow(noun: str, params: dict[str, object], *, deploy: bool) -> Any:
    """Run a flow here or as its deployment, and give its report."""
    from flows.launch import run_deployed, run_here

    return (run_deployed if deploy else run_here)(noun, params, load_settings())


def run_flow(noun: str, params: dict[str, object], *, deploy: bool, as_json: bool) -> None:
    """Run a flow and print its report."""
    report = call_flow(noun, params, deploy=deploy)
    text = getattr(report, "text", None)
    if text is not None and not as_json:
        print_line(text(chosen_language()))
    else:
        print_fields(as_fields(report), as_json=as_json)


def as_fields(report: Any) -> dict[str, Any]:
    """Give a report as plain values."""
    return report if isinstance(report, dict) else report.model_dump(mode="json")


def print_fields(fields: dict[str, Any], *, as_json: bool, quiet: bool = False) -> None:
    """Print named values, one a line or as one JSON object."""
    if as_json:
        print_line(json.dumps(fields, ensure_ascii=False, default=str))
    elif not quiet:
        for name, value in fields.items():
            shown = json.dumps(value, ensure_ascii=False, default=str)
            print_line(f"{name:18} {value if isinstance(value, str) else shown}")


def print_line(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def require(holds: bool, message: str) -> None:
    """Refuse the command line unless this holds."""
    if not holds:
        raise typer.BadParameter(message)


def answer_batch(path: Path, answer: Callable[[str], Mapping[str, Any]]) -> None:
    """Answer each line {id, text} of JSON Lines (plain or gzip) with one line, in the same order.

    A line that cannot be used or answered gives {id, error}; the others go on, and the exit code
    is 1 at the end.
    """
    from storage.errors import SuyuanError

    failed = 0
    for number, line in _batch_lines(path):
        row = _batch_row(line)
        try:
            found = answer(_text_of(row, f"{path}:{number}"))
        except SuyuanError as error:
            failed += 1
            found = {"error": str(error)}
        shown = {"id": row.get("id", number), **found}
        print_line(json.dumps(shown, ensure_ascii=False, default=str))
    if failed:
        raise SystemExit(1)


def read_bytes(path: Path) -> bytes:
    """Read a file that a person named; an error that names it when that is not possible."""
    from storage.files import explained

    _refuse_folder(path)
    with explained(str(path)):
        return path.read_bytes()


def _batch_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Give the lines that are not blank with their numbers."""
    from storage.errors import InputError
    from storage.files import explained

    _refuse_folder(path)
    opened = gzip.open if path.suffix == ".gz" else open
    with explained(str(path)), opened(path, "rb") as file:
        try:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(
                f"is no whole gzip file ({error})",
                item=str(path),
                way_out="Compress it again, or give plain JSON Lines",
            ) from error


def _refuse_folder(path: Path) -> None:
    from storage.errors import InputError

    if path.is_dir():
        raise InputError("is a folder", item=str(path), way_out="Name a file")


def _batch_row(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:  # bad JSON and bad UTF-8 alike
        return {}
    return row if isinstance(row, dict) else {}


def _text_of(row: Mapping[str, Any], item: str) -> str:
    from storage.errors import InputError

    if "id" not in row or not isinstance(row.get("text"), str):
        raise InputError('is not {"id": …, "text": "…"}', item=item, way_out="Mend the line.")
    return row["text"]
