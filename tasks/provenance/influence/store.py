"""Influence indexes on disk: what is needed to score any text against a model's training samples.

`<root>/<model sha256>/manifest.json` names a folder of files beside it and the SHA-256 of each.
The manifest is replaced last and atomically, so that a reader finds a whole index or the one
before. Nothing of a removed document stays: `drop_exposed` deletes whole indexes.
"""

import io
import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from storage.digest import canonical_json, sha256_hex
from storage.errors import CorruptError, NotFoundError
from storage.files import explained, sync_folder, write_atomic
from storage.home import Home
from tasks.provenance.influence.samples import Samples

MANIFEST = "manifest.json"
ROWS = "samples.parquet"
TOKENS = "tokens.npy"
TOKENIZER = "tokenizer.json"
FACTORS = "factors"
VERSION = 1
_WEIGHTS = "weights-"


@dataclass(frozen=True, kw_only=True)
class InfluenceFolder:
    """An index; every file is proven against the manifest when it is read."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def samples(self) -> Samples:
        """Training samples of the model."""
        rows = pl.read_parquet(io.BytesIO(self.read(ROWS)))
        return Samples(tokens=np.load(io.BytesIO(self.read(TOKENS))), rows=rows)

    @property
    def tokenizer(self) -> str:
        """JSON of the model's tokenizer."""
        return self.read(TOKENIZER).decode()

    @property
    def weights(self) -> list[bytes]:
        """Weights of each checkpoint; the last one is the model."""
        return [self.read(name) for name in sorted(self.manifest["files"]) if _is_weights(name)]

    def link_factors(self, folder: Path) -> None:
        """Make the curvature of each checkpoint appear in a folder that can be written to."""
        for name in self.manifest["files"]:
            if name.startswith(f"{FACTORS}/"):
                self.read(name)
                link = folder / name.removeprefix(f"{FACTORS}/")
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to((self.path / name).resolve())

    def read(self, name: str) -> bytes:
        """Read a file; CorruptError when it is not what was written."""
        path = self.path / name
        try:
            with explained(str(path)):
                data = path.read_bytes()
        except NotFoundError as error:
            raise _damaged(path) from error
        if sha256_hex(data) != self.manifest["files"].get(name):
            raise _damaged(path)
        return data


def index_root(home: Home) -> Path:
    """Give the folder of all influence indexes of an installation."""
    return home.root / "influence"


def write_index(
    root: Path,
    samples: Samples,
    tokenizer: str,
    weights: Sequence[bytes],
    facts: Mapping[str, Any],
    factors: Path | None = None,
) -> Path:
    """Store an index under the SHA-256 of the model, instead of an older one of the same model."""
    place = root / sha256_hex(weights[-1])
    name = uuid.uuid4().hex
    folder = place / name
    with explained(str(place)):
        folder.mkdir(parents=True)
        for path, data in _contents(samples, tokenizer, weights):
            write_atomic(folder / path, data)
        if factors is not None:
            _copy_factors(factors, folder / FACTORS)
        body = {**facts, "version": VERSION, "folder": name, "files": _hashes(folder)}
        write_atomic(place / MANIFEST, canonical_json(body))
        sync_folder(place)
        for old in place.iterdir():
            if old.is_dir() and old.name != name:
                shutil.rmtree(old)
    return folder


def open_index(root: Path, digest: str) -> InfluenceFolder:
    """Open the index of a model; NotFoundError when there is none."""
    place = root / digest
    try:
        with explained(str(place)):
            manifest = json.loads((place / MANIFEST).read_bytes())
    except NotFoundError as error:
        raise NotFoundError(
            "no influence was computed for this model",
            item=f"influence:{digest[:12]}",
            way_out="Run `suyuan influence`",
        ) from error
    except ValueError as error:
        raise _damaged(place / MANIFEST) from error
    return InfluenceFolder(path=place / manifest["folder"], manifest=manifest)


def drop_exposed(root: Path, doc_ids: Iterable[str]) -> list[str]:
    """Delete every index that holds samples of one of these documents; give the models' digests."""
    wanted, dropped = set(doc_ids), []
    for place in sorted(root.iterdir()) if root.is_dir() else ():
        folders = [rows for rows in place.glob(f"*/{ROWS}") if _holds(rows, wanted)]
        if folders:
            (place / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(place)
            dropped.append(place.name)
    return dropped


def _holds(rows: Path, doc_ids: set[str]) -> bool:
    return bool(pl.read_parquet(rows, columns=["doc_id"])["doc_id"].is_in(doc_ids).any())


def _contents(
    samples: Samples, tokenizer: str, weights: Sequence[bytes]
) -> Iterator[tuple[str, bytes]]:
    stream, parquet = io.BytesIO(), io.BytesIO()
    np.save(stream, samples.tokens)
    samples.rows.write_parquet(parquet)
    yield ROWS, parquet.getvalue()  # first: drop_exposed finds by it what a killed run left
    yield TOKENS, stream.getvalue()
    yield TOKENIZER, tokenizer.encode()
    for number, data in enumerate(weights):
        yield f"{_WEIGHTS}{number:03d}.safetensors", data


def _is_weights(name: str) -> bool:
    return name.startswith(_WEIGHTS)


def _copy_factors(source: Path, target: Path) -> None:
    """Keep what scoring needs: eigenvectors and corrected eigenvalues, not the covariances."""
    for path in sorted(source.glob("checkpoint-*/factors_factors/*")):
        if "covariance.safetensors" not in path.name:
            write_atomic(target / path.relative_to(source), path.read_bytes())


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256_hex(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _damaged(path: Path) -> CorruptError:
    return CorruptError(
        "not what was written", item=str(path), way_out="Run `suyuan influence` again"
    )
