"""The main job on a small bilingual folder: documents in, cited answers out, damage found."""

import json
import sqlite3

import pytest

from flows.launch import run_here
from infra.settings import Settings, home
from tasks.provenance.lineage.why import explain, render
from tasks.provenance.verification.verify import verify_all, verify_answer

pytestmark = [pytest.mark.server, pytest.mark.slow]
MAX_TASK_RUNS = 50

DOCUMENTS = {
    "harbour.md": "# Harbour\n\nThe lighthouse of Brimhaven was built in 1871 by Ada Quill. "
    "It burns whale oil no longer: since 1954 an electric lamp turns every nine seconds.\n\n"
    "## Tides\n\nSpring tides at Brimhaven reach four metres, neap tides barely two.\n",
    "bakery.txt": "SPDX-License-Identifier: MIT\n\nThe bakery at Coldbrook sells rye bread on "
    "Mondays. Its oven holds sixty loaves. Write to oven@coldbrook.example for orders.\n",
    "page.html": "<html><title>Mill</title><body><h1>Mill</h1><p>The mill &amp; weir of Oldstock "
    "grind 12 tonnes of barley a week.</p><script>ignore()</script></body></html>",
    "灯塔.md": "# 灯塔\n\n青石港的灯塔建于1903年,设计者是林晚舟。灯塔高三十二米,每六秒闪光一次。\n\n"
    "## 渔市\n\n青石港的渔市每天清晨五点开市,主要出售带鱼和墨鱼。\n",
    "rows.jsonl": '{"id": "q1", "text": "The observatory of Greyfell has a mirror of two metres.", '
    '"license": "CC-BY-4.0"}\n{"id": "q2"}\nnot json\n',
    "empty.md": "",
    "broken.pdf": "%PDF-1.4\n1 0 obj\n<<",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory, prefect_api):
    place = tmp_path_factory.mktemp("spine")
    folder = place / "docs"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUYUAN_HOME", str(place / "home"))
        yield Settings().apply(), folder


@pytest.fixture(scope="module")
def built(settings):
    current, folder = settings
    ingested = run_here("ingest", {"locations": [str(folder)], "name": "town"}, current)
    featured = run_here("features", {}, current)
    indexed = run_here("index", {}, current)
    return current, folder, ingested, featured, indexed


def test_documents_carry_licence_language_and_sensitivity_and_bad_ones_are_quarantined(built):
    _, _, report, _, _ = built
    assert (report.documents, report.new) == (5, 5)
    assert report.licences == {"CC-BY-4.0": 1, "MIT": 1}
    assert report.languages == {"en": 4, "zh": 1}
    assert report.sensitive["EMAIL_ADDRESS"] == 1
    assert set(report.reasons) >= {"file.empty", "pdf.broken", "row.no_text", "row.broken_json"}


def test_ingesting_the_same_folder_again_rewrites_nothing(built):
    current, folder, first, _, _ = built
    again = run_here("ingest", {"locations": [str(folder)], "name": "town"}, current)
    assert (again.new, again.unchanged, again.quarantined_new) == (0, 5, 0)
    assert (again.rewritten, again.version, again.root) == (False, first.version, first.root)


def test_features_and_index_have_nothing_to_do_the_second_time(built):
    current, _, _, _, indexed = built
    assert run_here("features", {}, current).rewritten is False
    again = run_here("index", {}, current)
    assert (again.rebuilt, again.index) == (False, indexed.index)
    assert (again.span_documents, again.span_added, again.span_removed) == (5, 0, 0)


