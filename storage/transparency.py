"""The tree over the ledger's log: every recorded row can be proven, and that none was rewritten.

Its leaves are the entries of the log, so each version of each row is one: documents with their
licences, answers, citations, revocations, keys. A signed head says what the log held at one time;
an inclusion proof ties a row to it, a consistency proof ties it to a later head.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.attest import Keyring, recorded_keys
from storage.digest import canonical_json
from storage.dsse import STATEMENT_PAYLOAD, Envelope, read_canonical, statement, verify_statement
from storage.errors import CorruptError, MissingError, NotFoundError, SuyuanError
from storage.ledger_engine import reading, writing
from storage.ledger_log import read_head
from storage.ledger_rows import now
from storage.ledger_schema import GENESIS, chain_hash, log, tree_head
from storage.merkle import (
    Frontier,
    complete_subtrees,
    consistency_proof,
    inclusion_proof,
)
from storage.records import Problem
from storage.tiles import Nodes, TileCheck, clear, entry_leaf, extend, missing

HEAD_PREDICATE = "urn:suyuan:tree-head:1"
ORIGIN = "suyuan"

_BATCH_TILES = 64
_READ_ROWS = 5_000
_REBUILD = "`Tree.rebuild` makes the tiles anew from the log"


@dataclass(frozen=True)
class TreeHead:
    """The tree over the first `size` entries of the log."""

    size: int
    root: str
    chain: str
    """Hash chain of the log up to the last of these entries."""


@dataclass(frozen=True)
class SignedHead:
    """A head with what was signed about it."""

    head: TreeHead
    origin: str
    signed_at: str
    envelope: Envelope


def head_statement(head: TreeHead, origin: str, signed_at: str) -> bytes:
    """Give what is signed about a head: an in-toto Statement v1."""
    subject = [{"name": "log", "digest": {"sha256": head.root}}]
    predicate = {"size": head.size, "root": head.root, "chain": head.chain}
    predicate |= {"signed_at": signed_at, "origin": origin}
    return statement(subject, HEAD_PREDICATE, predicate)


def read_head_file(envelope: Envelope, public_keys: list[bytes]) -> SignedHead:
    """Give the head that an envelope signs; CorruptError when none of the keys signed it."""
    predicate = verify_statement(envelope, public_keys, HEAD_PREDICATE).get("predicate", {})
    names = {"size": int, "root": str, "chain": str, "signed_at": str, "origin": str}
    if not isinstance(predicate, dict) or {n: type(v) for n, v in predicate.items()} != names:
        raise CorruptError("does not describe the head of a log", item="statement")
    head = TreeHead(*(predicate[name] for name in ("size", "root", "chain")))
    return SignedHead(head, predicate["origin"], predicate["signed_at"], dict(envelope))


@dataclass(frozen=True)
class Tree:
    """The tree over the log of the ledger behind a URL. Holds no connection, so it pickles."""

    ledger_url: str

    def head(self) -> TreeHead:
        """Give the tree over the whole log as it is now."""
        self.extend()
        with reading(self.ledger_url) as connection:
            last = read_head(connection)
            root = Nodes(connection, last.seq).subtree(0, last.seq)
        return TreeHead(size=last.seq, root=root.hex(), chain=last.chain)

    def inclusion(self, seq: int, size: int | None = None) -> list[bytes]:
        """Prove that entry `seq` is in the tree of `size` entries (default: all)."""
        self.extend()
        with reading(self.ledger_url) as connection:
            nodes, size = _nodes(connection, size, at_least=seq)
            path = inclusion_proof(seq - 1, size, nodes.subtree)
            _check_leaf(nodes, seq)
        return path

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Prove that the tree of `old` entries is the beginning of that of `new` (default: all)."""
        self.extend()
        with reading(self.ledger_url) as connection:
            nodes, new = _nodes(connection, new, at_least=old)
            return consistency_proof(old, new, nodes.subtree)

    def find(self, kind: str, key: str) -> tuple[int, str]:
        """Give number and row hash of the last entry about a row; NotFoundError without one."""
        same = (log.c.key == key) & (log.c.kind == kind)
        query = sa.select(log.c.seq, log.c.row_hash).where(same).order_by(log.c.seq.desc()).limit(1)
        with reading(self.ledger_url) as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError("is not in the log", item=f"ledger:{kind}/{key}")
        return row.seq, row.row_hash

    def sign_head(self, keyring: Keyring, origin: str = ORIGIN) -> Envelope:
        """Sign the head of the log and keep it; when nothing was added since, give the last one.

        CorruptError when the head signed last is not the beginning of the log: then the log was
        rewritten or cut. The root is computed from entries, never from tiles that nobody checked.
        """
        keyring.register(self.ledger_url)
        self.extend()
        try:
            last, head = self._next_head()
        except CorruptError:  # a wrong tile or a rewritten log: the tiles at least can be made anew
            self.rebuild()
            last, head = self._next_head()
        if last is not None and last.head == head:
            return last.envelope
        signed_at = now()
        payload = head_statement(head, origin, signed_at)
        return self._keep(head, signed_at, keyring.sign(STATEMENT_PAYLOAD, payload))

    def signed_head(self) -> SignedHead | None:
        """Give the head that was signed last; None when none was."""
        keys = _keys(self.ledger_url)
        with reading(self.ledger_url) as connection:
            return _last_signed(connection, keys)

    def extend(self) -> None:
        """Store the tiles that the log has filled by now, some per transaction."""
        with reading(self.ledger_url) as connection:
            behind = bool(missing(connection))
        while behind:
            with writing(self.ledger_url) as connection:
                behind = extend(connection, _BATCH_TILES)

    def rebuild(self) -> None:
        """Make all tiles anew from the log."""
        with writing(self.ledger_url) as connection:
            clear(connection)
        self.extend()

    def verify(self) -> list[Problem]:
        """Prove tiles and signed heads against the entries of the log, and the signatures."""
        try:
            keys = _keys(self.ledger_url)
            with reading(self.ledger_url) as connection:
                heads = {row.size: row for row in connection.execute(sa.select(tree_head))}
                found, states = _replay(connection, set(heads))
        except CorruptError as error:
            return [Problem(node=error.item, reason=error.cause)]
        for size, row in sorted(heads.items()):
            if reason := _head_reason(row, states.get(size), keys):
                found.append(Problem(node=f"tree_head:{size}", reason=reason))
        return found

    def _next_head(self) -> tuple[SignedHead | None, TreeHead]:
        """Give the head signed last, and the head of the log from it and the entries since."""
        keys = _keys(self.ledger_url)
        with reading(self.ledger_url) as connection:
            last = _last_signed(connection, keys)
            frontier, chain = Frontier(), GENESIS
            if last is not None:
                frontier, chain = _continued(connection, last.head)
            for row in _entries(connection, frontier.size):
                chain = chain_hash(chain, row.kind, row.key, row.row_hash)
                if (row.seq, row.chain) != (frontier.size + 1, chain):
                    cause = "the entry does not continue the chain, so nothing is signed"
                    raise _rewritten(f"ledger:log/{row.seq}", cause)
                frontier.append(entry_leaf(row.seq, row.kind, row.key, row.row_hash))
        return last, TreeHead(size=frontier.size, root=frontier.root().hex(), chain=chain)

    def _keep(self, head: TreeHead, signed_at: str, envelope: Envelope) -> Envelope:
        row = {"size": head.size, "root": head.root, "signed_at": signed_at}
        with writing(self.ledger_url) as connection:
            read_head(connection, lock=True)
            same = sa.select(tree_head.c.envelope).where(tree_head.c.size == head.size)
            stored = connection.execute(same).scalar()
            if stored is not None:
                return read_canonical(stored.encode(), f"tree_head:{head.size}")
            text = canonical_json(envelope).decode()
            connection.execute(sa.insert(tree_head), [{**row, "envelope": text}])
        return envelope


