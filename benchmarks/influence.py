"""How well influence scores predict retraining: random, TF-IDF, EK-FAC, and ours.

Ground truth: the small model retrained on random halves of the documents, several times a half.
Weights are fitted on some queries and halves; every figure is measured on queries of other
documents and on other halves.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.report import Result, Spent, environment, measured, publish
from infra.progress import reporter
from infra.settings import Settings
from tasks.provenance.influence.calibrate import (
    Retrained,
    bootstrap,
    draw_subsets,
    lds_per_query,
    retrain,
)
from tasks.provenance.influence.combine import standardise
from tasks.provenance.influence.ekfac import score_queries
from tasks.provenance.influence.proxy import Proxy, ProxyOptions
from tasks.provenance.influence.samples import (
    Cut,
    Document,
    Samples,
    Split,
    choose_documents,
    cut_documents,
)
from tasks.provenance.influence.scoring import (
    Halves,
    calibrate_parts,
    combine_parts,
    score_parts,
    seeds_of,
    train_explained,
)

Floats = NDArray[np.float64]
LDS_BAR = 0.63
MARGIN_BAR = 0.05
FULL = {"documents": 64, "subsets": 60, "models": 2, "companions": 2, "epochs": 15}
QUICK = {"documents": 24, "subsets": 20, "models": 1, "companions": 1, "epochs": 10}
CUT = Cut(per_document=5, held_out=2)
OURS = "combined (TF-IDF + bigrams + EK-FAC + embedding)"


def main() -> int:
    """Train, retrain, score, and write benchmarks/results/influence.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a smaller model and fewer retrainings"
    )
    parser.add_argument("--seed", type=int, default=0, help="documents, subsets and training")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    env = environment(**size, seed=arguments.seed, set="docs-multilicense")
    path = Settings().data / "docs-multilicense/docs.jsonl.gz"
    split = cut_documents(read_documents(path, size["documents"], arguments.seed), CUT)
    results = list(measure(split, size, arguments.seed))
    publish("influence", env, results, quick=arguments.quick)
    return 0 if all(result.passes is not False for result in results) else 1


def read_documents(path: Path, limit: int, seed: int) -> list[Document]:
    """Draw documents that are long enough, in turns from each source."""
    with gzip.open(path) as lines:
        rows = [json.loads(line) for line in lines]
    names = {"doc_id": "id", "source": "source", "licence": "license", "text": "text"}
    frame = pl.DataFrame([{ours: row[theirs] for ours, theirs in names.items()} for row in rows])
    long = frame.filter(pl.col("text").str.len_bytes() >= CUT.min_bytes)
    return [Document(**row) for row in choose_documents(long, limit, seed).iter_rows(named=True)]


def measure(split: Split, size: Mapping[str, int], seed: int) -> Iterator[Result]:
    """Score every query by every method and compare each with the retrainings."""
    queries = each_window(split.held_out)
    epochs, train = size["epochs"], split.train.tokens
    options = ProxyOptions(
        vocabulary=split.vocabulary, epochs=epochs, checkpoints=ProxyOptions.early(epochs)
    )
    trainer = Proxy(options=options)
    with TemporaryDirectory() as place, measured() as scoring:
        folder, seeds = Path(place), seeds_of(seed, size["companions"])
        model = train_explained(trainer, train, seeds, "combined", folder)
        parts = score_parts(model, queries, "combined")
        number = len(model.curved) - 1
        final = score_queries(trainer, model.curved[-1:], train, queries.tokens, folder, number)[0]
    with measured() as retraining, reporter("influence", in_prefect=False) as show:
        documents = split.train.rows["doc_id"].to_list()
        masks = draw_subsets(documents, size["subsets"], seed)
        others = range(seed + 1, seed + 1 + size["models"])
        truth = retrain(trainer, train, queries.tokens, masks, others, show)
    yield from compare(
        parts, final, truth, halves_by_document(split.held_out, size["subsets"], seed)
    )
    yield seconds("train, curvature and scores of all queries", scoring, len(queries))
    yield seconds("retraining for calibration and test", retraining, len(masks) * len(others))


