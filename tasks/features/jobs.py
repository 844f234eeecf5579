"""Work that runs in a worker: chunk documents, count terms, embed texts; each writes one part.

A job names its part by what it computes. A complete part of that name, left by a killed run, is
taken instead of computing again. A document or text that cannot be computed is left out and
reported; it never stops its batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from storage.digest import canonical_json, sha256_hex
from storage.errors import ConflictError, CorruptError, InputError, NotFoundError
from storage.home import Home
from storage.records import Part
from storage.schemas import CHUNKS, VECTOR_DIM, VECTORS
from tasks.features.chunking import ChunkOptions, CountTokens, chunk_text
from tasks.features.counts import counts_table
from tasks.features.plan import PendingDocument, PendingText
from tasks.shared.layout import Layout, load_layout, source_range


class TextEncoder(Protocol):
    """What features need of a sentence encoder."""

    @property
    def spec(self) -> str:
        """Digest of all that decides the vectors."""
        ...

    @property
    def tokenizer_spec(self) -> str:
        """Digest of what decides the token counts."""
        ...

    @property
    def max_text_tokens(self) -> int:
        """Tokens of a text that the encoder reads; more are cut off."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text alone."""
        ...

    def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Give one unit vector a text, whatever the other texts are."""
        ...


LoadEncoder = Callable[[Path], TextEncoder]
"""Loads the encoder of a folder, once per process; a module-level function, so that it pickles."""


@dataclass(frozen=True, kw_only=True)
class ChunkJob:
    """Documents to cut into chunks."""

    home: Home
    spec: str
    key: str
    documents: tuple[PendingDocument, ...]
    options: ChunkOptions
    encoder: Path
    load: LoadEncoder


@dataclass(frozen=True, kw_only=True)
class TextJob:
    """Distinct texts to count or to embed; counting needs no encoder."""

    home: Home
    spec: str
    key: str
    texts: tuple[PendingText, ...]
    encoder: Path | None = None
    load: LoadEncoder | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Something that could not be computed: an id of the job's input, and why."""

    item: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a job wrote; no part when it had nothing to write."""

    part: Part | None
    reused: bool = False
    num_tokens: int = 0
    failures: tuple[Failure, ...] = ()


_POISON = (
    InputError,
    CorruptError,
    NotFoundError,
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    RuntimeError,
)
"""Errors that one input can cause. An unreachable store is none of them: it stops the run."""


def chunk_batch(job: ChunkJob) -> Result:
    """Cut the documents of a job into chunks and write them as one part."""
    left = _left_part(job, "chunks", "doc_id", {one.doc_id for one in job.documents})
    if left is not None:
        return Result(part=left, reused=True)
    count_tokens = job.load(job.encoder).count_tokens
    columns: dict[str, list[Any]] = {name: [] for name in CHUNKS.schema.names}
    failures = []
    for document in job.documents:
        try:
            rows = _chunk_document(job, document, count_tokens)
        except _POISON as error:
            failures.append(Failure(item=document.doc_id, detail=_describe(error)))
            continue
        for name, values in columns.items():
            values.extend(rows[name])
    return Result(
        part=_write(job, "chunks", pa.table(columns, schema=CHUNKS.schema)),
        num_tokens=sum(columns["n_tokens"]),
        failures=tuple(failures),
    )


def count_batch(job: TextJob) -> Result:
    """Count the terms of the texts of a job and write them as one part."""
    return _text_batch(job, "counts", partial(counts_table, job.spec))


def embed_batch(job: TextJob) -> Result:
    """Embed the texts of a job and write the vectors as one part."""
    if job.encoder is None or job.load is None:
        raise ValueError("embedding needs an encoder")
    encoder = job.load(job.encoder)
    if encoder.spec != job.spec:
        raise ConflictError(
            f"this worker's encoder is {encoder.spec}",
            item=f"encoder {job.spec}",
            way_out="Run all workers on CPUs of one kind, with the same packages",
        )
    return _text_batch(job, "vectors", partial(_vectors_table, encoder))


def chunk_id(doc_id: str, text_id: str, start: int, end: int) -> str:
    """Name the chunk at bytes [start, end) of a text of a document."""
    return sha256_hex(canonical_json([doc_id, text_id, start, end]))


def _chunk_document(
    job: ChunkJob, document: PendingDocument, count_tokens: CountTokens
) -> dict[str, list[Any]]:
    """Compute the columns of the chunks of one document."""
    text = job.home.blobs.get(document.text_id)
    layout = load_layout(job.home.blobs.get(document.layout_id)) if document.layout_id else None
    passages = chunk_text(
        text.decode(), layout.outline if layout else (), count_tokens, job.options
    )
    spans = [(start, end) for start, end, _, _ in passages]
    sources = [_source(text, layout, *span) for span in spans]
    pieces = [text[start:end] for start, end in spans]
    size = len(passages)
    return {
        "spec": [job.spec] * size,
        "chunk_id": [chunk_id(document.doc_id, document.text_id, *span) for span in spans],
        "doc_id": [document.doc_id] * size,
        "text_id": [document.text_id] * size,
        "ordinal": list(range(size)),
        "start": [start for start, _ in spans],
        "end": [end for _, end in spans],
        "src_start": [start for start, _ in sources],
        "src_end": [end for _, end in sources],
        "heading": [list(path) for _, _, path, _ in passages],
        "text": [piece.decode() for piece in pieces],
        "text_sha": [sha256_hex(piece) for piece in pieces],
        "n_tokens": [num_tokens for *_, num_tokens in passages],
    }


def _source(
    text: bytes, layout: Layout | None, start: int, end: int
) -> tuple[int | None, int | None]:
    return source_range(text, layout, start, end) or (None, None)


def _text_batch(
    job: TextJob, table: str, make: Callable[[Sequence[str], Sequence[str]], pa.Table]
) -> Result:
    """Read the texts of a job, make rows of them, write one part."""
    left = _left_part(job, table, "text_sha", {text.text_sha for text in job.texts})
    if left is not None:
        return Result(part=left, reused=True)
    texts, failures = _read_texts(job)
    made, failed = _make_rows(make, texts)
    return Result(
        part=_write(job, table, made) if made is not None else None,
        num_tokens=sum(text.num_tokens for text in job.texts if text.text_sha in texts),
        failures=(*failures, *failed),
    )


def _make_rows(
    make: Callable[[Sequence[str], Sequence[str]], pa.Table], texts: dict[str, str]
) -> tuple[pa.Table | None, list[Failure]]:
    """Make all rows at once; when that fails, one by one, to find the texts to leave out.

    Raises when even a harmless text fails: then it is not the texts that are at fault.
    """
    if not texts:
        return None, []
    try:
        return make(list(texts), list(texts.values())), []
    except _POISON:
        make([""], ["probe"])
    pieces, failures = [], []
    for sha, text in texts.items():
        try:
            pieces.append(make([sha], [text]))
        except _POISON as error:
            failures.append(Failure(item=sha, detail=_describe(error)))
    return (pa.concat_tables(pieces) if pieces else None), failures


def _read_texts(job: TextJob) -> tuple[dict[str, str], list[Failure]]:
    """Read the texts by hash, each blob once; each is checked against its hash."""
    texts: dict[str, str] = {}
    failures = []
    for text_id, group in groupby(job.texts, key=lambda text: text.text_id):
        members = list(group)
        try:
            texts.update(_slices(job.home.blobs.get(text_id), members))
        except _POISON as error:
            detail = _describe(error)
            failures += [Failure(item=member.text_sha, detail=detail) for member in members]
    return texts, failures


def _slices(data: bytes, members: Sequence[PendingText]) -> Iterator[tuple[str, str]]:
    for member in members:
        piece = data[member.start : member.end]
        if sha256_hex(piece) != member.text_sha:
            raise CorruptError(
                "the text at these offsets has another hash",
                item=f"blob:{member.text_id}[{member.start}:{member.end}]",
                way_out="Run `suyuan verify --all`",
            )
        yield member.text_sha, piece.decode()


def _vectors_table(encoder: TextEncoder, shas: Sequence[str], texts: Sequence[str]) -> pa.Table:
    vectors = encoder.embed(texts, "passage")
    if vectors.shape != (len(texts), VECTOR_DIM) or not np.isfinite(vectors).all():
        raise ValueError(f"the encoder gave no finite vectors of {VECTOR_DIM} numbers")
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    return pa.table(
        [
            [encoder.spec] * len(texts),
            list(shas),
            pa.FixedSizeListArray.from_arrays(flat, VECTOR_DIM),
        ],
        schema=VECTORS.schema,
    )


def _left_part(job: ChunkJob | TextJob, name: str, column: str, wanted: set[str]) -> Part | None:
    """Find the job's part from a killed run, if it holds all that the job wants."""
    table = job.home.table(name)
    part = table.find_part(job.key, {"spec": job.spec})
    if part is None:
        return None
    data = table.files.read(part.path)
    stored = pq.read_table(pa.BufferReader(data), columns=[column])[column].to_pylist()
    return part if set(stored) == wanted else None


def _write(job: ChunkJob | TextJob, name: str, rows: pa.Table) -> Part | None:
    if rows.num_rows == 0:
        return None
    return job.home.table(name).write_part(job.key, rows, {"spec": job.spec})


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1000]
