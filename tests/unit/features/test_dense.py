"""A dense index keeps its promise of recall, is the same when built again, and gives exact scores."""

import numpy as np
import pytest

from storage.errors import GateError
from tasks.features.dense import (
    FLAT_MAX,
    INDEX_FILE,
    SQ8_MAX,
    Dense,
    DenseOptions,
    build_dense,
    choose_factory,
)

FACTORIES = ["IDMap2,Flat", "IVF16,SQ8", "IVF16,RaBitQ,Refine(SQ8)"]


@pytest.fixture(scope="module")
def vectors():
    """Give unit vectors in loose clusters, as passages of documents are."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((40, 384))
    made = centres[rng.integers(0, 40, 1500)] + 0.7 * rng.standard_normal((1500, 384))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_recall_promised_is_the_recall_found(tmp_path, vectors, factory):
    promise = build_dense(vectors, tmp_path, DenseOptions(factory=factory))
    dense = Dense(tmp_path, promise)
    queries = np.arange(0, 1500, 5)
    found = dense.nearest(vectors[queries], 11)
    exact = np.argsort(-(vectors[queries] @ vectors.T), axis=1, kind="stable")[:, :11]
    recall = np.mean([len(set(a) & set(b)) for a, b in zip(found, exact, strict=True)]) / 11
    assert promise["recall"] >= 0.95
    assert recall >= 0.93


@pytest.mark.parametrize("factory", FACTORIES)
def test_building_twice_gives_the_same_bytes_and_promise(tmp_path, vectors, factory):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    promises = [build_dense(vectors, folder, DenseOptions(factory=factory)) for folder in folders]
    assert promises[0] == promises[1]
    assert (folders[0] / INDEX_FILE).read_bytes() == (folders[1] / INDEX_FILE).read_bytes()


@pytest.mark.parametrize("factory", FACTORIES)
def test_cosines_are_exact_whatever_the_codes(tmp_path, vectors, factory):
    dense = Dense(tmp_path, build_dense(vectors, tmp_path, DenseOptions(factory=factory)))
    rows = np.array([3, 700, 1499])
    expected = vectors[rows].astype(np.float64) @ vectors[8].astype(np.float64)
    assert np.allclose(dense.cosines(vectors[8], rows), expected, atol=2e-6)


def test_an_index_that_misses_its_target_is_refused(tmp_path, vectors):
    with pytest.raises(GateError, match=r"recall@10 reaches 0\.\d+ at most, 0\.950"):
        build_dense(vectors, tmp_path, DenseOptions(factory="IVF16,PQ4x4"))


def test_effort_is_no_higher_than_the_target_needs(tmp_path):
    spread = np.random.default_rng(2).standard_normal((1500, 384)).astype(np.float32)
    vectors = spread / np.linalg.norm(spread, axis=1, keepdims=True)
    low = build_dense(vectors, tmp_path, DenseOptions(factory="IVF16,SQ8", target_recall=0.3))
    high = build_dense(vectors, tmp_path, DenseOptions(factory="IVF16,SQ8", target_recall=0.9))
    assert 1 <= low["nprobe"] < high["nprobe"]


def test_equal_vectors_do_not_lower_the_recall(tmp_path, vectors):
    copies = np.repeat(vectors[:60], 15, axis=0)
    assert build_dense(copies, tmp_path, DenseOptions())["recall"] == 1.0


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_handful_of_vectors_is_an_index_too(tmp_path, vectors, size):
    dense = Dense(tmp_path, build_dense(vectors[:size], tmp_path, DenseOptions()))
    assert dense.nearest(vectors[:1], 100)[0].tolist()[0] == 0


def test_the_factory_follows_the_size():
    assert choose_factory(FLAT_MAX) == "IDMap2,Flat"
    assert choose_factory(90_000) == "IVF1200,SQ8"
    assert choose_factory(SQ8_MAX + 1).endswith(",RaBitQ,Refine(SQ8)")
