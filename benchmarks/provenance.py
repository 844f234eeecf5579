"""The span index against infini-gram on Debian documentation, and on labelled queries.

One process, one run. Identity and latency are compared in infini-gram's own token units; building,
sizes, adding, taking down and compaction in ours, from text to index. Kernels are compiled and
both indexes are in memory before anything is timed; queries alternate. CPU seconds count children.
`--quick` takes every sixth document and fewer queries; `--debs DIR` takes the packages from there.
"""

import argparse
import gzip
import hashlib
import itertools
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peer_infini_gram as peer
from benchmarks.debian_docs import documents
from benchmarks.report import Result, environment, measured, publish
from infra.settings import Settings
from storage.spans.index import Passage, SpanIndex
from storage.spans.search import trace
from storage.spans.suffixes import SuffixArray
from storage.spans.units import current_rule, scanner

LABELLED = "docs-multilicense"
QUERY_TOKENS = 200
MIN_TOKENS, MIN_UNITS = 6, 8
SEED = 1
SMALL_SHARE, DEAD_SHARE = 0.03, 0.05
COVERAGE_BARS = {
    "verbatim": 0.98, "reflow": 0.975, "lower": 0.98, "nomarkup": 0.88, "splice": 0.955,
}  # fmt: skip

Query = np.ndarray


@dataclass(frozen=True)
class Size:
    """How much to run."""

    every: int
    queries: int


QUICK = Size(every=6, queries=40)
FULL = Size(every=1, queries=200)


def corpus(size: Size, debs: Path | None) -> list[Passage]:
    """Read the documents, in a fixed random order."""
    texts = documents(debs)[:: size.every]
    order = np.random.default_rng(SEED).permutation(len(texts))
    chosen = [texts[at] for at in order]
    return [Passage(hashlib.sha256(path.encode()).hexdigest(), text) for path, text in chosen]


