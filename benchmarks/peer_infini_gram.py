"""infini-gram 2.6.0 as a peer: installed apart from the locked environment, fed with our corpus.

Its index takes the token ids of any tokenizer; we give it those of a byte-level BPE of 32,000
entries trained on the corpus, as the tokenizers that it knows by name lie on a hub.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.debian_docs import PEERS

VERSION = "2.6.0"
VOCABULARY = 32_000
SAMPLE_BYTES = 12_000_000
MOST = 1_000_000
_INSTALL_SECONDS = 600


def install() -> None:
    """Install the peer into a folder of its own, once, and make it importable."""
    target = PEERS / "infini-gram"
    if not (target / "infini_gram").is_dir():
        uv = Path(sys.executable).parent / "uv"
        command = [str(uv), "pip", "install", "--python", sys.executable, "--target", str(target)]
        subprocess.run(
            [*command, "--no-deps", f"infini-gram=={VERSION}"], check=True, timeout=_INSTALL_SECONDS
        )
    sys.path.append(str(target))


def train_bpe(texts: Sequence[str]) -> Any:
    """Train the tokenizer on a sample of the texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    share = max(1, sum(map(len, texts)) // SAMPLE_BYTES)
    tokenizer.train_from_iterator(texts[::share], trainer)
    return tokenizer


def encode(tokenizer: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """Cut texts into token ids, in batches as the library does best."""
    return [np.array(one.ids, np.uint16) for one in tokenizer.encode_batch_fast(texts)]


def build(folder: Path, documents: Sequence[np.ndarray], names: Sequence[str]) -> int:
    """Write the peer's input files, build its index, and give the bytes of the index."""
    from infini_gram import indexing

    _write_input(folder, documents, names)
    here = Path.cwd()
    settings = argparse.Namespace(
        save_dir=str(folder),
        temp_dir=str(folder),
        worker_id=0,
        shards=1,
        workers=1,
        mem=8,
        cpus=2,
        token_width=2,
    )
    with contextlib.redirect_stdout(sys.stderr):
        indexing.build_sa(settings)
    os.chdir(here)  # the call leaves the process in the library's folder
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def engine(folder: Path) -> Any:
    """Open the index with all of it in memory."""
    from infini_gram.engine import InfiniGramEngine

    with contextlib.redirect_stdout(sys.stderr):
        return InfiniGramEngine(
            index_dir=str(folder),
            eos_token_id=VOCABULARY,
            vocab_size=VOCABULARY + 1,
            version=4,
            token_dtype="u16",
            load_to_ram=True,
        )


def attribute(peer: Any, query: list[int], min_len: int) -> list[tuple[int, int, int]]:
    """Give start, end and count of each maximal span."""
    answer = peer.attribute(
        input_ids=query, delim_ids=[], min_len=min_len, max_cnt=MOST, enforce_bow=False
    )
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return [(span["l"], span["r"], span["count"]) for span in answer["spans"]]


def _write_input(folder: Path, documents: Sequence[np.ndarray], names: Sequence[str]) -> None:
    folder.mkdir(parents=True)
    rows = [json.dumps({"path": "c.jsonl", "linenum": 0, "metadata": name}) for name in names]
    lines = [f"{row}\n".encode() for row in rows]
    tokens = [b"\xff\xff" + ids.tobytes() for ids in documents]
    for name, offsets, parts in (
        ("tokenized.0", "offset.0", tokens),
        ("metadata.0", "metaoff.0", lines),
    ):
        sizes = np.array([0, *(len(part) for part in parts)], np.uint64)
        (folder / name).write_bytes(b"".join(parts))
        (folder / offsets).write_bytes(np.cumsum(sizes, dtype=np.uint64)[:-1].tobytes())
