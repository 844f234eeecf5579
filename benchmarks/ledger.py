"""The ledger at size: a million chunks, half a million answers; how fast it takes them, how fast it tells.

    python -m benchmarks.ledger [--quick]

Everything goes in by the ordinary way (each row hashed, chained to the log, in transactions) and
is asked by the ordinary way (`Ledger.cited`, `Ledger.answers_of`, `impact`). Latencies are wall
time of calls in this process after the first; ingest is counted in CPU seconds.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.report import Result, environment, publish
from storage.home import Home
from storage.passages import ROWS_FILE, write_passage_counts
from storage.records import Answer, Citation, Exposure
from storage.schemas import CHUNKS
from storage.spans.index import Passage
from tasks.provenance.lineage.impact import impact

SOURCES = 200
DOCUMENTS = 50_000
CHUNKS_EACH = 20
ANSWERS = 500_000
CITATIONS = 3
MODELS = 5
BATCH = 20_000
PART_ROWS = 100_000
START = datetime(2026, 1, 1, tzinfo=UTC)
LICENCES = ("CC-BY-4.0", "MIT", "GPL-2.0-only", "GPL-3.0-or-later OR MIT", "NOASSERTION")


def main() -> None:
    """Build the ledger, ask it, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A tenth of everything.")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    scale = 10 if arguments.quick else 1
    env = environment(scale=f"1/{scale}", citations=CITATIONS, seed=arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(scale, np.random.default_rng(arguments.seed))
        home = Home(
            f"{folder}/blobs", f"{folder}/tables", f"sqlite:///{folder}/ledger.db",
            Path(folder, "indexes"), Path(folder),
        )  # fmt: skip
        results = [*fill(home, corpus), *ask(home, corpus)]
        results.append(_size(home, Path(folder, "ledger.db")))
    publish("ledger", env, results, quick=arguments.quick)


class Corpus:
    """Documents of sources of very different sizes, and answers that prefer some documents."""

    def __init__(self, scale: int, random: np.random.Generator) -> None:
        self.random = random
        self.num_documents, self.num_answers = DOCUMENTS // scale, ANSWERS // scale
        self.documents = [_sha(f"document {n}") for n in range(self.num_documents)]
        self.source_of = (SOURCES * random.random(self.num_documents) ** 2).astype(int)
        self.digest = _sha("index")

    def rows(self) -> Iterator[dict[str, object]]:
        """Give rows of the documents table."""
        for number, doc_id in enumerate(self.documents):
            source = f"source-{self.source_of[number]}"
            yield {
                "doc_id": doc_id, "source": source, "uri": f"https://{source}.example/{number}",
                "n_bytes": 12_000, "status": "live", "title": f"Document {number}",
                "mime": "text/html", "language": "en", "text_id": _sha(f"text {number}"),
                "origin": "mapped", "licence": LICENCES[number % len(LICENCES)], "trust": 0.5,
                "licence_evidence": "header", "fetched_at": START, "run_id": "r1",
            }  # fmt: skip

    def answers(self) -> Iterator[list[Answer]]:
        """Give answers in batches; they cite documents unevenly."""
        for first in range(0, self.num_answers, BATCH):
            count = min(BATCH, self.num_answers - first)
            cited = (self.num_documents * self.random.random((count, CITATIONS)) ** 2).astype(int)
            yield [self._answer(first + n, cited[n]) for n in range(count)]

    def exposures(self) -> list[Exposure]:
        """Give what a model was trained on: half of the documents."""
        chosen = np.flatnonzero(self.random.random(self.num_documents) < 0.5)
        return [
            Exposure(
                doc_id=self.documents[n], source=f"source-{self.source_of[n]}",
                licence=LICENCES[n % len(LICENCES)], n_samples=CHUNKS_EACH, n_bytes=12_000,
            )
            for n in chosen
        ]  # fmt: skip

    def _answer(self, number: int, cited: Sequence[int]) -> Answer:
        return Answer(
            answer_id=f"01{number:024d}",
            question=f"What does document {cited[0]} say about it?",
            status="answered",
            text="It says this in a sentence of some length. " * len(cited),
            generator="extractive" if number % 4 else f"model:tiny@{number % MODELS}",
            index_digest=self.digest,
            run_id="r1",
            created_at=START + timedelta(seconds=number),
            citations=tuple(self._citation(place, int(n)) for place, n in enumerate(cited)),
            signals={"cosine": 0.8},
        )

    def _citation(self, place: int, n: int) -> Citation:
        doc_id, source = self.documents[n], f"source-{self.source_of[n]}"
        return Citation(
            a_start=43 * place, a_end=43 * place + 42, grade="cited" if place % 2 else "quoted",
            score=0.9, chunk_id=doc_id, doc_id=doc_id, text_id=doc_id, origin="mapped",
            source=source, uri=f"https://{source}.example/{n}",
            licence=LICENCES[n % len(LICENCES)], start=0, end=42, src_start=10, src_end=52,
            quote_sha256=doc_id,
        )  # fmt: skip


def fill(home: Home, corpus: Corpus) -> list[Result]:
    """Write everything and give the speed of ingest."""
    ledger = home.ledger
    for number in range(SOURCES):
        ledger.add_source(f"source-{number}")
    ledger.start_run("r1", "benchmark", {})
    rows = list(corpus.rows())
    spent = time.process_time()
    written = ledger.add_documents(rows)
    documents = written / (time.process_time() - spent)
    written, spent = 0, 0.0
    for batch in corpus.answers():
        started = time.process_time()
        written += ledger.add_answers(batch)
        spent += time.process_time() - started
    answers = written / spent
    for number in range(MODELS):
        facts = {"path": "", "sha256": _sha(f"{number}"), "run_id": "r1", "trained_on": "snap:x@1"}
        home.models.add("tiny", str(number), **facts, samples=corpus.exposures())
    _write_chunks(home, corpus)
    texts = ((_sha(f"text {n}"), f"Document {n} says this of it.") for n in range(len(rows)))
    home.spans.add((Passage(doc_id, text.encode()) for doc_id, text in texts), "r1")
    return [
        _result("ingest answers with citations and edges", answers, "rows/CPU-s", written, ""),
        _result("ingest documents", documents, "rows/CPU-s", 3 * len(rows), ""),
    ]


def _write_chunks(home: Home, corpus: Corpus) -> None:
    """Write the chunks table, passages of a document together, and an index of all in its order."""
    doc_ids = pl.Series([d for d in corpus.documents for _ in range(CHUNKS_EACH)])
    table, parts = home.table("chunks"), []
    for first in range(0, len(doc_ids), PART_ROWS):
        some = doc_ids[first : first + PART_ROWS]
        columns: dict[str, Any] = {name: pa.nulls(len(some), t) for name, t in _types().items()}
        columns["doc_id"] = some.to_arrow()
        rows = pa.table(columns).cast(CHUNKS.schema)
        parts.append(table.write_part(f"p{first}", rows, {"spec": "s1"}))
    table.commit(parts, run_id="r1")
    staged = home.index_store.stage()
    mixed = pl.DataFrame({"doc_id": doc_ids}).sample(fraction=1.0, shuffle=True, seed=1)
    mixed.write_parquet(staged / ROWS_FILE, compression="zstd")
    write_passage_counts(staged, mixed["doc_id"])
    home.index_store.publish(staged, {"inputs": "benchmark"})


def _types() -> dict[str, pa.DataType]:
    return {field.name: field.type for field in CHUNKS.schema}


@dataclass(frozen=True)
class Latencies:
    """Times of single calls in ms, sorted: on the clock, and of this process alone."""

    wall: list[float]
    cpu: list[float]


def ask(home: Home, corpus: Corpus) -> list[Result]:
    """Measure each question on random subjects."""
    ledger, random = home.ledger, corpus.random
    answers = [f"01{n:024d}" for n in random.integers(corpus.num_answers, size=2_000)]
    documents = [corpus.documents[n] for n in random.integers(corpus.num_documents, size=2_000)]
    sizes = np.bincount(corpus.source_of, minlength=SOURCES)
    sources = [f"source:source-{n}" for n in random.permutation(SOURCES)[:60]]
    largest = [f"source:source-{int(sizes.argmax())}"] * 5
    told = _latencies(ledger.cited, answers)
    found = _latencies(lambda doc_id: ledger.answers_of([doc_id]), documents)
    touched = _latencies(lambda node: impact(home, node), sources)
    worst = _latencies(lambda node: impact(home, node), largest)
    report = impact(home, largest[0])
    detail = {
        "documents": report.certain.documents.count, "chunks": report.certain.chunks,
        "passages": sum(held.count for held in report.certain.indexes),
        "texts": sum(held.count for held in report.certain.segments),
        "answers": report.certain.quoted.count + report.certain.cited.count,
        "models": len(report.possible.models), "possible_answers": report.possible.answers.count,
    }  # fmt: skip
    return [
        _latency("answer to sources", told, 0.95, "<= 2"),
        _latency("document to answers", found, 0.5, "<= 0.2"),
        _latency("impact of a source", touched, 0.95, "<= 100"),
        _latency("impact of the largest source", worst, 0.5, "", **detail),
    ]


def _latency(name: str, took: Latencies, at: float, bar: str, **more: float) -> Result:
    figures = {
        f"{kind}_p{place:.0f}": float(np.percentile(getattr(took, kind), place))
        for kind in ("wall", "cpu")
        for place in (50, 95, 100)
    }
    ours = float(np.quantile(took.wall, at))
    name = f"{name}, p{100 * at:.0f}"
    return _result(name, ours, "ms", len(took.wall), bar, **figures, **more)


def _latencies(call: Callable[[str], object], subjects: Sequence[str]) -> Latencies:
    call(subjects[0])
    wall, cpu = [], []
    for subject in subjects:
        started = time.perf_counter(), time.process_time()
        call(subject)
        wall.append((time.perf_counter() - started[0]) * 1e3)
        cpu.append((time.process_time() - started[1]) * 1e3)
    return Latencies(sorted(wall), sorted(cpu))


def _result(name: str, ours: float, unit: str, n: int, bar: str, **detail: float) -> Result:
    passes = None
    if bar:
        sign, value = bar.split()
        passes = ours <= float(value) if sign == "<=" else ours >= float(value)
    return Result(name=name, ours=ours, unit=unit, n=n, bar=bar, passes=passes, detail=detail)


def _size(home: Home, path: Path) -> Result:
    counts = home.ledger.counts()
    rows = sum(count for name, count in counts.items() if name != "log")
    return _result("size on disk", path.stat().st_size / rows, "bytes/row", rows, "", **counts)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
