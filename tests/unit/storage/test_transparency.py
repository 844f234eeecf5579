"""Every entry of the log is proven; a rewritten log, a wrong tile and a wrong head are named."""

import shutil
import sqlite3

import pytest

from storage import attest
from storage.attest import Keyring
from storage.errors import CorruptError, MissingError, NotFoundError
from storage.ledger import Ledger
from storage.merkle import tree_hash, verify_consistency, verify_inclusion
from storage.tiles import entry_leaf
from storage.transparency import Tree, read_head_file

N_TILES = 3


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv(attest.KEY_VARIABLE, raising=False)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def keyring(tmp_path):
    return Keyring(tmp_path / "keys")


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The folder of a ledger with some tiles, which no test changes."""
    folder = tmp_path_factory.mktemp("grown")
    grow(f"sqlite:///{folder}/ledger.db", 0, N_TILES * 256 + 10)
    return folder


@pytest.fixture
def tree(grown, url, tmp_path):
    shutil.copytree(grown, tmp_path, dirs_exist_ok=True)
    return Tree(url)


def grow(url, start, end):
    Ledger(url).derive("doc:x", [f"source:{number}" for number in range(start, end)], "from")


def sql(url, statement, *values):
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        return connection.execute(statement, values).fetchall()


def leaves(url):
    rows = sql(url, "SELECT seq, kind, key, row_hash FROM log ORDER BY seq")
    return [entry_leaf(*row) for row in rows]


def nodes(tree):
    return [problem.node for problem in tree.verify()]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 513])
def test_the_root_is_that_of_all_leaves(url, size):
    grow(url, 0, size)
    head = Tree(url).head()
    assert (head.size, head.root) == (size, tree_hash(leaves(url)).hex())
    assert head.chain == Ledger(url).head().chain


def test_an_upper_tile_that_fills_is_stored_and_goes_on(url, monkeypatch):
    monkeypatch.setattr("storage.tiles.TILE", 4)
    monkeypatch.setattr("storage.tiles._LEVELS", 2)
    for end in (15, 16, 17, 70):
        grow(url, 0, end)
        head = Tree(url).head()
        assert head.root == tree_hash(leaves(url)).hex()
        assert Tree(url).verify() == []
    counts = sql(url, "SELECT level, count(*) FROM tile GROUP BY level")
    assert counts == [(0, 17), (1, 5), (2, 1), (3, 1)]


@pytest.mark.parametrize("seq", [1, 256, 257, 700, N_TILES * 256 + 10])
def test_every_entry_is_proven(tree, url, seq):
    head, all_leaves = tree.head(), leaves(url)
    path = tree.inclusion(seq)
    root = bytes.fromhex(head.root)
    assert verify_inclusion(all_leaves[seq - 1], seq - 1, head.size, path, root)


@pytest.mark.parametrize("old", [1, 255, 256, 300, 768])
def test_every_earlier_tree_is_proven_to_be_a_prefix(tree, url, old):
    all_leaves, head = leaves(url), tree.head()
    roots = (tree_hash(all_leaves[:old]), bytes.fromhex(head.root))
    assert verify_consistency((old, head.size), roots, tree.consistency(old))


def test_what_the_log_does_not_have_is_not_proven(tree):
    for call in (lambda: tree.inclusion(10_000), lambda: tree.inclusion(0)):
        with pytest.raises(MissingError, match="no proof"):
            call()
    with pytest.raises(MissingError, match="no proof"):
        tree.consistency(5, 10_000)
    with pytest.raises(NotFoundError, match="not in the log"):
        tree.find("derived", "nothing")


def test_a_row_is_found_by_its_last_entry(url):
    Ledger(url).add_source("a", "one")
    Ledger(url).add_source("a", "two")
    assert Tree(url).find("source", "a")[0] == 2


def test_missing_tiles_are_computed_and_stored_again(tree, url):
    root = tree.head().root
    sql(url, "DELETE FROM tile WHERE number = 2 OR level = 1")
    sql(url, "DELETE FROM tile WHERE level = 0")
    assert tree.verify() == []
    assert tree.head().root == root
    assert sql(url, "SELECT count(*) FROM tile WHERE level = 0") == [(N_TILES,)]


@pytest.mark.parametrize("level", [0, 1])
def test_a_wrong_tile_is_named_and_made_anew(tree, url, keyring, level):
    root = tree.head().root
    wrong = "UPDATE tile SET hashes = zeroblob(32) WHERE level = ? AND number = 0"
    sql(url, wrong, level)
    assert nodes(tree) == [f"tile:{level}/0"]
    tree.rebuild()
    assert (tree.verify(), tree.head().root) == ([], root)


def test_signing_makes_tiles_anew_that_contradict_the_last_head(tree, url, keyring):
    tree.sign_head(keyring)
    sql(url, "UPDATE tile SET hashes = zeroblob(32)")
    grow(url, 5_000, 5_001)
    tree.sign_head(keyring)
    assert tree.verify() == []


def test_a_wrong_tile_never_gives_a_wrong_root_that_is_signed(tree, url, keyring):
    tree.extend()
    sql(url, "UPDATE tile SET hashes = randomblob(8192) WHERE level = 0")
    head = read_head_file(tree.sign_head(keyring), [keyring.public_key()]).head
    assert head.root == tree_hash(leaves(url)).hex()


def test_a_tile_beyond_the_log_is_named(tree, url):
    sql(url, "INSERT INTO tile VALUES (0, 99, zeroblob(8192)), (5, 0, zeroblob(32))")
    assert sorted(nodes(tree)) == ["tile:0/99", "tile:5/0"]


def test_signing_twice_without_news_changes_nothing(tree, keyring):
    first = tree.sign_head(keyring, "lab")
    assert tree.sign_head(keyring, "lab") == first
    signed = read_head_file(first, [keyring.public_key()])
    assert (signed.head, signed.origin) == (tree.head(), "lab")
    assert tree.signed_head() == signed


def test_heads_of_a_growing_log_are_signed_across_a_rotation(tree, url, keyring):
    first = tree.signed_head() or read_head_file(tree.sign_head(keyring), [keyring.public_key()])
    keyring.rotate(url)
    second = read_head_file(tree.sign_head(keyring), [keyring.public_key()])
    sizes = (first.head.size, second.head.size)
    roots = (bytes.fromhex(first.head.root), bytes.fromhex(second.head.root))
    assert sizes[1] == sizes[0] + 2
    assert verify_consistency(sizes, roots, tree.consistency(*sizes))
    assert tree.verify() == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log SET row_hash = 'x' WHERE seq = 9",
        "UPDATE log SET key = 'x' WHERE seq = 700",
        "UPDATE log SET chain = 'x' WHERE seq = (SELECT max(seq) FROM log)",
    ],
)
def test_a_log_that_was_rewritten_is_named_and_not_signed(tree, url, keyring, damage):
    tree.sign_head(keyring)
    sql(url, damage)
    assert nodes(tree) != []
    sql(url, "DELETE FROM tile")
    grow(url, 5_000, 5_001)
    with pytest.raises(CorruptError, match="tree_head"):
        tree.sign_head(keyring)


def test_a_log_that_was_cut_is_named_and_not_signed(tree, url, keyring):
    tree.sign_head(keyring)
    sql(url, "DELETE FROM log WHERE seq > 600")
    sql(url, "UPDATE head SET seq = 600, chain = (SELECT chain FROM log WHERE seq = 600)")
    assert nodes(tree) != []
    with pytest.raises(CorruptError, match="only 600 entries"):
        tree.sign_head(keyring)


def test_entries_written_past_the_chain_are_not_signed(tree, url, keyring):
    tree.sign_head(keyring)
    grow(url, 5_000, 5_003)
    sql(url, "UPDATE log SET row_hash = 'x' WHERE seq = (SELECT max(seq) - 1 FROM log)")
    with pytest.raises(CorruptError, match="does not continue the chain"):
        tree.sign_head(keyring)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE tree_head SET root = 'x'",
        "UPDATE tree_head SET signed_at = 'x'",
        "UPDATE tree_head SET size = size - 1",
        'UPDATE tree_head SET envelope = replace(envelope, \'"sig":"\', \'"sig":"A\')',
        "UPDATE tree_head SET envelope = ' ' || envelope",
        "UPDATE signing_key SET public_key = 'x'",
    ],
)
def test_a_changed_head_or_key_is_named(tree, url, keyring, damage):
    tree.sign_head(keyring)
    sql(url, damage)
    assert len(nodes(tree)) == 1


def test_an_entry_that_is_not_the_one_of_the_tree_has_no_proof(tree, url):
    tree.extend()
    sql(url, "UPDATE log SET row_hash = 'x' WHERE seq = 9")
    with pytest.raises(CorruptError, match="log/9"):
        tree.inclusion(9)
