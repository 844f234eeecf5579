"""Croissant and SPDX files are valid by the validators of mlcroissant and spdx-tools."""

import tempfile
from pathlib import Path

import pytest

from tasks.provenance.exports.formats import export
from tests.exported_home import LICENCES, MODEL, home_with_model
from tests.stored_home import CASES

ANSWER = "answer:01ANSWER"
SNAPSHOTS = ["snap:documents@1", "snap:chunks@1"]


@pytest.fixture(scope="module")
def home():
    with tempfile.TemporaryDirectory() as folder:
        yield home_with_model(Path(folder))


@pytest.mark.parametrize("node", SNAPSHOTS)
def test_croissant_has_no_issue_and_every_file_with_its_hash(home, node):
    import mlcroissant as mlc

    value = export(home, node, "croissant")
    metadata = mlc.Metadata.from_json(mlc.Context(), value)
    assert (metadata.ctx.issues.errors, metadata.ctx.issues.warnings) == (set(), set())
    name = node[5:].partition("@")[0]
    parts = {part.path: part.sha256 for part in home.table(name).parts()}
    files = {f["@id"]: f["sha256"] for f in value["distribution"] if f["@type"] == "cr:FileObject"}
    assert files == parts
    assert value["license"] == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert value["conformsTo"] == "http://mlcommons.org/croissant/1.1"


def packages(value):
    return {package["name"]: package for package in value["packages"]}


@pytest.mark.parametrize("node", [ANSWER, *SNAPSHOTS])
def test_spdx_lists_every_document_with_its_licence(home, node):
    value = export(home, node, "spdx")
    assert value["spdxVersion"] == "SPDX-2.3"
    found = packages(value)
    assert set(found) == {node, "source:docs", *CASES}
    assert {found[name]["licenseDeclared"] for name in CASES} == {"CC-BY-4.0"}
    assert found["source:docs"]["supplier"] == "Organization: Elements Inc."


def test_spdx_keeps_expressions_and_what_is_unknown(home):
    value = export(home, MODEL, "spdx")
    declared = sorted(p["licenseDeclared"] for p in value["packages"] if "versionInfo" in p)
    assert declared == sorted(LICENCES)
    own = value["hasExtractedLicensingInfos"]
    assert [licence["licenseId"] for licence in own] == ["LicenseRef-Own"]


def test_spdx_of_the_same_is_the_same_but_for_the_time(home):
    one, two = (export(home, ANSWER, "spdx") for _ in range(2))
    for value in (one, two):
        value["creationInfo"].pop("created")
    assert one == two
