"""From documents to a trained small model, its scores, their calibration, and the stored index."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from storage.digest import canonical_json, sha256_hex
from storage.errors import InputError, MissingError
from storage.home import Home
from storage.schemas import DOCUMENTS
from storage.snapshots import Snapshot, record_snapshot
from tasks.provenance.influence.calibrate import (
    MIN_QUERIES,
    MIN_SUBSETS,
    Progress,
    Retrained,
    draw_subsets,
    retrain,
)
from tasks.provenance.influence.evaluation import read_evaluation
from tasks.provenance.influence.samples import (
    Cut,
    Samples,
    Split,
    choose_documents,
    cut_documents,
    encode_texts,
    read_documents,
)
from tasks.provenance.influence.scoring import (
    Calibration,
    Explained,
    Halves,
    Method,
    combine_parts,
    halve,
    train_explained,
)
from tasks.provenance.influence.store import index_root, write_index
from tasks.provenance.influence.totals import Effect, Total, leave_out, totals
from tasks.provenance.policy.decisions import Policy, select_for_training

Floats = NDArray[np.float64]
NAME = "influence-proxy"
"""Name of the small model in the registry and the ledger."""
HELD_OUT = "held-out windows"


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Samples of the live documents, and the snapshot that they come from."""

    split: Split
    snapshot: Snapshot
    num_denied: int
    """Documents that the licence policy keeps out of training."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained model as bytes and as something to explain."""

    explained: Explained
    options: Mapping[str, Any]
    weights: tuple[bytes, ...]
    """One safetensors file for each early and each curved checkpoint; the last one is the model."""

    tokenizer: str

    @property
    def sha256(self) -> str:
        """Content address of the model."""
        return sha256_hex(self.weights[-1])

    def write_files(self, folder: Path) -> list[Path]:
        """Write weights, tokenizer and options into a folder, for the tracker to keep."""
        contents = {
            "model.safetensors": self.weights[-1],
            "tokenizer.json": self.tokenizer.encode(),
            "options.json": canonical_json(dict(self.options)),
        }
        for name, data in contents.items():
            (folder / name).write_bytes(data)
        return [folder / name for name in contents]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Texts whose loss is explained."""

    name: str
    samples: Samples
    refused: tuple[str, ...] = ()

    @property
    def num_texts(self) -> int:
        """Count the texts; a long one has several windows."""
        return self.samples.rows["doc_id"].n_unique()


def draw(home: Home, cut: Cut, max_documents: int, seed: int, policy: Policy, run_id: str) -> Drawn:
    """Cut samples from live documents that may be trained on; the seed decides which documents."""
    snapshot = record_snapshot(home, DOCUMENTS.name, run_id)
    if not snapshot.node:
        raise MissingError("there are no documents", way_out="Run `suyuan ingest` first")
    columns = ("doc_id", "source", "licence", "text_id", "text_bytes")
    live = home.table(DOCUMENTS.name).scan(snapshot.version).filter(pl.col("status") == "live")
    rows = live.filter(pl.col("text_bytes") >= cut.min_bytes).select(columns).collect()
    allowed = may_train(rows, policy)
    documents = read_documents(choose_documents(allowed, max_documents, seed), home.blobs.get)
    denied = rows["doc_id"].n_unique() - allowed["doc_id"].n_unique()
    return Drawn(split=cut_documents(documents, cut), snapshot=snapshot, num_denied=denied)


def may_train(rows: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Keep the rows whose licence the policy lets train."""
    licences = rows.select("licence").unique().to_dicts()
    allowed = [row["licence"] for row in select_for_training(licences, policy).allowed]
    return rows.filter(pl.col("licence").is_in(allowed))


