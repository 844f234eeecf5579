"""The command line's reading of batches: what cannot be read is named, the other lines go on."""

import gzip
import json
import logging

import pytest

from flows.cli_terminal import answer_batch
from flows.launch import _is_unexpected, _kind_of
from storage.errors import (
    ConflictError,
    GateError,
    InputError,
    NotFoundError,
    SuyuanError,
    UnavailableError,
)


def test_each_line_is_answered_in_order_and_a_bad_one_gives_its_error(tmp_path, capsys):
    path = tmp_path / "batch.jsonl.gz"
    rows = [b'{"id": 7, "text": "one"}', b"no json", b"", b'{"id": "b", "text": "two"}']
    path.write_bytes(gzip.compress(b"\n".join(rows)))
    with pytest.raises(SystemExit, match="1"):
        answer_batch(path, lambda text: {"upper": text.upper()})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in lines] == [7, 2, "b"]
    assert [line.get("upper") for line in lines] == ["ONE", None, "TWO"]
    assert f"{path}:2" in lines[1]["error"]


@pytest.mark.parametrize("data", [b"plain", gzip.compress(b'{"id": 1, "text": "x"}')[:20]])
def test_a_file_that_is_no_whole_gzip_is_named(tmp_path, data):
    path = tmp_path / "batch.gz"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"batch\.gz: is no whole gzip file"):
        answer_batch(path, lambda text: {"text": text})


def test_a_batch_that_is_missing_or_a_folder_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="gone"):
        answer_batch(tmp_path / "gone.jsonl", lambda text: {"text": text})
    with pytest.raises(InputError, match="is a folder"):
        answer_batch(tmp_path, lambda text: {"text": text})


def test_only_the_traces_of_deliberate_errors_are_kept_off_the_terminal():
    def logged(error: Exception) -> bool:
        info = (type(error), error, None)
        return _is_unexpected(logging.LogRecord("x", 40, "", 1, "", None, info))

    assert not logged(InputError("bad"))
    assert logged(ValueError("a defect"))
    said = {"no error": True, "Finished in state Failed('x InputError: [SY100] bad')": False}
    for message, shown in said.items():
        record = logging.LogRecord("x", 40, "", 1, message, None, None)
        assert _is_unexpected(record) is shown


@pytest.mark.parametrize("kind", [GateError, NotFoundError, ConflictError, UnavailableError])
def test_a_deployed_run_fails_with_the_kind_that_its_message_names(kind):
    error = kind("was refused", item="source:x", way_out="Read [SY100] first")
    said = f"Flow run encountered an exception: {kind.__name__}: {error}"
    assert _kind_of(said) is kind


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Flow run infrastructure exited with non-zero status code 1.",
        "Flow run encountered an exception: ValueError: the log says [SY300] x",
        "Flow run encountered an exception: GateError: [SY999] of another version",
    ],
)
def test_any_other_failure_of_a_deployed_run_is_of_no_kind(said):
    assert _kind_of(said) is SuyuanError
