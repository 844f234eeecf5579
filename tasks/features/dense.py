"""Nearest vectors: choose a FAISS index by size, measure its recall, refuse one that misses.

The factory and its ladder of efforts follow measurements on real passages: exact search up to 50
thousand vectors, then inverted lists with 8-bit codes, then RaBitQ codes with refinement.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storage.errors import GateError

INDEX_FILE = "vectors.faiss"
VECTORS_FILE = "vectors.npy"

FLAT_MAX = 50_000
SQ8_MAX = 200_000
REFINE_FACTOR = 10
TRAIN_PER_LIST = 39
"""Least training vectors per list, below which FAISS warns of bad centroids."""
TRAIN_PER_LIST_MAX = 128
TIE = 1e-6

Floats = np.ndarray[Any, np.dtype[np.float32]]
Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class DenseOptions:
    """How good the index has to be, and how that is measured."""

    target_recall: float = 0.95
    """Least share of the true nearest neighbours among those found."""
    k: int = 10
    num_queries: int = 200
    """Vectors sampled as queries; each is left out of its own result."""
    seed: int = 0
    factory: str = ""
    """FAISS factory string; empty chooses by size."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The promise of a dense index, as its manifest keeps it."""

    factory: str
    dim: int
    nprobe: int
    """Lists that a search visits; 0 for exact search."""
    refine_factor: int
    recall: float
    k: int
    num_queries: int


def choose_factory(num_vectors: int) -> str:
    """Choose a FAISS factory string by the number of vectors."""
    if num_vectors <= FLAT_MAX:
        return "IDMap2,Flat"
    num_lists = min(int(4 * math.sqrt(num_vectors)), num_vectors // TRAIN_PER_LIST)
    if num_vectors <= SQ8_MAX:
        return f"IVF{num_lists},SQ8"
    return f"IVF{num_lists},RaBitQ,Refine(SQ8)"


def build_dense(vectors: Floats, folder: Path, options: DenseOptions) -> dict[str, object]:
    """Build, tune and store an index of unit vectors; give the measured promise.

    Raises GateError when no effort reaches the target recall.
    """
    import faiss

    factory = options.factory or choose_factory(len(vectors))
    with _one_thread():
        index = _trained(factory, vectors, options.seed)
        measured = _tune(index, factory, vectors, options)
        faiss.write_index(index, str(folder / INDEX_FILE))
    if not factory.endswith("Flat"):
        np.save(folder / VECTORS_FILE, vectors)
    return asdict(measured)


class Dense:
    """A stored dense index with the exact vectors beside it, read by memory map."""

    def __init__(self, folder: Path, promise: dict[str, Any]) -> None:
        import faiss

        self._index = faiss.read_index(str(folder / INDEX_FILE))
        _set_effort(self._index, promise["nprobe"], promise["refine_factor"])
        if (folder / VECTORS_FILE).exists():
            self.vectors = np.load(folder / VECTORS_FILE, mmap_mode="r")
        else:
            self.vectors = _flat_vectors(self._index)

    def nearest(self, queries: Floats, depth: int) -> list[Rows]:
        """Give the rows of the nearest vectors of each query, best first, at most `depth`."""
        _, rows = self._index.search(queries, min(depth, len(self.vectors)))
        return [found[found >= 0] for found in rows]

    def cosines(self, query: Floats, rows: Rows) -> Floats:
        """Compute the exact cosine of a query with some rows.

        Rounded, so that equal texts tie whatever the order of the sums.
        """
        return np.round(np.asarray(self.vectors[rows]) @ query, 6)


def _trained(factory: str, vectors: Floats, seed: int) -> Any:
    import faiss

    index = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    lists = _lists(index)
    if lists is not None:
        lists.cp.seed = seed
        size = min(len(vectors), TRAIN_PER_LIST_MAX * lists.nlist)
        sample = np.random.default_rng(seed).choice(len(vectors), size, replace=False)
        index.train(vectors[np.sort(sample)])
    elif not index.is_trained:
        index.train(vectors)
    if factory.startswith("IDMap2"):
        index.add_with_ids(vectors, np.arange(len(vectors)))
    else:
        index.add(vectors)
    return index


def _tune(index: Any, factory: str, vectors: Floats, options: DenseOptions) -> Measured:
    """Raise the effort by doubling until the target is reached."""
    refine = REFINE_FACTOR if "Refine" in factory else 0
    queries = _sample(len(vectors), options)
    k = min(options.k, len(vectors) - 1)
    best = 0.0
    for nprobe in _ladder(index):
        _set_effort(index, nprobe, refine)
        recall = measure_recall(index, vectors, queries, k)
        if recall >= options.target_recall:
            return Measured(
                factory=factory,
                dim=int(vectors.shape[1]),
                nprobe=nprobe,
                refine_factor=refine,
                recall=round(recall, 6),
                k=k,
                num_queries=len(queries),
            )
        best = max(best, recall)
    raise GateError(
        f"recall@{k} reaches {best:.3f} at most, {options.target_recall:.3f} is asked for",
        item=f"index {factory} of {len(vectors)} vectors",
        way_out="Choose another factory, or lower target_recall knowingly",
    )


def measure_recall(index: Any, vectors: Floats, queries: Rows, k: int) -> float:
    """Measure the share of true neighbours found, with each query left out of its own result.

    A found vector as near as the k-th true neighbour counts, so that equal texts do no harm.
    """
    if k < 1:
        return 1.0
    _, found = index.search(vectors[queries], k + 1)
    total = 0.0
    for query, rows in zip(queries, found, strict=True):
        exact = vectors @ vectors[query]
        exact[query] = -np.inf
        kth = np.partition(exact, -k)[-k]
        others = rows[(rows >= 0) & (rows != query)][:k]
        total += float(np.count_nonzero(exact[others] >= kth - TIE)) / k
    return total / len(queries)


def _sample(num_vectors: int, options: DenseOptions) -> Rows:
    rng = np.random.default_rng(options.seed)
    size = min(options.num_queries, num_vectors)
    return np.sort(rng.choice(num_vectors, size, replace=False))


def _ladder(index: Any) -> Iterator[int]:
    lists = _lists(index)
    if lists is None:
        yield 0
        return
    nprobe = 1
    while nprobe < lists.nlist:
        yield nprobe
        nprobe *= 2
    yield lists.nlist


def _set_effort(index: Any, nprobe: int, refine_factor: int) -> None:
    import faiss

    space = faiss.ParameterSpace()
    if nprobe:
        space.set_index_parameter(index, "nprobe", nprobe)
    if refine_factor:
        space.set_index_parameter(index, "k_factor_rf", refine_factor)


def _lists(index: Any) -> Any:
    """Give the inverted lists inside an index, or None."""
    import faiss

    inner: Any = faiss.downcast_index(index)
    while hasattr(inner, "base_index") or isinstance(inner, faiss.IndexIDMap):
        inner = faiss.downcast_index(getattr(inner, "base_index", None) or inner.index)
    return inner if isinstance(inner, faiss.IndexIVF) else None


def _flat_vectors(index: Any) -> Floats:
    """View the vectors that a flat index stores, without a copy."""
    import faiss

    flat: Any = faiss.downcast_index(index.index)
    stored = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d)
    return np.asarray(stored).reshape(flat.ntotal, flat.d)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Build in one thread: the order of sums, and so the bytes, do not depend on the machine."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
