"""Law of verification: whichever byte of whichever stored file is changed, it is found and named."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.provenance.verification.verify import verify_all
from tests.stored_home import fill_home


@pytest.fixture(scope="module")
def home():
    with tempfile.TemporaryDirectory() as folder:
        yield fill_home(Path(folder)).home


def stored_files(home):
    folder = Path(home.blobs_url).parent
    named = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in named if not path.name.startswith("ledger.db")]


@settings(max_examples=25)
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


@pytest.fixture(scope="module")
def text_cells(home):
    """Every cell of text in the ledger: (table, column, key of the row, value)."""
    found = []
    with closing(connected(home)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
            keys = [column[1] for column in columns if column[5]]
            assert keys
            rows = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in rows.description]
            for row in (dict(zip(names, values, strict=True)) for values in rows):
                key = {name: row[name] for name in keys}
                texts = [(name, cell) for name, cell in row.items() if isinstance(cell, str)]
                found += [(table, name, key, cell) for name, cell in texts if cell]
    return found


def connected(home):
    return sqlite3.connect(home.ledger_url.removeprefix("sqlite:///"))


def set_cell(home, table, column, key, value):
    this = " AND ".join(f'"{name}" = ?' for name in key)
    with closing(connected(home)) as connection, connection:
        change = f'UPDATE "{table}" SET "{column}" = ? WHERE {this}'
        assert connection.execute(change, (value, *key.values())).rowcount == 1


@settings(max_examples=30)
@given(choice=st.integers(0, 10_000), place=st.integers(0, 10_000))
def test_any_changed_character_of_the_ledger_is_found(home, text_cells, choice, place):
    table, column, key, value = text_cells[choice % len(text_cells)]
    at = place % len(value)
    other = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
    set_cell(home, table, column, key, other)
    nodes = [problem.node for problem in home.ledger.verify()]
    set_cell(home, table, column, {**key, column: other} if column in key else key, value)
    assert any(node.startswith(f"ledger:{table}/") for node in nodes)
    assert home.ledger.verify() == []
