"""Influence end to end: train, calibrate, register, record, store, and score a text from the index."""

import json

import pytest

from infra.settings import Settings
from storage.errors import CorruptError, NotFoundError
from storage.models import ModelRecords
from tests.influence_home import WORDS, fill_home

pytestmark = [pytest.mark.server, pytest.mark.slow]

SMALL = {"max_documents": 10, "per_document": 3, "epochs": 4, "companions": 1, "subsets": 10}


@pytest.fixture(scope="module")
def done(tmp_path_factory, prefect_api):
    """The flow's report, settings and home; EK-FAC included."""
    pytest.importorskip("kronfluence", reason="the extra `influence` is not installed")
    folder = tmp_path_factory.mktemp("influence")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SUYUAN_STORAGE_URL", "SUYUAN_LEDGER_URL", "SUYUAN_MLFLOW_URI"):
            patch.delenv(name, raising=False)
        patch.setenv("SUYUAN_HOME", str(folder))
        home = fill_home(folder)
        texts = folder / "texts.jsonl"
        rows = [{"id": f"t{at}", "text": " ".join(WORDS["sea"][at:] * 2)} for at in range(10)]
        texts.write_text("\n".join([*map(json.dumps, rows), "not json"]))
        from flows.influence import InfluenceParams, influence

        settings = Settings().apply()
        yield influence(InfluenceParams(evaluation=str(texts), **SMALL)), settings, home


def test_the_report_is_calibrated_and_tells_the_sources_apart(done):
    report, _, _ = done
    assert (report.num_documents, report.num_samples, report.num_texts) == (10, 30, 10)
    assert report.num_refused == 1
    assert report.lds.low <= report.lds.value <= report.lds.high
    assert set(report.parts) == {"tfidf", "bigrams", "ekfac", "embedding", "combined", "lexical"}
    sea, farm = report.sources
    assert (sea.name, farm.name) == ("sea", "farm")
    assert sea.score.verdict == sea.removed.verdict == "helped"
    assert farm.score.verdict == "hurt"
    assert "LDS" in report.markdown()


def test_mlflow_has_the_lds_the_files_and_the_registered_model(done):
    import mlflow

    report, settings, _ = done
    client = mlflow.MlflowClient(tracking_uri=settings.mlflow)
    version = client.get_model_version("influence-proxy", report.model.partition("@")[2])
    assert version.tags["suyuan.sha256"] == report.sha256
    run = client.get_run(version.run_id)
    assert run.data.metrics["lds"] == report.lds.value
    assert run.inputs.dataset_inputs[0].dataset.name == "documents"
    files = {file.path for file in client.list_artifacts(version.run_id)}
    assert {"model.safetensors", "tokenizer.json", "influence.png", "influence.json"} <= files


def test_the_ledger_knows_exactly_what_the_model_was_trained_on(done):
    report, _, home = done
    models = ModelRecords(home.ledger_url)
    model = models.get(report.model)
    assert (model.sha256, model.trained_on) == (report.sha256, report.trained_on)
    exposures = models.exposures(report.model)
    assert {one.source for one in exposures} == set(WORDS)
    assert [one.n_samples for one in exposures] == [3] * 10
    assert min(one.n_bytes for one in exposures) > 3 * 33


@pytest.mark.parametrize("method", ["combined", "lexical"])
def test_any_text_is_scored_from_the_stored_index_with_its_lds(done, method):
    from tasks.provenance.influence.scores import influences

    report, _, home = done
    found = influences(home, report.model, "the captain and the whale in a storm", 5, method=method)
    assert [one.source for one in found] == ["sea"] * 5
    assert found[0].lds == report.parts[method].value
    assert f"LDS {found[0].lds:.2f} [" in found[0].describe("en")


def test_a_second_run_gives_the_same_model_and_no_new_version(done):
    from flows.influence import InfluenceParams, influence
    from tasks.provenance.influence.scores import influences

    report, _, home = done
    again = influence(InfluenceParams(**{**SMALL, "subsets": 0, "method": "lexical"}))
    assert (again.model, again.sha256, again.warning) == (report.model, report.sha256, "")
    assert again.lds is None
    assert again.standing == "uncalibrated"
    found = influences(home, again.model, "a cow in the meadow", 1)[0]
    assert (found.source, found.lds) == ("farm", None)
    assert "uncalibrated" in found.describe("en")
    assert "未校准" in found.describe("zh")
    with pytest.raises(NotFoundError, match="combined"):
        influences(home, again.model, "a cow in the meadow", method="combined")


def test_a_removed_document_takes_the_index_with_it(done):
    from tasks.provenance.influence.scores import influences
    from tasks.provenance.influence.store import drop_exposed, index_root, open_index

    report, _, home = done
    index = open_index(index_root(home), report.sha256)
    tokens = index.path / "tokens.npy"
    tokens.write_bytes(tokens.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptError, match=r"tokens\.npy"):
        influences(home, report.model, "whale")
    doc_id = report.helped_most[0].name
    assert drop_exposed(index_root(home), ["another"]) == []
    assert drop_exposed(index_root(home), [doc_id]) == [report.sha256]
    with pytest.raises(NotFoundError, match="suyuan influence"):
        influences(home, report.model, "whale")
