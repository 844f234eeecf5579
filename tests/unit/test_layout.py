"""The house stands: every noun is found in every room, and flows stay tables of contents."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOUNS = sorted(p.name for p in (ROOT / "tasks").iterdir() if (p / "steps.py").exists())
ROWS = {
    cells[0]: cells[1:]
    for line in (ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()
    if len(cells := [cell.strip() for cell in line.strip("| \n").split("|")]) == 6
}
FLOWS = [p for p in (ROOT / "flows").glob("*.py") if not p.name.startswith(("cli", "__init__"))]
SOURCES = [
    p for room in ("flows", "infra", "tasks", "storage") for p in (ROOT / room).rglob("*.py")
]


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_has_its_flow_tasks_storage_tests_and_document(noun):
    paths = [path for cell in ROWS[noun] for path in re.findall(r"`([^`]+)`", cell)]
    assert len(paths) >= 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert {f"flows/{noun}.py", f"tasks/{noun}", f"tests/unit/{noun}"} <= set(paths)


def test_every_folder_of_tasks_is_a_noun_or_shared():
    folders = {p.name for p in (ROOT / "tasks").iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders == {*NOUNS, "shared"}


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.name)
def test_a_flow_file_has_at_most_90_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 90


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_has_at_most_400_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_every_entrypoint_of_prefect_yaml_names_a_flow():
    text = (ROOT / "prefect.yaml").read_text("utf-8")
    entrypoints = re.findall(r"entrypoint: (\S+):(\w+)", text)
    assert len(entrypoints) >= 7
    for path, name in entrypoints:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        decorators = {f.name: [ast.unparse(d) for d in f.decorator_list] for f in functions}
        assert any(d.startswith("flow") for d in decorators[name]), f"{path}:{name}"


def test_every_setting_and_every_deployment_is_documented():
    from infra.settings import Settings

    text = (ROOT / "docs/systems/stack.md").read_text("utf-8")
    names = [f"SUYUAN_{name.upper()}" for name in Settings.model_fields]
    assert [name for name in names if name not in text] == []
