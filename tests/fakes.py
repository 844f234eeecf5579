"""Stand-ins for what is slow or breaks: a small encoder, an engine that dies, a filled home."""

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import numpy as np
import pyarrow as pa

from storage.digest import sha256_hex
from storage.home import Home
from storage.records import Extraction, Heading, Hit
from storage.schemas import DOCUMENTS, VECTOR_DIM
from tasks.shared.embedding import Tokens
from tasks.shared.engine import SerialEngine
from tasks.shared.layout import dump_layout
from tasks.shared.text import analyse

T = TypeVar("T")
J = TypeVar("J")

POISON = "poisonous"
"""A text that holds this word makes the fake encoder fail."""
CALLS: Counter[str] = Counter()
"""Texts that the fake encoder counted and embedded in this process."""


class FakeEncoder:
    """Gives texts that share terms near vectors: a signed hash of each term, added up."""

    spec = "fake-vectors"
    tokenizer_spec = "fake-tokens"
    max_text_tokens = 254

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count terms."""
        CALLS["counted"] += len(texts)
        return [len(analyse(text)) for text in texts]

    def embed(self, texts: Sequence[str], kind: str) -> np.ndarray:
        """Embed by terms; fails on a poisonous text."""
        if any(f"{POISON} vector" in text for text in texts):
            raise ValueError("cannot embed this")
        CALLS["embedded"] += len(texts)
        return np.stack([_vector(text) for text in texts])


class FailingTokens(FakeEncoder):
    """An encoder whose tokenizer fails on a poisonous text."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count terms; fails on a poisonous text."""
        if any(POISON in text for text in texts):
            raise ValueError("cannot tokenise this")
        return super().count_tokens(texts)


class Killed(BaseException):
    """Ends a run as a signal would: nothing in the code under test may catch it."""


class DyingEngine(SerialEngine):
    """Runs some jobs, then dies."""

    def __init__(self, num_jobs: int) -> None:
        self.left = num_jobs

    def map(self, function: Callable[[J], T], jobs: Sequence[J], *, label: str) -> list[T]:
        """Apply function to each job until the engine is worn out."""
        results = []
        for job in jobs:
            if self.left == 0:
                raise Killed(label)
            self.left -= 1
            results.append(function(job))
        return results


def load_fake(folder: Path) -> FakeEncoder:
    """Load the fake encoder."""
    return FakeEncoder()


def load_failing(folder: Path) -> FakeEncoder:
    """Load the encoder whose tokenizer fails."""
    return FailingTokens()


def new_home(folder: Path) -> Home:
    """Make an empty home below a folder."""
    return Home(
        blobs_url=str(folder / "blobs"),
        tables_url=str(folder / "tables"),
        ledger_url=f"sqlite:///{folder / 'ledger.db'}",
        indexes=folder / "indexes",
        root=folder,
    )


def put_documents(home: Home, texts: dict[str, str], **fields: object) -> None:
    """Make texts by URI the live documents of a source; Markdown headings make the outline."""
    rows = [_document(home, uri, text, fields) for uri, text in texts.items()]
    home.table("documents").merge(
        pa.Table.from_pylist(rows, schema=DOCUMENTS.schema), run_id="test"
    )


class FakeTokenEncoder:
    """Gives each word, and each other visible character, a vector of its own."""

    name = "fake"
    token_mean = np.zeros(VECTOR_DIM, dtype=np.float32)

    def embed_tokens(self, texts: Sequence[str], kind: str) -> list[Tokens]:
        """Embed words; equal words up to case have equal vectors."""
        return [_word_vectors(text) for text in texts]


class FakeSearcher:
    """Finds the same passages for every question; every term is equally rare."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = list(hits)

    def search(self, question: str, k: int = 10) -> list[Hit]:
        """Give the first k passages."""
        return self.hits[:k]

    def idf(self, terms: Sequence[str]) -> list[float]:
        """Weigh all terms alike."""
        return [1.0] * len(terms)


def hit(text: str, start: int = 0, **fields: object) -> Hit:
    """Make a passage that stands at byte `start` of a document."""
    sha = sha256_hex(text.encode())
    values: dict[str, object] = {
        "chunk_id": sha,
        "doc_id": sha,
        "text_id": sha,
        "origin": "identity",
        "source": "test",
        "uri": f"file:///{sha[:8]}",
        "title": "",
        "licence": "MIT",
        "trust": 0.5,
        "language": "en",
        "heading": (),
        "text": text,
        "start": start,
        "end": start + len(text.encode()),
        "src_start": None,
        "src_end": None,
        "score": 1.0,
        "bm25": 1.0,
        "cosine": 0.9,
    }
    return Hit(**{**values, **fields})


def _document(home: Home, uri: str, text: str, fields: dict[str, object]) -> dict[str, object]:
    data = text.encode()
    extraction = Extraction(text=text, origin="identity", outline=_outline(text))
    text_id = home.blobs.put(data)
    row = {
        "source": "test",
        "uri": uri,
        "doc_id": text_id,
        "version": 1,
        "status": "live",
        "n_bytes": len(data),
        "mime": "text/markdown",
        "title": uri,
        "author": "",
        "language": "en",
        "text_id": text_id,
        "text_bytes": len(data),
        "layout_id": home.blobs.put(dump_layout(extraction)),
        "origin": "identity",
        "licence": "MIT",
        "licence_evidence": "declared",
        "licence_raw": "",
        "trust": 0.5,
        "sensitivity": [],
        "signature": b"",
        "cluster": text_id,
        "container_id": "",
        "locator": "",
        "fetched_at": None,
        "published_at": None,
        "meta": "{}",
        "run_id": "test",
    }
    return row | fields


def _outline(text: str) -> tuple[Heading, ...]:
    at, found = 0, []
    for line in text.splitlines(keepends=True):
        marks = len(line) - len(line.lstrip("#"))
        if marks and line[marks : marks + 1] == " ":
            found.append(Heading(start=at, level=marks, title=line[marks:].strip()))
        at += len(line.encode())
    return tuple(found)


def _vector(text: str) -> np.ndarray:
    total = np.full(VECTOR_DIM, 1e-3, dtype=np.float32)
    for term in analyse(text):
        total += _direction(term)
    return total / np.linalg.norm(total)


@functools.cache
def _direction(term: str) -> np.ndarray:
    rng = np.random.default_rng(crc32(term.encode()))
    return rng.standard_normal(VECTOR_DIM, dtype=np.float32)


def _word_vectors(text: str) -> Tokens:
    words = list(re.finditer(r"[a-zA-Z0-9]+|[^\sa-zA-Z0-9]", text))
    vectors = [_direction(word.group().lower()) for word in words]
    stacked = np.array(vectors, dtype=np.float32).reshape(-1, VECTOR_DIM)
    return Tokens(
        stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12),
        np.array([word.start() for word in words], dtype=np.int64),
        np.array([word.end() for word in words], dtype=np.int64),
    )
