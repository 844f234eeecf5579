"""Laws of the Merkle tree: it is RFC 9162's recursion, each proof holds, and no changed one does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)

SIZE = st.integers(1, 70)
LEAVES = [leaf_hash(b"%d" % number) for number in range(70)]


def split(size):
    """The largest power of two smaller than the size, found by trying."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def oracle_root(leaves):
    """MTH of RFC 9162, 2.1.1, as written there."""
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(oracle_root(leaves[:k]), oracle_root(leaves[k:]))


def oracle_path(m, leaves):
    """PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*oracle_path(m, leaves[:k]), oracle_root(leaves[k:])]
    return [*oracle_path(m - k, leaves[k:]), oracle_root(leaves[:k])]


def oracle_subproof(m, leaves, whole):
    """SUBPROOF of RFC 9162, 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [oracle_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*oracle_subproof(m, leaves[:k], whole), oracle_root(leaves[k:])]
    return [*oracle_subproof(m - k, leaves[k:], False), oracle_root(leaves[:k])]


def subtree(start, end):
    return oracle_root(LEAVES[start:end])


def flipped(path, place):
    """The path with one bit of it changed."""
    data = bytearray(b"".join(path))
    data[place // 8 % len(data)] ^= 1 << place % 8
    return [bytes(data[at : at + 32]) for at in range(0, len(data), 32)]


@settings(max_examples=60)
@given(size=SIZE, data=st.data(), place=st.integers(0, 1 << 14))
def test_inclusion_is_proven_and_nothing_else(size, data, place):
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1))
    leaves, leaf = LEAVES[:size], LEAVES[index]
    root, path = tree_hash(leaves), inclusion_proof(index, size, subtree)
    assert (root, path) == (oracle_root(leaves), oracle_path(index, leaves))
    assert verify_inclusion(leaf, index, size, path, root)
    assert verify_inclusion(leaf, other, size, path, root) == (other == index)
    assert not verify_inclusion(flipped([leaf], place)[0], index, size, path, root)
    assert not path or not verify_inclusion(leaf, index, size, flipped(path, place), root)


@settings(max_examples=60)
@given(size=SIZE, data=st.data(), place=st.integers(0, 1 << 14))
def test_consistency_is_proven_and_nothing_else(size, data, place):
    old = data.draw(st.integers(1, size))
    roots = (subtree(0, old), subtree(0, size))
    path = consistency_proof(old, size, subtree)
    assert path == oracle_subproof(old, LEAVES[:size], True)
    assert verify_consistency((old, size), roots, path)
    wrong = (flipped(roots[:1], place)[0], roots[1])
    assert not verify_consistency((old, size), wrong, path)
    assert not verify_consistency((old, size), (roots[0], wrong[0]), path)
    assert not path or not verify_consistency((old, size), roots, flipped(path, place))
