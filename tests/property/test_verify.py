"""Law of verification: whichever byte of whichever stored file is changed, it is found and named."""

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.provenance.verify import verify_all
from tests.stored_home import fill_home


@pytest.fixture(scope="module")
def home():
    with tempfile.TemporaryDirectory() as folder:
        yield fill_home(Path(folder)).home


def stored_files(home):
    folder = Path(home.blobs_url).parent
    named = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in named if not path.name.startswith("ledger.db")]


@settings(max_examples=40)
@given(choice=st.integers(0, 10_000), place=st.integers(0, 1 << 20), bit=st.integers(0, 7))
def test_any_flipped_bit_of_any_file_is_found(home, choice, place, bit):
    files = stored_files(home)
    path = files[choice % len(files)]
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[place % len(whole)] ^= 1 << bit
    assume(changed.strip() != whole.strip())  # CURRENT may end with any white space
    path.write_bytes(changed)
    try:
        report = verify_all(home)
        assert not report.ok
        assert all(problem.node for problem in report.problems)
    finally:
        path.write_bytes(whole)


def text_cells(home):
    """Every cell of text in the ledger: (table, column, rowid, value)."""
    with sqlite3.connect(home.ledger_url.removeprefix("sqlite:///")) as connection:
        tables = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            found = connection.execute(f'SELECT rowid, * FROM "{table}"')
            names = [column[0] for column in found.description]
            for row in found:
                cells = zip(names[1:], row[1:], strict=True)
                yield from (
                    (table, name, row[0], cell)
                    for name, cell in cells
                    if isinstance(cell, str) and cell
                )


def set_cell(home, table, column, rowid, value):
    with sqlite3.connect(home.ledger_url.removeprefix("sqlite:///")) as connection:
        connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (value, rowid))


@settings(max_examples=40)
@given(choice=st.integers(0, 10_000), place=st.integers(0, 10_000))
def test_any_changed_character_of_the_ledger_is_found(home, choice, place):
    cells = list(text_cells(home))
    table, column, rowid, value = cells[choice % len(cells)]
    at = place % len(value)
    other = chr(ord(value[at]) ^ 1)
    set_cell(home, table, column, rowid, value[:at] + other + value[at + 1 :])
    nodes = [problem.node for problem in home.ledger.verify()]
    set_cell(home, table, column, rowid, value)
    assert any(node.startswith(f"ledger:{table}/") for node in nodes)
    assert home.ledger.verify() == []
