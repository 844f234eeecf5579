"""Installed distributions as documents; the tests make their own."""

import sys
from pathlib import Path

import pytest

from tasks.ingest.connectors import list_items
from tasks.ingest.extract import extract
from tasks.ingest.read import read_item
from tasks.ingest.sources import SourceSpec

METADATA = """Metadata-Version: 2.4
Name: Toy_Kit
Version: 1.0
Summary: A toy
Author-email: Ada <ada@example.org>
Project-URL: Homepage, https://toy.example.org
{licence}
Description-Content-Type: text/markdown; charset=UTF-8

# Toy

Description.
"""
FILES = {
    "toy/__init__.py": '"""Top."""\n',
    "toy/core.py": 'def run():\n    """Run."""\n',
    "toy/_private.py": '"""No."""\n',
    "toy/tests/test_x.py": '"""No."""\n',
    "toy/sub/__init__.py": '"""Sub."""\n',
    "toy/sub/deep.py": '"""Deep."""\n',
    "toy/plain.py": "x = 1\n",
    "toy_kit-1.0.dist-info/licenses/LICENSE": "The licence text\n",
    "toy_kit-1.0.dist-info/NOTICE.txt": "A notice\n",
    "toy/_vendor/other-2.0.dist-info/METADATA": METADATA.format(licence="License: Other"),
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch):
    """Install a distribution into a folder of its own and put it first on the path."""

    def make(licence: str = "License-Expression: MIT") -> None:
        info = tmp_path / "toy_kit-1.0.dist-info"
        for name, text in FILES.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        (info / "METADATA").write_text(METADATA.format(licence=licence).replace("\n\n\n", "\n\n"))
        lines = [*FILES, "toy_kit-1.0.dist-info/METADATA", "toy_kit-1.0.dist-info/RECORD"]
        (info / "RECORD").write_text("".join(f"{line},,\n" for line in lines))
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    return make


def documents(depth: int = 1):
    spec = SourceSpec(
        name="env", python_env=True, distributions=("toy-kit",), docstring_depth=depth
    )
    return {
        raw.uri.partition("#")[2]: raw
        for item in list_items(spec).items
        for raw in read_item(item, spec)
    }


def test_description_licence_files_and_public_modules_are_documents(install):
    install()
    found = documents()
    texts = {name: extract(raw).text for name, raw in found.items()}
    assert {name: text for name, text in texts.items() if text} == {
        "METADATA": "# Toy\n\nDescription.\n",
        "licenses/LICENSE": "The licence text\n",
        "NOTICE.txt": "A notice\n",
        "toy/__init__.py": "Top.",
        "toy/core.py": "def run():\n\nRun.",
        "toy/sub/__init__.py": "Sub.",
    }
    assert found["METADATA"].mime == "text/markdown"
    assert found["METADATA"].uri == "pkg:pypi/toy-kit@1.0#METADATA"
    assert found["toy/core.py"].title == "toy.core"


def test_depth_decides_how_many_modules_are_read(install):
    install()
    assert not [name for name in documents(0) if name.endswith(".py")]
    assert "toy/sub/deep.py" in documents(2)


def test_metadata_travels_with_each_document(install):
    install()
    raw = documents()["METADATA"]
    assert raw.author == "Ada <ada@example.org>"
    assert raw.meta["home_page"] == "https://toy.example.org"
    assert (raw.meta["name"], raw.meta["version"], raw.meta["summary"]) == (
        "Toy_Kit",
        "1.0",
        "A toy",
    )


@pytest.mark.parametrize(
    ("line", "licence", "evidence"),
    [
        ("License-Expression: MIT OR Apache-2.0", "MIT OR Apache-2.0", "declared"),
        ("License: BSD", "BSD", "declared"),
        ("Classifier: License :: OSI Approved :: MIT License",
         "License :: OSI Approved :: MIT License", "declared"),
        ("License: UNKNOWN", "The licence text\n", "file"),
    ],
)  # fmt: skip
def test_the_licence_comes_from_the_strongest_statement(install, line, licence, evidence):
    install(line)
    raw = documents()["METADATA"]
    assert (raw.declared_licence, raw.declared_evidence) == (licence, evidence)


def test_a_distribution_that_changed_since_the_listing_is_rejected(install, tmp_path):
    install()
    spec = SourceSpec(name="env", python_env=True, distributions=("toy-kit",))
    (item,) = list_items(spec).items
    info = tmp_path / "toy_kit-1.0.dist-info" / "METADATA"
    info.write_text(info.read_text().replace("Version: 1.0", "Version: 2.0"))
    assert [bad.reason for bad in read_item(item, spec)] == ["file.vanished"]
