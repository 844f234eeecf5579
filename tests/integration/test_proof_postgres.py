"""Proof on a real PostgreSQL: the same tree, signed heads and keys as on SQLite."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from storage import attest
from storage.attest import Keyring
from storage.ledger import Ledger
from storage.ledger_engine import writing
from storage.ledger_schema import tile
from storage.merkle import verify_consistency, verify_inclusion
from storage.tiles import entry_leaf
from storage.transparency import Tree, read_head_file

pytestmark = pytest.mark.server


def test_heads_proofs_and_tiles_hold(postgres_url, tmp_path, monkeypatch):
    monkeypatch.delenv(attest.KEY_VARIABLE, raising=False)
    ledger, tree, keyring = Ledger(postgres_url), Tree(postgres_url), Keyring(tmp_path / "keys")
    ledger.derive("doc:水", [f"source:{number}" for number in range(700)], "from")
    first = read_head_file(tree.sign_head(keyring), [keyring.public_key()]).head
    keyring.rotate(postgres_url)
    ledger.derive("doc:y", [f"source:{number}" for number in range(300)], "from")
    second = read_head_file(tree.sign_head(keyring), [keyring.public_key()]).head
    roots = (bytes.fromhex(first.root), bytes.fromhex(second.root))
    sizes = (first.size, second.size)
    assert verify_consistency(sizes, roots, tree.consistency(*sizes))
    seq, row_hash = tree.find("derived", "doc:水|source:5|from")
    leaf = entry_leaf(seq, "derived", "doc:水|source:5|from", row_hash)
    assert verify_inclusion(leaf, seq - 1, second.size, tree.inclusion(seq), roots[1])
    assert tree.verify() == []
    with writing(postgres_url) as connection:
        connection.execute(sa.update(tile).where(tile.c.level == 1).values(hashes=b"\0" * 32))
    assert [problem.node for problem in tree.verify()] == ["tile:1/0"]
    tree.rebuild()
    assert tree.verify() == []


def test_many_sign_and_extend_at_once(postgres_url, tmp_path, monkeypatch):
    monkeypatch.delenv(attest.KEY_VARIABLE, raising=False)
    keyring, tree = Keyring(tmp_path / "keys"), Tree(postgres_url)

    def work(worker):
        Ledger(postgres_url).derive(
            f"doc:{worker}", [f"source:{number}" for number in range(400)], "from"
        )
        return tree.sign_head(keyring)

    with ThreadPoolExecutor(4) as pool:
        envelopes = list(pool.map(work, range(4)))
    assert all(read_head_file(envelope, [keyring.public_key()]) for envelope in envelopes)
    assert tree.verify() == []
    assert tree.head().size == 1601