def _nodes(connection: sa.Connection, size: int | None, at_least: int) -> tuple[Nodes, int]:
    whole = read_head(connection).seq
    wanted = whole if size is None else size
    if not 1 <= at_least <= wanted <= whole:
        cause = f"the log has {whole} entries: there is no proof of {at_least} in {wanted}"
        raise MissingError(cause, item="log")
    return Nodes(connection, whole), wanted


def _check_leaf(nodes: Nodes, seq: int) -> bytes:
    row = nodes.connection.execute(sa.select(log).where(log.c.seq == seq)).first()
    leaf = nodes.leaf(seq - 1)
    if row is None or entry_leaf(row.seq, row.kind, row.key, row.row_hash) != leaf:
        cause = "the entry is not the one that the tree was built from"
        raise CorruptError(cause, item=f"ledger:log/{seq}", way_out=_REBUILD)
    return leaf


def _keys(ledger_url: str) -> list[bytes]:
    return [key.public_key for key in recorded_keys(ledger_url)]


def _entries(connection: sa.Connection, after: int) -> Iterator[sa.Row[Any]]:
    query = sa.select(log).where(log.c.seq > after).order_by(log.c.seq)
    yield from connection.execution_options(yield_per=_READ_ROWS).execute(query)


def _continued(connection: sa.Connection, last: TreeHead) -> tuple[Frontier, str]:
    """Give the tree of the head signed last; CorruptError when the log does not begin with it."""
    item, size = f"tree_head:{last.size}", read_head(connection).seq
    if last.size > size:
        raise _rewritten(item, f"the log has only {size} entries now")
    chain = connection.execute(sa.select(log.c.chain).where(log.c.seq == last.size)).scalar()
    nodes = Nodes(connection, size)
    parts = [nodes.subtree(*part) for part in complete_subtrees(last.size)]
    frontier = Frontier(size=last.size, nodes=parts)
    if chain != last.chain or frontier.root().hex() != last.root:
        raise _rewritten(item, "the log does not begin with the head that was signed")
    return frontier, chain