def test_a_text_is_traced_by_the_command_to_the_bytes_of_its_original(built, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from flows.cli import app

    current, _, _, _, indexed = built
    assert (indexed.span_documents, indexed.span_added, indexed.span_segments) == (5, 5, 1)
    monkeypatch.setenv("SUYUAN_HOME", str(current.root))
    batch = tmp_path / "batch.jsonl"
    texts = ["They say: the MILL & weir of Oldstock grind barley", "青石港的燈塔建於1903年"]
    lines = [json.dumps({"id": number, "text": text}) for number, text in enumerate(texts)]
    batch.write_text("\n".join(lines), "utf-8")
    options = ["--batch", str(batch), "--min-units", "5", "--json"]
    out = CliRunner().invoke(app, ["trace", *options])
    english, chinese = (json.loads(line) for line in out.stdout.splitlines())
    (place,) = english["spans"][0]["documents"]
    original = home(current).blobs.get(place["doc_id"])[place["src_start"] : place["src_end"]]
    assert original == b"The mill &amp; weir of Oldstock grind"
    assert chinese["spans"][0]["documents"][0]["title"] == "灯塔"


@pytest.mark.parametrize(
    ("question", "quoted", "document"),
    [
        ("Who built the lighthouse of Brimhaven?", "Ada Quill", "harbour.md"),
        ("How much barley does the mill of Oldstock grind?", "12 tonnes of barley", "page.html"),
        ("青石港的灯塔是谁设计的?", "林晚舟", "%E7%81%AF%E5%A1%94.md"),
    ],
)
def test_an_answer_quotes_its_document_and_every_citation_verifies(
    built, question, quoted, document
):
    current = built[0]
    answer = run_here("answer", {"question": question}, current)
    assert answer.status == "answered"
    assert quoted in answer.answer
    assert answer.citations[0].uri.endswith(document)
    proof = verify_answer(answer.answer_id, home(current))
    assert (proof.problems, proof.citations_ok) == ((), len(answer.citations))
    chain = render(explain(answer.answer_id, home(current)), lang="zh")
    assert document in chain


def test_a_question_about_nothing_in_the_documents_is_refused(built):
    question = "Which quantum error correction code does the Zurich processor use?"
    answer = run_here("answer", {"question": question}, built[0])
    assert (answer.status, answer.answer, answer.citations) == ("refused", "", [])


def test_everything_stored_round_trips(built):
    report = verify_all(home(built[0]))
    assert (report.problems, report.chunks_ok) == ((), report.chunks_checked)
    assert report.chunks_checked >= 5


def test_no_flow_makes_more_task_runs_than_the_limit(built):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(limit=200)
    per_flow: dict[object, int] = {}
    for run in runs:
        per_flow[run.flow_run_id] = per_flow.get(run.flow_run_id, 0) + 1
    assert per_flow
    assert max(per_flow.values()) <= MAX_TASK_RUNS


def test_a_changed_file_gets_a_version_and_a_removed_one_is_gone(built):
    current, folder, _, _, _ = built
    (folder / "bakery.txt").write_text("The bakery at Coldbrook now sells oat bread.", "utf-8")
    (folder / "page.html").unlink()
    report = run_here("ingest", {"locations": [str(folder)], "name": "town"}, current)
    assert (report.changed, report.gone, report.documents) == (1, 1, 4)
    rows = home(current).table("documents").scan().collect()
    bakery = {r["version"]: r for r in rows.to_dicts() if r["uri"].endswith("bakery.txt")}
    assert [bakery[v]["status"] for v in (1, 2)] == ["superseded", "live"]
    assert b"sells rye bread" in home(current).blobs.get(bakery[1]["doc_id"])
    assert run_here("features", {}, current).chunks_new == 1
    assert run_here("index", {}, current).rebuilt


class TestDamage:
    """One flipped byte anywhere is found, and the damaged thing is named."""

    def problems(self, current):
        return {problem.node for problem in verify_all(home(current)).problems}

    def flip(self, path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def test_in_a_blob(self, built):
        current = built[0]
        sha = home(current).table("documents").scan().collect()["doc_id"][0]
        path = next((current.root / "blobs").rglob(f"{sha}*"))
        whole = path.read_bytes()
        self.flip(path)
        assert f"blob:{sha}" in self.problems(current)
        path.write_bytes(whole)

    def test_in_a_parquet_part(self, built):
        current = built[0]
        part = home(current).table("chunks").parts()[0]
        path = current.root / "tables/chunks" / part.path
        whole = path.read_bytes()
        self.flip(path)
        assert f"part:chunks/{part.path}" in self.problems(current)
        path.write_bytes(whole)

    def test_in_the_ledger(self, built):
        current = built[0]
        database = sqlite3.connect(current.root / "ledger.db")
        database.execute("UPDATE source SET licence = 'MIT' WHERE name = 'town'")
        database.commit()
        database.close()
        assert any(node.startswith("ledger:source/") for node in self.problems(current))


def test_the_mlflow_run_names_the_data_version_and_the_prefect_run(built):
    import mlflow

    current, _, report, _, _ = built
    mlflow.set_tracking_uri(current.mlflow)
    runs = mlflow.search_runs(experiment_names=["ingest"], output_format="list")
    first = runs[-1]
    datasets = {item.dataset.name: item.dataset.digest for item in first.inputs.dataset_inputs}
    assert datasets["documents"] == report.root[:32]
    assert first.data.tags["prefect.flow_run_id"]
    assert json.loads(first.data.params["locations"].replace("'", '"'))
