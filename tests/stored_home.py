"""A small home with one document of each origin, chunks, an index and an answer that cites them."""

import functools
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from storage.digest import sha256_hex
from storage.home import Home
from storage.records import Answer, Citation, Extraction, Run
from storage.schemas import CHUNKS, DOCUMENTS
from storage.snapshots import record_snapshot
from tasks.shared.layout import dump_layout, load_layout, source_range

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HTML = "<p>Fish &amp; 水.</p>"


def mapped(text: str) -> Extraction:
    """The text of HTML, with the run of each piece."""
    entity = HTML.index("&amp;")
    after = len("Fish & 水.".encode())
    runs = (
        Run(start=0, end=5, src_start=3, src_end=8, kind="copy"),
        Run(start=5, end=6, src_start=entity, src_end=entity + 5, kind="entity"),
        Run(start=6, end=after, src_start=entity + 5, src_end=len(HTML.encode()) - 4, kind="copy"),
    )
    return Extraction(text=text, origin="mapped", runs=runs)


CASES = {
    "plain.md": (
        b"Water is wet. Fire is hot.",
        Extraction(text="Water is wet. Fire is hot.", origin="identity"),
    ),
    "page.html": (HTML.encode(), mapped("Fish & 水.")),
    "old.txt": (
        "水是湿的。".encode("gb18030"),
        Extraction(text="水是湿的。", origin="recoded", encoding="gb18030"),
    ),
    "paper.pdf": (b"%PDF-1.7 ...", Extraction(text="Ice is cold.", origin="extracted")),
}
SENTENCES = {
    "plain.md": "Fire is hot.",
    "page.html": "Fish & 水.",
    "old.txt": "水是湿的。",
    "paper.pdf": "Ice is cold.",
}


@dataclass(frozen=True)
class Stored:
    """The home, and what is in it by name of the document."""

    home: Home
    answer_id: str
    citations: dict[str, Citation]
    index: str


def document_row(home: Home, name: str) -> dict[str, object]:
    original, extraction = CASES[name]
    plain = extraction.origin == "identity"
    return {
        "source": "docs",
        "uri": f"file:///docs/{name}",
        "doc_id": home.blobs.put(original),
        "version": 1,
        "status": "live",
        "n_bytes": len(original),
        "title": name,
        "text_id": home.blobs.put(extraction.text.encode()),
        "layout_id": "" if plain else home.blobs.put(dump_layout(extraction)),
        "origin": extraction.origin,
        "licence": "CC-BY-4.0",
        "licence_evidence": "header",
        "trust": 0.8,
        "fetched_at": NOW,
        "run_id": "r1",
    }


def chunk_row(home: Home, document: dict[str, object], start: int, end: int) -> dict[str, object]:
    text = home.blobs.get(document["text_id"])
    layout = load_layout(home.blobs.get(document["layout_id"])) if document["layout_id"] else None
    source = source_range(text, layout, start, end) or (None, None)
    return {
        "spec": "s1",
        "chunk_id": sha256_hex(f"{document['doc_id']}{start}".encode()),
        "doc_id": document["doc_id"],
        "text_id": document["text_id"],
        "ordinal": 0,
        "start": start,
        "end": end,
        "src_start": source[0],
        "src_end": source[1],
        "heading": ["Elements"],
        "text": text[start:end].decode(),
        "text_sha": sha256_hex(text[start:end]),
        "n_tokens": 5,
    }


def cite(home: Home, document: dict[str, object], chunk: dict[str, object], at: int) -> Citation:
    text = home.blobs.get(document["text_id"])
    quote = SENTENCES[document["title"]].encode()
    start = text.index(quote)
    place = chunk_row(home, document, start, start + len(quote))
    return Citation(
        a_start=at,
        a_end=at + len(quote),
        grade="quoted",
        score=0.9,
        chunk_id=chunk["chunk_id"],
        **{
            name: document[name]
            for name in ("doc_id", "text_id", "origin", "source", "uri", "licence")
        },
        **{name: place[name] for name in ("start", "end", "src_start", "src_end")},
        quote_sha256=sha256_hex(quote),
    )


def home_below(folder: Path) -> Home:
    """Name the stores below a folder."""
    return Home(
        str(folder / "blobs"),
        str(folder / "tables"),
        f"sqlite:///{folder}/ledger.db",
        folder / "indexes",
        folder,
    )


def fill_home(folder: Path) -> Stored:
    """Make a home below a folder, with everything in it recorded: a copy of this process's first."""
    place, stored = _first_home()
    shutil.copytree(place.name, folder, dirs_exist_ok=True)
    return replace(stored, home=home_below(folder))


@functools.cache
def _first_home() -> tuple[TemporaryDirectory[str], Stored]:
    """Fill a home that no test changes; it lives as long as the process."""
    place = TemporaryDirectory(prefix="suyuan-stored-")
    return place, _fill(home_below(Path(place.name)))


def _fill(home: Home) -> Stored:
    ledger, chunks = home.ledger, home.table("chunks")
    ledger.add_source("docs", "file:///docs", "CC-BY-4.0", 0.8, publisher="Elements Inc.")
    ledger.start_run("r1", "ingest", {})
    documents = {name: document_row(home, name) for name in CASES}
    rows = {
        name: chunk_row(home, row, 0, len(home.blobs.get(row["text_id"])))
        for name, row in documents.items()
    }
    table = pa.Table.from_pylist(list(documents.values()), schema=DOCUMENTS.schema)
    home.table("documents").merge(table, run_id="r1")
    part = chunks.write_part(
        "p1", pa.Table.from_pylist(list(rows.values()), schema=CHUNKS.schema), {"spec": "s1"}
    )
    chunks.commit([part], run_id="r1")
    snapshots = [record_snapshot(home, name, "r1").node for name in ("documents", "chunks")]
    ledger.derive(snapshots[1], snapshots[:1], "wasDerivedFrom")
    staged = home.index_store.stage()
    (staged / "vectors.bin").write_bytes(b"vectors" * 100)
    index = home.index_store.publish(staged, {"chunks": snapshots[1]})
    ledger.add_artifact(f"index:{index}", "index", "indexes", index, "r1")
    ledger.derive(f"index:{index}", snapshots[1:], "wasDerivedFrom")
    ledger.finish_run("r1", "finished")
    citations, at = {}, 0
    for name, row in documents.items():
        citations[name] = cite(home, row, rows[name], at)
        at = citations[name].a_end + 1
    answer = Answer(
        answer_id="01ANSWER",
        question="What are the elements?",
        status="answered",
        text=" ".join(SENTENCES.values()) + " More.",
        generator="extractive",
        index_digest=index,
        run_id="r1",
        created_at=NOW,
        citations=tuple(citations.values()),
    )
    ledger.add_answer(answer)
    return Stored(home=home, answer_id="01ANSWER", citations=citations, index=index)