def compare(
    parts: Mapping[str, Floats], final: Floats, truth: Retrained, halves: Halves
) -> Iterator[Result]:
    """Give the LDS of each method on fresh queries and subsets, and the margins of ours."""
    calibration = calibrate_parts(parts, truth, halves)
    fresh = truth.select(halves.fresh_queries, halves.fresh_subsets)
    noise = np.random.default_rng(0).standard_normal(final.shape)
    ours = combine_parts(parts, "combined", calibration.weights["combined"])
    lexical = combine_parts(parts, "lexical", calibration.weights["lexical"])
    both = standardise(parts["tfidf"]) + standardise(parts["ekfac"])
    scores = {
        "random": noise,
        "TF-IDF": parts["tfidf"],
        "bigrams": parts["bigrams"],
        "EK-FAC": final,
        "EK-FAC, several models": parts["ekfac"],
        "embedding rows, several models": parts["embedding"],
        "TF-IDF + EK-FAC, equal weights": both,
        "TF-IDF + bigrams": lexical,
        OURS: ours,
    }
    chosen = list(halves.fresh_queries)
    values = {name: lds_per_query(score[chosen], fresh) for name, score in scores.items()}
    for name, found in values.items():
        yield lds_result(name, found, len(halves.fresh_subsets), calibration.weights["combined"])
    for peer in ("TF-IDF", "EK-FAC", "EK-FAC, several models"):
        yield margin(values[OURS], values[peer], peer)


def lds_result(name: str, values: Floats, subsets: int, weights: Mapping[str, float]) -> Result:
    """Give an LDS with interval and standard error over queries; ours has a bar."""
    low, high = bootstrap(values)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    detail = {"interval": [low, high], "standard_error": error, "subsets": subsets}
    bar = name == OURS
    return Result(
        name=name,
        ours=float(values.mean()),
        unit="LDS",
        n=len(values),
        bar=f">= {LDS_BAR}" if bar else "",
        passes=float(values.mean()) >= LDS_BAR if bar else None,
        detail=detail | ({"weights": dict(weights)} if bar else {}),
    )


def margin(ours: Floats, peers: Floats, peer: str) -> Result:
    """Compare ours with a peer on the same queries and subsets."""
    low, high = bootstrap(ours - peers)
    gained = float((ours - peers).mean())
    return Result(
        name="combined against one alone",
        ours=float(ours.mean()),
        peer=float(peers.mean()),
        peer_name=peer,
        unit="LDS",
        n=len(ours),
        bar=f"ours >= peer + {MARGIN_BAR}",
        passes=gained >= MARGIN_BAR,
        detail={"difference": gained, "interval": [low, high]},
    )


def seconds(name: str, spent: Spent, number: int) -> Result:
    """Give the CPU time of a stage."""
    return Result(name=name, ours=spent.cpu, unit="CPU-s", n=number)


def each_window(samples: Samples) -> Samples:
    """Make each window a query of its own."""
    keys = [f"{doc_id}#{at}" for at, doc_id in enumerate(samples.rows["doc_id"])]
    return Samples(tokens=samples.tokens, rows=samples.rows.with_columns(doc_id=pl.Series(keys)))


def halves_by_document(samples: Samples, num_subsets: int, seed: int) -> Halves:
    """Split so that the fresh queries are of other documents than those fitted on."""
    documents = samples.rows["doc_id"]
    names = documents.unique(maintain_order=True).to_list()
    fit = {names[at] for at in np.random.default_rng(seed).permutation(len(names))[::2]}
    places: dict[bool, Sequence[int]] = {
        inside: [at for at, name in enumerate(documents) if (name in fit) is inside]
        for inside in (True, False)
    }
    half = num_subsets // 2
    return Halves(
        fit_queries=tuple(places[True]),
        fit_subsets=tuple(range(half)),
        fresh_queries=tuple(places[False]),
        fresh_subsets=tuple(range(half, num_subsets)),
    )


if __name__ == "__main__":
    sys.exit(main())
