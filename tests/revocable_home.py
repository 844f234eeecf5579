"""A home with two sources that share a document and a passage, all features, answers and run records."""

import json
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from storage.digest import sha256_hex
from storage.home import Home
from storage.records import Answer, Citation, Exposure, Reject
from storage.snapshots import record_snapshot
from tasks.features.chunking import ChunkOptions
from tasks.features.dense import DenseOptions
from tasks.features.index import update_index
from tasks.features.search import Searcher
from tasks.features.stages import (
    FeatureRun,
    chunk_documents,
    count_texts,
    embed_texts,
    specs_of,
    store_statistics,
)
from tasks.provenance.revocation.work import Tools
from tasks.provenance.tracing.span_index import update_span_index
from tasks.shared.engine import SerialEngine
from tasks.shared.quarantine import keep_rejects
from tests.fakes import FakeEncoder, load_fake, new_home, put_documents

OPTIONS = ChunkOptions(target_tokens=40, max_tokens=60, min_tokens=3)
NOW = datetime(2026, 1, 2, tzinfo=UTC)

SHARED = "The shared passage stands in both sources, word for word, and nobody may lose it because of the other."
SECRET = "Only alpha knows that the violet cellar door opens inwards when the seventh lamp is lit at dusk."
CHINESE = "只有甲来源知道，紫色地窖的门在第七盏灯点亮时向内打开，别的来源都没有写过这句话。"


def text_of(name: str, *paragraphs: str) -> str:
    """Give a document of its own words, with some paragraphs after them."""
    lines = [
        f"Paragraph {number} of {name} speaks of the {name}{number} engine, its {name} valve "
        f"and the {name}-{number * 7} gauge beside the western wall."
        for number in range(6)
    ]
    return f"# About {name}\n\n" + "\n\n".join([*lines, *paragraphs]) + "\n"


BOTH = text_of("common")
ALPHA = {
    "file:///alpha/secret.md": text_of("secret", SECRET, CHINESE),
    "file:///alpha/mixed.md": text_of("mixed", "x " * 40, SHARED),
    "file:///alpha/both.md": BOTH,
    "file:///alpha/one.md": text_of("solitary"),
}
BETA = {
    "file:///beta/own.md": text_of("native"),
    "file:///beta/both.md": BOTH,
    "file:///beta/shared.md": text_of("second", "x " * 40, SHARED),
}
REJECTED = b"A broken file of alpha that nobody could read as a document at all: \xff\xfe\x00."


@dataclass(frozen=True)
class Filled:
    """The home, the node of the model, and how to revoke in it."""

    home: Home
    tools: Tools


def fill(folder: Path, *sources: str) -> Filled:
    """Fill a home with the sources named; both by default."""
    home = new_home(folder)
    for name, texts, licence in (("alpha", ALPHA, "GPL-3.0-only"), ("beta", BETA, "MIT")):
        if name in (sources or ("alpha", "beta")):
            home.ledger.add_source(name, f"file:///{name}", licence, 0.5)
            put_documents(home, texts, source=name, licence=licence)
    build(home)
    if "alpha" in (sources or ("alpha",)):
        _reject(home)
        _answers(home)
        _model(home)
        _records(home)
    return Filled(home, tools_for(home))


def build(home: Home) -> None:
    """Compute all features of the live documents, publish the index, fill the span index."""
    run, engine = feature_run(home), SerialEngine()
    home.ledger.start_run("run", "features", {})
    for stage in (chunk_documents, count_texts, embed_texts):
        stage(run, engine)
    store_statistics(run)
    rebuild(home)
    update_span_index(home, "run")
    home.ledger.finish_run("run", "finished")


def rebuild(home: Home) -> str:
    """Publish the index of what is there."""
    return update_index(home, feature_run(home).specs, DenseOptions(), "run").digest


def feature_run(home: Home) -> FeatureRun:
    """Give the settings under which all features are computed."""
    specs = specs_of(FakeEncoder(), OPTIONS)
    return FeatureRun(home=home, run_id="run", encoder=Path("fake"), load=load_fake, specs=specs)


def searcher(home: Home) -> Searcher:
    """Open the published index."""
    return Searcher.open(home.index_store.current(), FakeEncoder())


def tools_for(home: Home) -> Tools:
    """Give the hands that a revocation needs."""
    from infra.scrub import DatabaseScrubber, FileScrubber

    return Tools(
        rebuild=lambda: rebuild(home),
        probe=lambda texts: {
            hit.doc_id for hits in searcher(home).search_many(texts, 5) for hit in hits
        },
        caches=(FileScrubber("cache:answers", home.root / "cache"),),
        records=(
            DatabaseScrubber("prefect", home.root / "prefect"),
            DatabaseScrubber("mlflow", home.root, "mlflow.db"),
            FileScrubber("mlflow-artifacts", home.root / "mlflow-artifacts"),
            FileScrubber("logs", home.root / "logs"),
        ),
    )


