"""Laws of the ledger: what is recorded twice is recorded once, and no change goes unseen."""

import sqlite3
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import Ledger

NAME = st.text("abc|", min_size=1, max_size=3)
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "doc_id": NAME,
            "source": NAME,
            "uri": st.text(max_size=4),
            "n_bytes": st.integers(0, 9),
            "trust": st.floats(0, 1),
            "title": st.text(max_size=5),
        }
    ),
    min_size=1,
    max_size=6,
)
TAMPERED = ("document", "doc_source", "derived", "log")


def last_of_each(rows):
    """A ledger holds the latest facts of each document at each place."""
    return list({(row["doc_id"], row["source"], row["uri"]): row for row in rows}.values())


@settings(max_examples=15)
@given(rows=DOCUMENTS)
def test_recording_twice_is_recording_once(rows):
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/l.db")
        sizes = {row["doc_id"]: row["n_bytes"] for row in rows}
        same = [{**row, "n_bytes": sizes[row["doc_id"]]} for row in last_of_each(rows)]
        ledger.add_documents(same)
        head = ledger.head()
        assert ledger.add_documents(same) == 0
        assert (ledger.head(), ledger.verify()) == (head, [])


@settings(max_examples=40)
@given(rows=DOCUMENTS, table=st.sampled_from(TAMPERED), data=st.data())
def test_any_changed_or_removed_row_is_found(rows, table, data):
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/l.db")
        ledger.add_documents(rows)
        with sqlite3.connect(Path(folder) / "l.db") as connection:
            found = connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in found.description]
            row = data.draw(st.sampled_from(found.fetchall()))
            column = data.draw(st.sampled_from([None, *names]))
            this = " AND ".join(f'"{name}" = ?' for name in names)
            if column is None:
                connection.execute(f"DELETE FROM {table} WHERE {this}", row)
            else:
                value = row[names.index(column)]
                other = f"{value}x" if isinstance(value, str) else value + 10_000
                connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE {this}', (other, *row))
        assert ledger.verify() != []