def train(split: Split, epochs: int, method: Method, seeds: Sequence[int], folder: Path) -> Trained:
    """Train the small model with its companions and, for gradients, estimate the curvature.

    The files of the curvature stay in the folder.
    """
    from tasks.provenance.influence.proxy import Proxy, ProxyOptions, dump_weights

    options = ProxyOptions(
        vocabulary=split.vocabulary, epochs=epochs, checkpoints=ProxyOptions.early(epochs)
    )
    trainer = Proxy(options=options)
    explained = train_explained(trainer, split.train.tokens, seeds, method, folder / "factors")
    return Trained(
        explained=explained,
        options=trainer.facts(),
        tokenizer=split.tokenizer,
        weights=tuple(dump_weights(model) for model in (*explained.early, *explained.curved)),
    )


def evaluation(path: str, split: Split) -> Evaluation:
    """Read the texts of a file, or take the windows that follow the training samples."""
    if not path:
        return Evaluation(name=HELD_OUT, samples=split.held_out)
    found = read_evaluation(Path(path))
    samples = encode_texts(found.texts, split.tokenizer, split.train.tokens.shape[1])
    return Evaluation(name=Path(path).name, samples=samples, refused=found.refused)


@dataclass(frozen=True, kw_only=True)
class Retrainings:
    """What was measured by training again: on random halves, and without each source."""

    subsets: Retrained | None
    halves: Halves | None
    removed: Mapping[str, Effect]


def enough_subsets(number: int) -> int:
    """Refuse a number of retrainings that is too small to fit on one half and judge on the other."""
    if 0 < number < 2 * MIN_SUBSETS:
        raise ValueError(f"calibrate with at least {2 * MIN_SUBSETS} subsets, or with 0")
    return number


def retrain_all(
    model: Trained, split: Split, queries: Samples, subsets: int, seeds: range, progress: Progress
) -> Retrainings:
    """Train on random halves of the documents and without each source; nothing for 0 subsets."""
    if not subsets:
        return Retrainings(subsets=None, halves=None, removed={})
    if (texts := queries.rows["doc_id"].n_unique()) < 2 * MIN_QUERIES:
        raise InputError(
            f"{texts} texts are too few to calibrate on",
            way_out=f"Give at least {2 * MIN_QUERIES} texts, or ask for 0 subsets",
        )
    trainer, rows, tokens = model.explained.trainer, split.train.rows, split.train.tokens
    masks = draw_subsets(rows["doc_id"].to_list(), subsets, seeds[0])
    found = retrain(trainer, tokens, queries.tokens, masks, seeds, progress)
    by_text = Retrained(masks=masks, losses=queries.by_text(found.losses.T).T)
    sources = rows["source"].to_list()
    removed = leave_out(trainer, tokens, sources, queries, seeds, progress)
    halves = halve(by_text.losses.shape[1], subsets, seeds[0])
    return Retrainings(subsets=by_text, halves=halves, removed=removed)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Totals of sources and of documents, the most helpful first."""

    sources: list[Total]
    documents: list[Total]


def totals_of(
    parts: Mapping[str, Floats],
    method: Method,
    calibration: Calibration,
    split: Split,
    again: Retrainings,
) -> Totals:
    """Sum the scores of a method by source and by document."""
    scores = combine_parts(parts, method, calibration.weights[method])
    rows = split.train.rows
    return Totals(
        sources=totals(scores, rows, "source", again.removed),
        documents=totals(scores, rows, "doc_id"),
    )


def record(home: Home, model: Trained, version: str, drawn: Drawn, run_id: str) -> str:
    """Record the model and what it was trained on in the ledger and give its node."""
    return home.models.add(
        NAME,
        version,
        path=str(index_root(home) / model.sha256),
        sha256=model.sha256,
        run_id=run_id,
        trained_on=drawn.snapshot.node,
        samples=drawn.split.train.exposures(),
    )


def store(
    home: Home, model: Trained, split: Split, calibration: Calibration, method: Method, node: str
) -> Path:
    """Write the index that `influences` reads; an older one of the same model is replaced."""
    facts = {
        "model": node,
        "method": method,
        "options": model.options,
        "num_early": len(model.explained.early),
        "weights": calibration.weights,
        "lds": {name: asdict(lds) for name, lds in calibration.lds.items()},
    }
    factors = model.explained.factors if method == "combined" else None
    root = index_root(home)
    return write_index(root, split.train, split.tokenizer, model.weights, facts, factors)