def queries_of(documents: Sequence[np.ndarray], count: int) -> dict[str, list[Query]]:
    """Draw queries of 200 tokens: one passage, pieces of 8 to 25, pieces of 4."""
    rng = np.random.default_rng(SEED)
    long = [tokens for tokens in documents if tokens.size >= QUERY_TOKENS]
    weights = np.array([tokens.size for tokens in long]) / sum(tokens.size for tokens in long)

    def piece(length: int) -> np.ndarray:
        tokens = long[rng.choice(len(long), p=weights)]
        start = rng.integers(0, tokens.size - length + 1)
        return tokens[start : start + length]

    def pieces(least: int, most: int) -> np.ndarray:
        drawn = [piece(int(rng.integers(least, most))) for _ in range(QUERY_TOKENS // least + 1)]
        return np.concatenate(drawn)[:QUERY_TOKENS]

    return {
        "verbatim": [piece(QUERY_TOKENS) for _ in range(count)],
        "splice": [pieces(8, 26) for _ in range(count)],
        "novel": [pieces(4, 5) for _ in range(count)],
    }


def kernel_times(array: SuffixArray, queries: Sequence[Query], min_len: int) -> np.ndarray:
    """Time the search of each query alone, in microseconds."""
    rows = np.empty((QUERY_TOKENS, 5), np.int64)
    times = []
    for query in queries:
        values = np.ascontiguousarray(query, np.int64)
        start = time.perf_counter()
        trace(array.arrays, values, min_len, rows)
        times.append(time.perf_counter() - start)
    return np.array(times) * 1e6


def against_peer(passages: Sequence[Passage], size: Size, folder: Path) -> Iterator[Result]:
    """Build both indexes from text, ask both the same questions in the peer's units."""
    texts = [passage.text.decode("utf-8", "replace") for passage in passages]
    n_bytes = sum(len(passage.text) for passage in passages)
    index = SpanIndex(folder / "spans")
    with measured() as ours:
        index.add(passages)
    tokenizer = peer.train_bpe(texts)
    with measured() as cutting:
        tokens = peer.encode(tokenizer, texts)
    with measured() as building:
        peer_bytes = peer.build(folder / "peer", tokens, [one.doc_id for one in passages])
    cpu = cutting.cpu + building.cpu
    yield Result(
        name="text to index", ours=ours.cpu, peer=cpu, peer_name="BPE + infini-gram", unit="CPU-s",
        n=len(passages), bar="ratio <= 0.125", passes=8 * ours.cpu <= cpu,
        detail={"text_MB": n_bytes / 1e6, "peer_bpe_cpu_s": cutting.cpu,
                "peer_index_cpu_s": building.cpu, "wall_s": [ours.wall, cutting.wall + building.wall]},
    )  # fmt: skip
    yield Result(
        name="index bytes", ours=index.n_bytes() / n_bytes, peer=peer_bytes / n_bytes,
        peer_name="infini-gram", unit="x text", n=index.n_units(), bar="<= 1.0",
        passes=index.n_bytes() <= n_bytes,
    )  # fmt: skip
    yield from same_answers(tokens, size, peer.engine(folder / "peer"))


def same_answers(tokens: Sequence[np.ndarray], size: Size, engine: Any) -> Iterator[Result]:
    """Compare spans, counts and latency in BPE tokens; queries alternate between both."""
    parts = [part for ids in tokens for part in (np.zeros(1, np.int32), ids.astype(np.int32) + 1)]
    array = SuffixArray.build(np.concatenate(parts))
    drawn = queries_of(tokens, size.queries)
    array.trace(drawn["splice"][0] + 1, MIN_TOKENS)
    peer.attribute(engine, drawn["splice"][0].tolist(), MIN_TOKENS)
    differing = total = n_spans = 0
    times: dict[str, list[list[float]]] = defaultdict(lambda: [[], []])
    for kind, queries in drawn.items():
        for query in queries:
            as_list, shifted = query.tolist(), query.astype(np.int64) + 1
            start = time.perf_counter()
            theirs = peer.attribute(engine, as_list, MIN_TOKENS)
            middle = time.perf_counter()
            found = array.trace(shifted, MIN_TOKENS)
            end = time.perf_counter()
            mine = list(
                zip(found.starts.tolist(), found.ends.tolist(), found.counts.tolist(), strict=True)
            )
            differing += mine != theirs
            total, n_spans = total + 1, n_spans + len(theirs)
            times[kind][0].append(end - middle)
            times[kind][1].append(middle - start)
    yield Result(
        name="queries whose (start, end, count) differ", ours=differing, unit="queries", n=total,
        peer_name="infini-gram", bar="0 of >= 600", passes=differing == 0, detail={"spans": n_spans},
    )  # fmt: skip
    for kind, (ours, theirs_s) in times.items():
        p50, peer_p50 = np.median(ours) * 1e6, np.median(theirs_s) * 1e6
        yield Result(
            name=f"trace, 200 BPE tokens, {kind}, p50", ours=p50, peer=peer_p50,
            peer_name="infini-gram", unit="us", n=len(ours), bar="ratio <= 0.01",
            passes=bool(p50 * 100 <= peer_p50),
            detail={"p95": [float(np.percentile(x, 95) * 1e6) for x in (ours, theirs_s)]},
        )  # fmt: skip


def kernels(passages: Sequence[Passage], size: Size) -> Iterator[Result]:
    """Time the search in word units on an array in memory."""
    cut = scanner(current_rule())
    hashes = [cut.units(passage.text).hashes for passage in passages]
    words, ids = np.unique(np.concatenate(hashes), return_inverse=True)
    counts = np.bincount(ids, minlength=words.size)
    rank = np.empty(words.size, np.int32)
    rank[np.argsort(-counts, kind="stable")] = np.arange(1, words.size + 1, dtype=np.int32)
    bounds = np.cumsum([0, *(one.size for one in hashes)])
    tokens = [rank[ids[a:b]] for a, b in itertools.pairwise(bounds)]
    separated = [part for one in tokens for part in (np.zeros(1, np.int32), one)]
    array = SuffixArray.build(np.concatenate(separated))
    bars = {"verbatim": 10.0, "splice": 60.0}
    for kind, queries in queries_of(tokens, size.queries).items():
        kernel_times(array, queries[:5], MIN_UNITS)
        times = kernel_times(array, queries, MIN_UNITS)
        p50 = float(np.median(times))
        yield Result(
            name=f"kernel, 200 word units, {kind}, p50", ours=p50, unit="us", n=len(queries),
            bar=f"<= {bars[kind]:.0f}" if kind in bars else "",
            passes=p50 <= bars[kind] if kind in bars else None,
            detail={"p95": float(np.percentile(times, 95))},
        )  # fmt: skip


def upkeep(passages: Sequence[Passage], size: Size, folder: Path) -> Iterator[Result]:
    """Add a small part; take documents down and compact; compare with building again."""
    cut = round(len(passages) * (1 - SMALL_SHARE))
    whole, grown = SpanIndex(folder / "whole"), SpanIndex(folder / "grown")
    with measured() as full:
        whole.add(passages)
    grown.add(passages[:cut])
    with measured() as small:
        grown.add(passages[cut:])
    yield Result(
        name=f"adding {SMALL_SHARE:.0%} of the documents", ours=small.cpu, peer=full.cpu,
        peer_name="full build", unit="CPU-s", n=len(passages) - cut, bar="ratio <= 0.05",
        passes=small.cpu <= 0.05 * full.cpu,
    )  # fmt: skip
    asked = questions(passages, size.queries)
    yield differing("answers that differ, two segments and one", asked, whole, grown)
    rng = np.random.default_rng(SEED)
    chosen = rng.choice(len(passages), round(len(passages) * DEAD_SHARE), replace=False)
    dead = {passages[at].doc_id for at in chosen.tolist()}
    with measured() as marking:
        whole.tombstone(dead)
    rebuilt = SpanIndex(folder / "rebuilt")
    with measured() as again:
        rebuilt.add(passage for passage in passages if passage.doc_id not in dead)
    yield differing("answers that differ, tombstones and rebuild", asked, whole, rebuilt)
    with measured() as compacting:
        whole.compact(purge=True)
    yield differing("answers that differ, compaction and rebuild", asked, whole, rebuilt)
    yield Result(
        name=f"compaction, {DEAD_SHARE:.0%} dead", ours=compacting.cpu, peer=again.cpu,
        peer_name="rebuild", unit="CPU-s", n=len(passages), bar="ratio <= 0.2",
        passes=5 * compacting.cpu <= again.cpu, detail={"tombstone_cpu_s": marking.cpu},
    )  # fmt: skip


def questions(passages: Sequence[Passage], count: int) -> list[bytes]:
    """Draw texts of 700 bytes: half as they are, half of seven pieces."""
    rng = np.random.default_rng(SEED)
    long = [passage.text for passage in passages if len(passage.text) > 2000]

    def piece(length: int) -> bytes:
        text = long[int(rng.integers(len(long)))]
        start = int(rng.integers(0, len(text) - length))
        return text[start : start + length]

    pieces = (b" ".join(piece(100) for _ in range(7)) for _ in range(count))
    return [*(piece(700) for _ in range(count)), *pieces]


def differing(name: str, texts: Sequence[bytes], one: SpanIndex, other: SpanIndex) -> Result:
    """Count texts whose spans, counts or hits differ between two indexes."""
    cut = scanner(current_rule())
    wrong = sum(one.trace(text) != other.trace(text) for text in texts)
    positions = sum(cut.units(text).hashes.size for text in texts)
    return Result(
        name=name, ours=wrong, unit="texts", n=len(texts), bar="0", passes=wrong == 0,
        detail={"positions": positions},
    )  # fmt: skip


def labelled(data: Path, folder: Path) -> Iterator[Result]:
    """Measure the share of the true source bytes that are found, by kind of query."""
    index = SpanIndex(folder / "labelled")
    index.add(Passage(row["id"], row["text"].encode()) for row in _rows(data / "docs.jsonl.gz"))
    shares: dict[str, list[float]] = defaultdict(list)
    alarms = []
    for row in _rows(data / "trace_queries.jsonl.gz"):
        matches = index.trace(row["query"].encode(), min_units=MIN_UNITS)
        hits = [hit for match in matches for hit in match.hits]
        shares[row["kind"]] += [covered(truth, hits) for truth in row["truth"]]
        if row["kind"] == "novel":
            alarms.append(bool(matches))
    for kind, bar in COVERAGE_BARS.items():
        share = float(np.mean(shares[kind]))
        yield Result(
            name=f"true bytes found, {kind}", ours=share, unit="share", n=len(shares[kind]),
            bar=f">= {bar}", passes=share >= bar,
        )  # fmt: skip
    yield Result(
        name="false alarms, novel", ours=float(np.mean(alarms)), unit="share", n=len(alarms),
        bar="<= 0.01", passes=bool(np.mean(alarms) <= 0.01),
    )  # fmt: skip


def covered(truth: Mapping[str, Any], hits: Sequence[Any]) -> float:
    """Give the share of a true passage that hits in its document cover."""
    marks = np.zeros(truth["end"] - truth["start"], np.bool_)
    for hit in hits:
        if hit.doc_id == truth["id"]:
            marks[max(hit.start - truth["start"], 0) : max(hit.end - truth["start"], 0)] = True
    return float(marks.mean())


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def warm_up(passages: Sequence[Passage], folder: Path) -> None:
    """Compile every kernel, or load its machine code."""
    index = SpanIndex(folder / "warm")
    index.add(passages[:20])
    index.add(passages[20:40])
    index.tombstone([passages[0].doc_id])
    index.trace(passages[1].text)
    index.compact(purge=True)


def main() -> int:
    """Run all; exit 1 when a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer documents and queries")
    parser.add_argument("--debs", type=Path, help="folder that holds the Debian packages")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    peer.install()
    env = environment(
        min_tokens=MIN_TOKENS, min_units=MIN_UNITS, peer=f"infini-gram {peer.VERSION}"
    )
    passages = corpus(size, options.debs)
    stages: list[Callable[[Path], Iterator[Result]]] = [
        lambda folder: labelled(Settings().data / LABELLED, folder),
        lambda _: kernels(passages, size),
        lambda folder: upkeep(passages, size, folder),
        lambda folder: against_peer(passages, size, folder),
    ]
    results = []
    with tempfile.TemporaryDirectory() as name:
        warm_up(passages, Path(name))
        for stage in stages:
            for result in stage(Path(name)):
                print(f"{result.name}: {result.ours:.6g} {result.passes}", file=sys.stderr)
                results.append(result)
    publish("provenance", env, results, quick=options.quick)
    return 0 if all(result.passes is not False for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
