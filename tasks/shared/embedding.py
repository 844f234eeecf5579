"""Sentence and token embeddings on the CPU: OpenVINO, small length-sorted batches."""

import functools
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from storage.digest import spec_digest
from storage.errors import MissingError
from tasks.shared.weights import MANIFEST, load_openvino

Kind = Literal["query", "passage"]
Floats = np.ndarray[Any, np.dtype[np.float32]]

TOKEN_BUDGET = 1024
"""Tokens of one batch, padding included: small budgets are the fastest on a CPU."""
_WINDOW = 2048
"""Texts that are tokenised and sorted together."""


@dataclass(frozen=True)
class Tokens:
    """Unit vectors of the tokens of one text, with their char ranges [start, end) in it.

    Special tokens, the prefix and bare white space are left out.
    """

    vectors: Floats
    starts: np.ndarray[Any, np.dtype[np.int64]]
    ends: np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class _Encoded:
    """One text, ready for the model: ids cut to the model's length, offsets, what is content."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    content: list[bool]
    was_cut: bool


class Encoder:
    """A converted encoder, loaded; see `prepare_encoder`. Safe to use from several threads."""

    def __init__(
        self, folder: Path, threads: int = 1, precision: Literal["auto", "f32"] = "auto"
    ) -> None:
        from tokenizers import Tokenizer

        try:
            manifest = json.loads((folder / MANIFEST).read_bytes())
        except FileNotFoundError as error:
            raise MissingError(
                "no converted encoder", item=str(folder), way_out="Call prepare_encoder first"
            ) from error
        self.name: str = manifest["name"]
        self.dim: int = manifest["dim"]
        self.tokenizer_spec: str = manifest["files"]["tokenizer.json"]
        """SHA-256 of the tokenizer: what decides the token counts, on any CPU."""
        self.max_tokens: int = manifest["max_tokens"]
        self.token_mean: Floats = np.array(manifest["token_mean"], dtype=np.float32)
        """Mean unit token vector of ordinary prose; subtract it before comparing tokens."""
        self.num_cut = 0
        """Texts so far that were longer than the model reads, and were cut."""
        self._prefixes: dict[str, str] = manifest["prefixes"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._model, self.precision = _compile(folder / "model.xml", threads, precision)
        self._lock = threading.Lock()
        self.spec: str = spec_digest(
            weights=manifest["weights_sha256"],
            tokenizer=manifest["files"]["tokenizer.json"],
            ir_version=manifest["version"],
            prefixes=self._prefixes,
            max_tokens=self.max_tokens,
            pooling=manifest["pooling"],
            precision=self.precision,
        )
        """Digest of all that decides the vectors."""
        overhead = len(self._tokenizer.encode(self._prefixes["passage"]).ids)
        self.max_text_tokens = self.max_tokens - overhead
        """Tokens that a text may have, as `count_tokens` counts, before it is cut."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text alone: no prefix, no special tokens."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def embed(self, texts: Sequence[str], kind: Kind) -> Floats:
        """Return unit vectors [n, dim]; a result does not depend on the other texts."""
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for numbers, _encoded, outputs in self._batches(texts, kind):
            vectors[numbers] = outputs[0]
        return vectors

    def embed_tokens(self, texts: Sequence[str], kind: Kind) -> list[Tokens]:
        """Return the token vectors of each text."""
        found: dict[int, Tokens] = {}
        shift = len(self._prefixes[kind])
        for numbers, encoded, outputs in self._batches(texts, kind):
            for row, number in enumerate(numbers):
                found[number] = _content(texts[number], encoded[row], outputs[1][row], shift)
        return [found[number] for number in range(len(texts))]

    def _batches(
        self, texts: Sequence[str], kind: Kind
    ) -> Iterator[tuple[list[int], list[_Encoded], tuple[Floats, Floats]]]:
        for number, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"text {number} is empty")
        for first in range(0, len(texts), _WINDOW):
            encoded = self._encode(texts[first : first + _WINDOW], kind)
            for batch in pack([len(item.ids) for item in encoded]):
                members = [encoded[number] for number in batch]
                yield [first + number for number in batch], members, self._infer(members)

    def _encode(self, texts: Sequence[str], kind: Kind) -> list[_Encoded]:
        prefix = self._prefixes[kind]
        encodings = self._tokenizer.encode_batch([prefix + text for text in texts])
        encoded = [_cut(encoding, self.max_tokens) for encoding in encodings]
        self.num_cut += sum(item.was_cut for item in encoded)
        return encoded

    def _infer(self, members: Sequence[_Encoded]) -> tuple[Floats, Floats]:
        longest = max(len(member.ids) for member in members)
        ids = np.zeros((len(members), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, member in enumerate(members):
            ids[row, : len(member.ids)] = member.ids
            mask[row, : len(member.ids)] = 1
        with self._lock:
            outputs = self._model([ids, mask])
        return outputs[0], outputs[1]


@functools.lru_cache(maxsize=2)
def encoder(folder: Path, threads: int = 1) -> Encoder:
    """Load an encoder once per process."""
    return Encoder(folder, threads)


def _compile(path: Path, threads: int, precision: str) -> tuple[Any, str]:
    """Compile for this CPU; report the precision that it really computes in."""
    ov = load_openvino()
    core = ov.Core()
    wanted = "f32"
    if precision == "auto" and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        wanted = "bf16"
    options = {
        "INFERENCE_PRECISION_HINT": wanted,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    model = core.compile_model(str(path), "CPU", options)
    used = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    return model, str(used)


def pack(lengths: Sequence[int], budget: int = TOKEN_BUDGET) -> Iterator[list[int]]:
    """Group numbers of texts, longest first, so that a padded group stays within the budget."""
    order = sorted(range(len(lengths)), key=lambda number: (-lengths[number], number))
    at = 0
    while at < len(order):
        size = max(1, budget // max(1, lengths[order[at]]))
        yield order[at : at + size]
        at += size


def _cut(encoding: Any, max_tokens: int) -> _Encoded:
    """Keep the first tokens and the closing special token."""
    ids, offsets = encoding.ids, encoding.offsets
    content = [not special for special in encoding.special_tokens_mask]
    was_cut = len(ids) > max_tokens
    if was_cut:
        ids = [*ids[: max_tokens - 1], ids[-1]]
        offsets = [*offsets[: max_tokens - 1], offsets[-1]]
        content = [*content[: max_tokens - 1], content[-1]]
    return _Encoded(ids, offsets, content, was_cut)


def _content(text: str, encoded: _Encoded, vectors: Floats, shift: int) -> Tokens:
    """Select the tokens that stand for characters of the text, and move their offsets to it."""
    rows, spans = [], []
    for row, (start, end) in enumerate(encoded.offsets):
        span = trim(text, max(0, start - shift), end - shift)
        if encoded.content[row] and span is not None:
            rows.append(row)
            spans.append(span)
    selected = vectors[rows]
    norms = np.linalg.norm(selected, axis=1, keepdims=True)
    starts, ends = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    return Tokens(selected / np.maximum(norms, 1e-12), starts, ends)


def trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Narrow a range to its visible characters; None when it has none."""
    covered = text[start : max(start, end)]
    visible = covered.strip()
    if not visible:
        return None
    first = start + covered.index(visible)
    return first, first + len(visible)
