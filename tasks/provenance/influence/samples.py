"""What a small model is trained and judged on: windows of tokens, each tied to bytes of a document.

The tokenizer is a byte-level BPE (Sennrich et al. 2016; bytes as in GPT-2): each character of a
token string stands for one byte, so byte offsets are sums of token lengths and any text fits,
Chinese too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from storage.digest import sha256_hex
from storage.errors import InputError, MissingError
from storage.records import Exposure

Floats = NDArray[np.float64]
Tokens = NDArray[np.int32]
"""[samples, window]; PAD after the end of a text that is shorter than the window."""

PAD = -1
MIN_SAMPLES = 16
ROW_SCHEMA = {
    "doc_id": pl.String,
    "source": pl.String,
    "licence": pl.String,
    "start": pl.Int64,
    "end": pl.Int64,
}
_TOKENIZER_CHARS = 4000
_MIN_BYTES_PER_TOKEN = 2
_MAX_CHARS_PER_TOKEN = 12
"""No more of a document is tokenised than so many characters for each token that is wanted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A document to learn from."""

    doc_id: str
    source: str
    licence: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Windows of tokens and where each comes from: bytes [start, end) of the extracted text."""

    tokens: Tokens
    rows: pl.DataFrame

    def __len__(self) -> int:
        return len(self.tokens)

    def exposures(self) -> list[Exposure]:
        """Say how many samples and bytes of each document are in them."""
        found = self.rows.group_by("doc_id", "source", "licence", maintain_order=True).agg(
            n_samples=pl.len(), n_bytes=(pl.col("end") - pl.col("start")).sum()
        )
        return [Exposure(**row) for row in found.iter_rows(named=True)]

    def by_text(self, values: Floats) -> Floats:
        """Sum the values [windows, ...] of the windows of each text, in the order of the texts."""
        names = self.rows["doc_id"].to_list()
        place = {name: at for at, name in enumerate(dict.fromkeys(names))}
        summed = np.zeros((len(place), *values.shape[1:]))
        np.add.at(summed, [place[name] for name in names], values)
        return summed


@dataclass(frozen=True, kw_only=True)
class Split:
    """Training samples, the windows that follow them in the same documents, and the tokenizer."""

    train: Samples
    held_out: Samples
    tokenizer: str
    """JSON of the tokenizer."""
    vocabulary: int
    """Tokens that it knows."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How documents are cut: so many windows of so many tokens for training, then for judging."""

    window: int = 33
    per_document: int = 5
    held_out: int = 1
    vocabulary: int = 2000

    @property
    def needed(self) -> int:
        """Windows that a document must have."""
        return self.per_document + self.held_out

    @property
    def min_bytes(self) -> int:
        """Bytes below which a document cannot be long enough, or is not worth tokenising."""
        return self.needed * self.window * _MIN_BYTES_PER_TOKEN


def choose_documents(rows: pl.DataFrame, limit: int, seed: int) -> pl.DataFrame:
    """Draw distinct documents, in turns from each source, in an order that only the seed decides.

    Rows have the columns doc_id and source. A document of several sources counts for the first.
    """
    order = [sha256_hex(f"{seed}/{doc_id}".encode()) for doc_id in rows["doc_id"]]
    drawn = rows.with_columns(pl.Series("_order", order, dtype=pl.String)).sort("source", "_order")
    first = drawn.unique("doc_id", keep="first", maintain_order=True)
    turns = first.with_columns(_turn=pl.col("_order").cum_count().over("source"))
    return turns.sort("_turn", "source").head(limit).drop("_order", "_turn")


def cut_documents(documents: Iterable[Document], cut: Cut) -> Split:
    """Cut documents into windows; those that are too short are left out, of the tokenizer too.

    MissingError when what is left is too little to learn from.
    """
    kept = list(documents)
    while True:
        tokenizer = train_tokenizer((document.text for document in kept), cut.vocabulary)
        windows = [list(_windows(d, tokenizer, cut.window, cut.needed)) for d in kept]
        full = [len(found) == cut.needed and found[-1][1][-1] != PAD for found in windows]
        if all(full):
            break
        kept = [document for document, long in zip(kept, full, strict=True) if long]
    if len(kept) * cut.per_document < MIN_SAMPLES:
        raise MissingError(
            f"{len(kept)} documents have {cut.needed} windows of {cut.window} tokens, "
            f"too few for {MIN_SAMPLES} samples",
            way_out="Ingest more or longer documents, or ask for fewer windows a document",
        )
    train = [pair for found in windows for pair in found[: cut.per_document]]
    held_out = [pair for found in windows for pair in found[cut.per_document :]]
    return Split(
        train=_samples(train, cut.window),
        held_out=_samples(held_out, cut.window),
        tokenizer=tokenizer.to_str(),
        vocabulary=tokenizer.get_vocab_size(),
    )


def encode_texts(texts: Mapping[str, str], tokenizer: str, window: int) -> Samples:
    """Cut texts into windows, the last one padded; `doc_id` of a row is the text's key."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_str(tokenizer)
    found = [
        pair
        for key, text in texts.items()
        for pair in _windows(Document(doc_id=key, source="", licence="", text=text), loaded, window)
    ]
    if not found:
        raise InputError("no text of at least two tokens", way_out="Give some words to explain")
    return _samples(found, window)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """Learn a byte-level BPE from the beginnings of the texts."""
    from tokenizers import ByteLevelBPETokenizer, Tokenizer

    learner = ByteLevelBPETokenizer()
    beginnings = (text[:_TOKENIZER_CHARS] for text in texts)
    learner.train_from_iterator(beginnings, vocab_size=vocabulary, show_progress=False)
    return Tokenizer.from_str(learner.to_str())


def read_documents(rows: pl.DataFrame, read_text: Callable[[str], bytes]) -> Iterator[Document]:
    """Read the texts of chosen documents one by one; columns doc_id, source, licence, text_id."""
    for row in rows.select("doc_id", "source", "licence", "text_id").iter_rows(named=True):
        text = read_text(row.pop("text_id")).decode()
        yield Document(text=text, **row)


def _windows(
    document: Document, tokenizer: Any, window: int, limit: int = 0
) -> Iterator[tuple[dict[str, Any], Tokens]]:
    text = document.text[: limit * window * _MAX_CHARS_PER_TOKEN] if limit else document.text
    encoded = tokenizer.encode(text)
    ends = np.cumsum([0, *(len(token) for token in encoded.tokens)])
    stop = min(len(encoded.ids), limit * window) if limit else len(encoded.ids)
    for first in range(0, stop - 1, window):
        last = min(first + window, stop)
        row = {name: getattr(document, name) for name in ("doc_id", "source", "licence")}
        tokens = np.full(window, PAD, np.int32)
        tokens[: last - first] = encoded.ids[first:last]
        yield row | {"start": int(ends[first]), "end": int(ends[last])}, tokens


def _samples(pairs: Sequence[tuple[dict[str, Any], Tokens]], window: int) -> Samples:
    rows = pl.DataFrame([row for row, _ in pairs], schema=ROW_SCHEMA)
    tokens = np.array([tokens for _, tokens in pairs], np.int32).reshape(-1, window)
    return Samples(tokens=tokens, rows=rows)
