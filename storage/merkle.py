"""The Merkle tree of RFC 9162 (section 2.1, as in RFC 6962): root, proofs and their verification.

Pure functions over 32-byte hashes. Whoever holds the leaves gives the hash of any subtree through a
function `subtree(start, end)`, so that a tree of millions of leaves need not be in memory.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""Gives the hash over the leaves [start, end)."""


def leaf_hash(data: bytes) -> bytes:
    """Hash the content of a leaf; the prefix keeps a node from passing for a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbours into their parent."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass
class Frontier:
    """A tree that grows leaf by leaf and keeps only its complete subtrees, largest first."""

    size: int = 0
    nodes: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        self.nodes.append(leaf)
        position = self.size
        while (
            position & 1
        ):  # the carries of a binary counter are the subtrees that are complete now
            right = self.nodes.pop()
            self.nodes[-1] = node_hash(self.nodes[-1], right)
            position >>= 1
        self.size += 1

    def root(self) -> bytes:
        """Give the root over all leaves so far."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for left in reversed(self.nodes[:-1]):
            root = node_hash(left, root)
        return root


def tree_hash(leaves: Iterable[bytes]) -> bytes:
    """Give the root over the hashes of leaves."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def complete_subtrees(size: int) -> list[tuple[int, int]]:
    """Cut [0, size) into the complete subtrees of a tree, largest first."""
    found, start = [], 0
    while start < size:
        width = 1 << ((size - start).bit_length() - 1)
        found.append((start, start + width))
        start += width
    return found


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Give PATH(index, D[size]), from the leaf upwards (RFC 9162, 2.1.3.1)."""
    _check(0 <= index < size, f"leaf {index} is not in a tree of {size}")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Give PROOF(old, D[new]), that the tree of `old` leaves is a prefix (RFC 9162, 2.1.4.1)."""
    _check(0 < old <= new, f"a tree of {old} leaves is not a part of one of {new}")
    start, end, whole = 0, new, True
    path = []
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start, whole = middle, False
    return [*([] if whole else [subtree(start, end)]), *reversed(path)]


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Say whether the path leads from the leaf at this place to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            place, last = _skip_levels(place, last)
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    sizes: tuple[int, int], roots: tuple[bytes, bytes], path: Sequence[bytes]
) -> bool:
    """Say whether the (older, newer) trees have one history (RFC 9162, 2.1.4.2)."""
    old, new = sizes
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and roots[0] == roots[1]
    steps = [roots[0], *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = steps[0]
    for node in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            older, newer = node_hash(node, older), node_hash(node, newer)
            place, last = _skip_levels(place, last)
        else:
            newer = node_hash(newer, node)
        place, last = place >> 1, last >> 1
    return last == 0 and (older, newer) == roots


def _skip_levels(place: int, last: int) -> tuple[int, int]:
    """Rise past the levels where the last node has no neighbour and is carried up as it is."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _split(width: int) -> int:
    """Largest power of two below a width of at least 2."""
    return 1 << ((width - 1).bit_length() - 1)


def _check(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)
