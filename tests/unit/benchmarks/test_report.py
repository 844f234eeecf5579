"""The benchmark record, its table, and the copying of figures into documents."""

import json
import multiprocessing

import pytest

from benchmarks import copy_figures, report

RESULT = report.Result(
    name="hybrid on squad", ours=0.9, peer=0.85, peer_name="bm25", unit="nDCG@10", n=300,
    bar="ours >= peer", passes=True, detail={"low": 0.88},
)  # fmt: skip


def burn():
    for _ in range(6_000_000):
        pass


def test_a_record_has_the_agreed_columns_and_the_ratio():
    record = RESULT.record()
    assert tuple(record) == (*report.COLUMNS, "detail")
    assert record["ratio"] == pytest.approx(0.9 / 0.85, rel=1e-5)


def test_no_peer_gives_no_ratio():
    assert report.Result(name="x", ours=1.0, unit="s", n=1).record()["ratio"] is None


def test_published_json_holds_env_and_results(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "benchmarks" / "results")
    (tmp_path / "benchmarks").mkdir()
    path = report.publish("retrieval", report.environment(seed=1), [RESULT], quick=True)
    found = json.loads(path.read_text("utf-8"))
    assert found["results"] == [RESULT.record()]
    assert found["env"]["settings"] == {"seed": 1}
    assert {"command", "cpu", "load", "versions", "quick"} <= found["env"].keys()


def test_cpu_of_children_that_ended_is_counted():
    with report.measured() as spent:
        child = multiprocessing.get_context("spawn").Process(target=burn)
        child.start()
        child.join(60)
    assert child.exitcode == 0
    assert spent.cpu > 0.1


def document(tmp_path, inside):
    path = tmp_path / "README.md"
    path.write_text(f"# T\n<!-- figures:retrieval -->\n{inside}<!-- /figures -->\nend\n")
    env = {"command": "c", "date": "2026-01-01T00", "cores": 2, "cpu": "C", "load": [0.1]}
    body = {"env": env, "results": [RESULT.record()]}
    (tmp_path / "retrieval.json").write_text(json.dumps(body))
    return path


def test_figures_are_copied_between_the_markers_and_nothing_else(tmp_path):
    path = document(tmp_path, "stale\n")
    assert copy_figures.update(tmp_path, tmp_path, check=False) == [path]
    text = path.read_text()
    assert "stale" not in text
    assert "| hybrid on squad | 0.900 | 0.850 | bm25" in text
    assert text.startswith("# T\n<!-- figures:retrieval -->\n")
    assert text.endswith("<!-- /figures -->\nend\n")


def test_a_second_copy_changes_nothing_and_check_agrees(tmp_path):
    document(tmp_path, "")
    copy_figures.update(tmp_path, tmp_path, check=False)
    assert copy_figures.update(tmp_path, tmp_path, check=True) == []


def test_check_names_the_document_and_leaves_it_alone(tmp_path):
    path = document(tmp_path, "typed by hand\n")
    before = path.read_text()
    assert copy_figures.update(tmp_path, tmp_path, check=True) == [path]
    assert path.read_text() == before


def test_a_figure_without_a_result_file_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match=r"no nothing\.json"):
        copy_figures.fill("<!-- figures:nothing -->\n<!-- /figures -->", tmp_path)