def _rewritten(item: str, cause: str) -> CorruptError:
    way_out = f"`suyuan verify --all` names what was changed; {_REBUILD}"
    return CorruptError(cause, item=item, way_out=way_out)


def _last_signed(connection: sa.Connection, keys: list[bytes]) -> SignedHead | None:
    query = sa.select(tree_head.c.envelope).order_by(tree_head.c.size.desc()).limit(1)
    text = connection.execute(query).scalar()
    return None if text is None else read_head_file(read_canonical(text.encode(), "head"), keys)


def _replay(
    connection: sa.Connection, sizes: set[int]
) -> tuple[list[Problem], dict[int, TreeHead]]:
    """Read the log once: name the tiles that differ, and give the head at each of the sizes."""
    check, frontier, states = TileCheck(connection), Frontier(), {}
    for row in _entries(connection, 0):
        leaf = entry_leaf(row.seq, row.kind, row.key, row.row_hash)
        check.add(leaf)
        frontier.append(leaf)
        if frontier.size in sizes:
            root = frontier.root().hex()
            states[frontier.size] = TreeHead(size=frontier.size, root=root, chain=row.chain)
    return check.finish(), states


def _head_reason(row: Any, state: TreeHead | None, keys: list[bytes]) -> str:
    try:
        envelope = read_canonical(row.envelope.encode(), "envelope")
        signed = read_head_file(envelope, keys)
    except SuyuanError as error:
        return f"{error.item}: {error.cause}"
    if (row.size, row.root, row.signed_at) != (
        signed.head.size,
        signed.head.root,
        signed.signed_at,
    ):
        return "is not the head that its envelope signs"
    return "" if signed.head == state else "the log does not begin with the head that was signed"
