"""`suyuan why` and `suyuan impact`: one node, or a batch of them."""

import json

import pytest
from typer.testing import CliRunner

from flows.cli_provenance import register


@pytest.fixture
def run(untouched, monkeypatch):
    """Run a command on the home that is only read; give exit code and output."""
    import typer

    monkeypatch.setenv("SUYUAN_HOME", str(untouched.home.root))
    app = typer.Typer(pretty_exceptions_enable=False)
    register(app)

    def call(*words):
        result = CliRunner().invoke(app, list(words))
        return result.exit_code, result.output

    return call


def test_a_batch_of_nodes_is_answered_in_its_order_and_an_unknown_one_gives_its_error(
    run, untouched, tmp_path
):
    nodes = ["source:docs", "source:nobody", f"doc:{untouched.citations['plain.md'].doc_id}"]
    path = tmp_path / "nodes.jsonl"
    path.write_text("\n".join(json.dumps({"id": n, "text": f"{n}"}) for n in nodes))
    code, output = run("impact", "--batch", str(path))
    lines = [json.loads(line) for line in output.splitlines()]
    assert (code, [line["id"] for line in lines]) == (1, nodes)
    assert [line.get("node") for line in lines] == [nodes[0], None, nodes[2]]
    assert "nobody" in lines[1]["error"]


def test_why_of_a_batch_says_what_why_of_one_says(run, untouched, tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps({"id": "a", "text": untouched.answer_id}))
    code, output = run("why", "--batch", str(path))
    alone = json.loads(run("why", untouched.answer_id, "--json")[1])
    assert (code, json.loads(output)) == (0, {"id": "a", **alone})


@pytest.mark.parametrize("words", [["why"], ["impact"], ["why", "01A", "--batch", "f.jsonl"]])
def test_neither_or_both_of_node_and_batch_are_refused(run, words):
    assert run(*words)[0] == 2
