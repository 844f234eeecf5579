"""Tiles: the nodes of the Merkle tree over the ledger's log, 256 hashes a row, as C2SP tlog-tiles has it.

Tile (level, number) holds the nodes of tree level 8 x level from number x 256 on; level 0 are leaves.
A tile of leaves is stored once it is full; those above grow with each tile below. All of it is derived
from the log: what is missing is computed, what is wrong is found by `verify` and rebuilt.
"""

from dataclasses import dataclass, field

import sqlalchemy as sa

from storage.digest import canonical_json
from storage.errors import CorruptError
from storage.ledger_log import read_head
from storage.ledger_schema import log, tile
from storage.merkle import HASH_BYTES, Frontier, complete_subtrees, leaf_hash, tree_hash
from storage.records import Problem

TILE = 256
_LEVELS = 8
"""Levels of the tree within a tile."""


def entry_leaf(seq: int, kind: str, key: str, row_hash: str) -> bytes:
    """Hash a log entry as a leaf: its number, table and key, and the hash of the row."""
    return leaf_hash(canonical_json([seq, kind, key, row_hash]))


def entry_leaves(connection: sa.Connection, start: int, end: int) -> list[bytes]:
    """Give the leaves [start, end) of the log; the leaf of entry `seq` is number seq - 1."""
    query = sa.select(log.c.seq, log.c.kind, log.c.key, log.c.row_hash)
    part = query.where(log.c.seq > start, log.c.seq <= end).order_by(log.c.seq)
    leaves = [entry_leaf(*row) for row in connection.execute(part)]
    if len(leaves) != end - start:
        raise CorruptError(f"entries are missing after {start}", item=f"ledger:log/{start + 1}")
    return leaves


@dataclass
class Nodes:
    """Nodes of the tree over the log, as one transaction sees them, read tile by tile."""

    connection: sa.Connection
    size: int
    _read: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    def subtree(self, start: int, end: int) -> bytes:
        """Give the hash over leaves [start, end), where start is a multiple of the width's power of two."""
        frontier = Frontier()
        for low, high in complete_subtrees(end - start):
            frontier.nodes.append(self._complete(start + low, high - low))
        return frontier.root()

    def leaf(self, index: int) -> bytes:
        """Give a leaf as the tiles have it."""
        return self._tile(0, index // TILE)[index % TILE]

    def _complete(self, start: int, width: int) -> bytes:
        level, inside = divmod(width.bit_length() - 1, _LEVELS)
        first = start >> (level * _LEVELS)
        hashes = self._tile(level, first // TILE)[first % TILE :][: 1 << inside]
        return tree_hash(hashes)

    def _tile(self, level: int, number: int) -> list[bytes]:
        if (level, number) not in self._read:
            known = cut(stored_tile(self.connection, level, number) or b"")
            self._read[level, number] = self._completed(level, number, known)
        return self._read[level, number]

    def _completed(self, level: int, number: int, known: list[bytes]) -> list[bytes]:
        """Add what the stored tile lacks, from the log or from the tiles below."""
        first = number * TILE
        wanted = min(TILE, (self.size >> (level * _LEVELS)) - first)
        if len(known) >= wanted:
            return known
        if level == 0:
            return entry_leaves(self.connection, first, first + wanted)
        below = range(first + len(known), first + wanted)
        return known + [tree_hash(self._tile(level - 1, lower)) for lower in below]


def missing(connection: sa.Connection) -> range:
    """Give the numbers of the tiles of leaves that the log has filled and nobody stored yet."""
    size = read_head(connection).seq
    last = sa.select(sa.func.max(tile.c.number)).where(tile.c.level == 0)
    number = connection.execute(last).scalar()
    return range(0 if number is None else number + 1, size // TILE)


def extend(connection: sa.Connection, n_tiles: int) -> bool:
    """Store the next tiles of leaves and the nodes above them; say whether more are left.

    Needs a transaction that writes; others that extend wait for it.
    """
    read_head(connection, lock=True)
    numbers = missing(connection)
    for number in numbers[:n_tiles]:
        leaves = entry_leaves(connection, number * TILE, (number + 1) * TILE)
        _store(connection, 0, number, leaves)
        _add_node(connection, 1, number, tree_hash(leaves))
    return len(numbers) > n_tiles


def clear(connection: sa.Connection) -> None:
    """Forget all tiles."""
    connection.execute(sa.delete(tile))


@dataclass
class TileCheck:
    """Compares the stored tiles with those of a log that is read once, leaf by leaf."""

    connection: sa.Connection
    problems: list[Problem] = field(default_factory=list)
    _open: list[list[bytes]] = field(default_factory=list)
    _done: list[int] = field(default_factory=list)

    def add(self, node: bytes, level: int = 0) -> None:
        """Take the next node of a level."""
        if level == len(self._open):
            self._open.append([])
            self._done.append(0)
        self._open[level].append(node)
        if len(self._open[level]) == TILE:
            full = self._open[level]
            self._compare(level, full)
            self._open[level] = []
            self._done[level] += 1
            self.add(tree_hash(full), level + 1)

    def finish(self) -> list[Problem]:
        """Compare the tiles that are still growing, and give all that differ."""
        for level, nodes in enumerate(self._open):
            self._compare(level, nodes)
        for level, number in self.connection.execute(sa.select(tile.c.level, tile.c.number)):
            if level >= len(self._open) or number > self._done[level]:
                self._wrong(level, number)
        return self.problems

    def _compare(self, level: int, nodes: list[bytes]) -> None:
        """A tile above the leaves may lag behind the log; what it has must be right."""
        number = self._done[level]
        found = stored_tile(self.connection, level, number)
        if found is not None and (not found or found != b"".join(nodes)[: len(found)]):
            self._wrong(level, number)

    def _wrong(self, level: int, number: int) -> None:
        node = f"tile:{level}/{number}"
        self.problems.append(Problem(node=node, reason="does not follow from the log"))


def stored_tile(connection: sa.Connection, level: int, number: int) -> bytes | None:
    """Read a tile; None when it is not stored."""
    same = (tile.c.level == level) & (tile.c.number == number)
    hashes = connection.execute(sa.select(tile.c.hashes).where(same)).scalar()
    return None if hashes is None else bytes(hashes)


def cut(hashes: bytes) -> list[bytes]:
    """Cut the content of a tile into its hashes."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _add_node(connection: sa.Connection, level: int, index: int, node: bytes) -> None:
    number, place = divmod(index, TILE)
    known = cut(stored_tile(connection, level, number) or b"")
    if len(known) != place:
        cause = f"has {len(known)} hashes where {place} belong"
        raise CorruptError(cause, item=f"tile:{level}/{number}", way_out="Rebuild the tiles")
    _store(connection, level, number, [*known, node])
    if place == TILE - 1:
        _add_node(connection, level + 1, number, tree_hash([*known, node]))


def _store(connection: sa.Connection, level: int, number: int, hashes: list[bytes]) -> None:
    same = (tile.c.level == level) & (tile.c.number == number)
    connection.execute(sa.delete(tile).where(same))
    row = {"level": level, "number": number, "hashes": b"".join(hashes)}
    connection.execute(sa.insert(tile), [row])
