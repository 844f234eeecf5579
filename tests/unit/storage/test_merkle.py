"""The tree is that of RFC 6962: the reference vectors of Certificate Transparency hold."""

import pytest

from storage.merkle import (
    EMPTY_ROOT,
    complete_subtrees,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    leaf_hash(bytes.fromhex(text))
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATH_0_OF_8 = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]
PROOF_1_OF_8 = PATH_0_OF_8
PROOF_2_OF_5 = [
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
]


def subtree(start, end):
    return tree_hash(LEAVES[start:end])


def hexes(path):
    return [node.hex() for node in path]


def test_the_empty_tree_has_the_hash_of_nothing():
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree_hash([]) == EMPTY_ROOT == bytes.fromhex(expected)


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference_vectors(size):
    assert tree_hash(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_proofs_are_those_of_the_reference_vectors():
    assert hexes(inclusion_proof(0, 8, subtree)) == PATH_0_OF_8
    assert hexes(consistency_proof(1, 8, subtree)) == PROOF_1_OF_8
    assert hexes(consistency_proof(2, 5, subtree)) == PROOF_2_OF_5
    assert hexes(consistency_proof(8, 8, subtree)) == []


def test_a_path_that_is_too_long_or_too_short_is_refused():
    path, root = inclusion_proof(5, 8, subtree), subtree(0, 8)
    assert verify_inclusion(LEAVES[5], 5, 8, path, root)
    assert not verify_inclusion(LEAVES[5], 5, 8, path[:-1], root)
    assert not verify_inclusion(LEAVES[5], 5, 8, [*path, root], root)
    assert not verify_inclusion(LEAVES[5], 8, 8, path, root)
    assert not verify_inclusion(LEAVES[5], -1, 8, path, root)


def test_a_node_within_the_tree_is_not_taken_for_a_leaf():
    path, root = inclusion_proof(0, 8, subtree), subtree(0, 8)
    assert not verify_inclusion(subtree(0, 2), 0, 8, path[1:], root)
    assert not verify_inclusion(root, 0, 8, [], root)


def test_a_consistency_proof_that_is_too_long_or_too_short_is_refused():
    path, roots = consistency_proof(3, 7, subtree), (subtree(0, 3), subtree(0, 7))
    assert verify_consistency((3, 7), roots, path)
    assert not verify_consistency((3, 7), roots, path[:-1])
    assert not verify_consistency((3, 7), roots, [*path, roots[1]])
    assert not verify_consistency((3, 7), roots, [])
    assert not verify_consistency((0, 7), roots, path)
    assert not verify_consistency((7, 3), roots, path)
    assert not verify_consistency((7, 7), roots, [])
    assert verify_consistency((7, 7), (roots[1], roots[1]), [])


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (inclusion_proof, (8, 8)),
        (inclusion_proof, (-1, 8)),
        (consistency_proof, (0, 8)),
        (consistency_proof, (9, 8)),
    ],
)
def test_what_is_not_in_the_tree_has_no_proof(make, arguments):
    with pytest.raises(ValueError, match=r"tree|leaf"):
        make(*arguments, subtree)


def test_a_tree_is_cut_into_complete_subtrees():
    assert complete_subtrees(7) == [(0, 4), (4, 6), (6, 7)]
