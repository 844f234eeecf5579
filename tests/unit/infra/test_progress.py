import io

from hypothesis import given
from hypothesis import strategies as st

from infra.artifacts import artifact_key
from infra.progress import Lines, Reporter, reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines_of(total: int) -> list[str]:
    stream = io.StringIO()
    show = Lines(stream)
    for done in range(total + 1):
        show("jobs", done, total)
    return stream.getvalue().splitlines()


@given(st.integers(1, 2000))
def test_a_pipe_gets_one_line_per_tenth_and_always_the_last(total: int) -> None:
    lines = lines_of(total)
    assert len(lines) == min(total, 10)
    assert lines[-1] == f"jobs: {total}/{total}"


def test_a_terminal_gets_a_bar_that_ends_full() -> None:
    stream = Terminal()
    with reporter("ingest", in_prefect=False, stream=stream) as show:
        for done in range(4):
            show("jobs", done, 3)
    assert "3/3" in stream.getvalue()


def test_two_labels_are_counted_apart() -> None:
    stream = io.StringIO()
    with Reporter(Lines(stream)) as show:
        show("a", 1, 1)
        show("b", 1, 1)
    assert stream.getvalue() == "a: 1/1\nb: 1/1\n"


@given(st.lists(st.text(), min_size=1))
def test_artifact_keys_hold_only_what_prefect_accepts(words: list[str]) -> None:
    key = artifact_key(*words)
    assert all(c.isascii() and (c.islower() or c.isdigit() or c == "-") for c in key)
    assert key == artifact_key(key)