def doc_id(home: Home, uri: str) -> str:
    """Give the document at a URI."""
    rows = home.table("documents").scan().collect().filter(uri=uri)
    return str(rows["doc_id"][0])


def _reject(home: Home) -> None:
    blob = home.blobs.put(REJECTED)
    reject = Reject(
        source="alpha", uri="file:///alpha/bad", reason="r", detail="broken", blob_id=blob
    )
    keep_rejects(home, [reject], "run")
    record_snapshot(home, "quarantine", "run")


def _answers(home: Home) -> None:
    plain = Answer(
        answer_id="", question="Which door?", status="answered", text="", generator="extractive",
        index_digest=home.index_store.current().digest, run_id="run", created_at=NOW,
    )  # fmt: skip
    secret, own, both = (
        f"file:///{path}.md" for path in ("alpha/secret", "beta/own", "alpha/both")
    )
    native = "Paragraph 1 of native speaks of the native1 engine"
    answers = {
        "QUOTES": (SECRET, [_cite(home, "quoted", secret, SECRET)]),
        "CITES": ("A door opens at dusk.", [_cite(home, "cited", secret, SECRET)]),
        "OTHER": (native, [_cite(home, "quoted", own, native)]),
        "KEPT": ("# About common", [_cite(home, "quoted", both, "# About common")]),
        "SILENT": (f"Somebody said: {SECRET}", []),
    }
    for name, (text, citations) in answers.items():
        home.ledger.add_answer(
            replace(plain, answer_id=name, text=text, citations=tuple(citations))
        )


def _cite(home: Home, grade: str, uri: str, quote: str) -> Citation:
    """Cite the bytes of a quote where they stand in a document of the origin "identity"."""
    doc, data = doc_id(home, uri), quote.encode()
    start = home.blobs.get(doc).index(data)
    place = {"start": start, "end": start + len(data)}
    rows = home.table("chunks").scan().collect().filter(doc_id=doc).iter_rows(named=True)
    chunk = next(row for row in rows if row["start"] <= start and place["end"] <= row["end"])
    return Citation(
        a_start=0, a_end=len(data), grade=grade, score=1.0, chunk_id=chunk["chunk_id"], doc_id=doc,
        text_id=doc, origin="identity", source=uri.split("/")[3], uri=uri, licence="MIT", **place,
        src_start=place["start"], src_end=place["end"], quote_sha256=sha256_hex(data),
    )  # fmt: skip


def _model(home: Home) -> None:
    secret, own = (doc_id(home, uri) for uri in ("file:///alpha/secret.md", "file:///beta/own.md"))
    for name, source, document in (("m", "alpha", secret), ("other", "beta", own)):
        exposure = Exposure(doc_id=document, source=source, licence="MIT", n_samples=2, n_bytes=100)
        home.models.add(
            name, "1", path="models/m", sha256="0" * 64, run_id="run", trained_on="snap:chunks@1",
            samples=[exposure],
        )  # fmt: skip


def _records(home: Home) -> None:
    """Leave traces as Prefect, MLflow, a cache and a log would."""
    root = home.root
    for name in ("prefect", "mlflow-artifacts/1", "logs", "cache"):
        (root / name).mkdir(parents=True)
    with sqlite3.connect(root / "prefect" / "prefect.db") as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE artifact (id INTEGER PRIMARY KEY, key TEXT, data JSON)")
        rows = [("a", json.dumps(f"## Answer\n> {SECRET}")), ("b", json.dumps({"n": 1}))]
        rows.append(("c", json.dumps({"question": CHINESE, "k": 3})))
        database.executemany("INSERT INTO artifact (key, data) VALUES (?, ?)", rows)
    with sqlite3.connect(root / "mlflow.db") as database:
        database.execute("CREATE TABLE params (key TEXT, value TEXT)")
        database.execute("INSERT INTO params VALUES ('question', ?)", [SECRET])
        database.execute("INSERT INTO params VALUES ('k', '3')")
    (root / "mlflow-artifacts" / "1" / "answer.md").write_text(f"# Answer\n\n{SECRET}\n")
    (root / "mlflow-artifacts" / "1" / "plain.md").write_text("# Answer\n\nNothing.\n")
    (root / "logs" / "worker.log").write_text(f"started\nread {SECRET}\nstopped\n")
    (root / "cache" / "answer.json").write_text(json.dumps({"text": SECRET, "id": 7}))
