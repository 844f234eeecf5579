"""Evaluation end to end: a set of its own, a published index judged by URI, and known items."""

import json

import pytest

from flows.evaluate import evaluate_sensitivity_set
from flows.launch import run_here
from infra.settings import Settings
from storage.errors import MissingError

pytestmark = [pytest.mark.server, pytest.mark.slow]

TOWNS = {
    "brim": "The lighthouse of Brimhaven was built in 1871 by Ada Quill, who was an engineer.",
    "cold": "The bakery at Coldbrook sells dark rye bread on Mondays and white rolls on Fridays.",
    "olds": "The water mill of Oldstock grinds twelve tonnes of barley in an ordinary week.",
    "青石": "青石港的灯塔建于1903年,设计者是林晚舟,灯塔高三十二米。",
}
QUESTIONS = {
    "brim": "Who built the lighthouse?",
    "cold": "Where can I buy rye bread?",
    "olds": "How much barley is ground in a week?",
    "青石": "青石港的灯塔有多高?",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory, prefect_api):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUYUAN_HOME", str(tmp_path_factory.mktemp("evaluate")))
        yield Settings().apply()


def write_set(folder, names, corpus):
    folder.mkdir(exist_ok=True)
    if corpus:
        rows = [{"_id": key, "text": text} for key, text in TOWNS.items()]
        (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    rows = [{"_id": key, "text": text} for key, text in QUESTIONS.items()]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines = [f"{key}\t{names[key]}\t1" for key in QUESTIONS]
    (folder / "qrels.tsv").write_text("\n".join([*lines, "nobody\tbrim\t1"]), "utf-8")
    return str(folder)


def test_a_set_with_its_own_corpus_is_indexed_searched_and_logged(settings, tmp_path):
    import mlflow

    path = write_set(tmp_path / "towns", {key: key for key in TOWNS}, corpus=True)
    report = run_here("evaluate", {"set": path}, settings)
    assert (report.passages, report.questions, report.num_refused) == (4, 4, 1)
    assert report.modes["hybrid"]["ndcg@10"].mean == 1.0
    assert (report.against, report.unreachable) == ("own corpus", 0)
    assert not settings.indexes.exists()
    mlflow.set_tracking_uri(settings.mlflow)
    run = mlflow.search_runs(experiment_names=["evaluate"], output_format="list")[0]
    assert run.data.metrics["hybrid/ndcg_at_10"] == 1.0
    assert run.inputs.dataset_inputs[0].dataset.digest == report.digest[:32]
    files = mlflow.MlflowClient().list_artifacts(run.info.run_id)
    assert "retrieval.png" in {file.path for file in files}


def test_without_an_index_known_items_are_refused_with_the_way_out(settings):
    with pytest.raises(MissingError, match="suyuan index"):
        run_here("evaluate", {}, settings)


@pytest.fixture(scope="module")
def index(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("towns")
    for name, text in TOWNS.items():
        (folder / f"{name}.txt").write_text(text, "utf-8")
    run_here("ingest", {"locations": [str(folder)], "name": "towns"}, settings)
    run_here("features", {}, settings)
    return folder, run_here("index", {}, settings)


def test_a_set_without_corpus_judges_documents_by_uri(settings, index, tmp_path):
    folder, published = index
    uris = {name: (folder / f"{name}.txt").as_uri() for name in TOWNS}
    uris["cold"] = "file:///nowhere.txt"
    path = write_set(tmp_path / "by-uri", uris, corpus=False)
    report = run_here("evaluate", {"set": path, "modes": ["hybrid"]}, settings)
    assert (report.against, report.unreachable) == (published.index, 1)
    assert report.modes["hybrid"]["recall@10"].mean == 0.75


def test_known_items_are_drawn_from_the_index_and_found(settings, index):
    report = run_here("evaluate", {"limit": 3}, settings)
    assert (report.set, report.questions) == ("known-item", 3)
    assert report.modes["bm25"]["hit@1"].mean == 1.0
    assert "lexical" in report.limits


def test_labelled_rows_are_judged_and_refusals_listed(settings, tmp_path):
    span = {"entity_type": "EMAIL_ADDRESS", "start_position": 9, "end_position": 24}
    good = {"full_text": "Write to ada@example.org today.", "spans": [span]}
    path = tmp_path / "pii.jsonl"
    path.write_text(json.dumps(good) + "\nnot json\n")
    report = evaluate_sensitivity_set(path, settings)
    assert (report["rows"], report["num_refused"]) == (1, 1)
    assert report["refused"][0]["place"] == "pii.jsonl:2"
    assert report["figures"]["held_out"]["types"]["EMAIL_ADDRESS"]["recall"]["value"] == 1.0
    assert report["run_id"]
