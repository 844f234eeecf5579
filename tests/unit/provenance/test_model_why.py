"""A model leads to its exact training snapshot, and to what of it was revoked since."""

import json
from dataclasses import asdict

import pytest

from storage.errors import NotFoundError
from storage.home import Home
from storage.models import ModelRecords
from storage.records import Exposure
from tasks.provenance.lineage.model_why import RevokedSource, explain_model, render_model

NODE = "model:tiny@3"


@pytest.fixture
def home(tmp_path):
    home = Home(
        f"{tmp_path}/blobs", f"{tmp_path}/tables", f"sqlite:///{tmp_path}/l.db",
        tmp_path / "indexes", tmp_path,
    )  # fmt: skip
    ledger = home.ledger
    for name in ("a", "b"):
        ledger.add_source(name)
    rows = [{"doc_id": f"d{n}", "source": "a", "uri": f"u{n}", "status": "live"} for n in (1, 2)]
    ledger.add_documents([*rows, {"doc_id": "d3", "source": "b", "uri": "u3"}])
    ledger.start_run("r1", "train", {}, mlflow_run_id="m1")
    facts = {"version": 4, "rows": 3, "parts": 1}
    ledger.add_artifact("snap:documents@4", "snapshot", "/t", "root4", "r1", facts)
    ledger.derive("snap:documents@4", ["snap:documents@3"], "wasDerivedFrom")
    samples = [
        Exposure(doc_id="d1", source="a", licence="MIT", n_samples=2, n_bytes=20),
        Exposure(doc_id="d2", source="a", licence="MIT", n_samples=1, n_bytes=10),
        Exposure(doc_id="d3", source="b", licence="CC0-1.0", n_samples=1, n_bytes=70),
    ]
    ModelRecords(ledger.url).add(
        "tiny", "3", path="/m", sha256="ab", run_id="r1", trained_on="snap:documents@4",
        samples=samples, base="model:zero@1",
    )  # fmt: skip
    return home


def test_a_model_names_snapshot_run_base_and_shares(home):
    found = explain_model(home, NODE)
    data = found.trained_on
    assert (data.node, data.version, data.root, data.rows) == ("snap:documents@4", 4, "root4", 3)
    assert (found.run_id, found.flow, found.mlflow_run_id) == ("r1", "train", "m1")
    assert (found.base, found.n_samples, found.n_bytes) == ("model:zero@1", 4, 100)
    assert [(one.name, one.share) for one in found.sources] == [("a", 0.75), ("b", 0.25)]
    assert [(one.name, one.share_bytes) for one in found.licences] == [
        ("MIT", 0.3),
        ("CC0-1.0", 0.7),
    ]
    assert found.revoked == ()


def test_what_was_revoked_since_is_named(home):
    home.ledger.erase_documents([("d2", "a")], "takedown")
    home.ledger.set_source_status("b", "revoked")
    assert explain_model(home, NODE).revoked == (
        RevokedSource(source="a", n_documents=1, whole=False),
        RevokedSource(source="b", n_documents=1, whole=True),
    )


def test_it_is_drawn_in_both_languages_and_is_plain_json(home):
    home.models.mark(NODE, "exposed")
    home.ledger.set_source_status("b", "revoked")
    found = explain_model(home, NODE)
    english, chinese = render_model(found), render_model(found, "zh")
    assert "a · 75.00% of the samples" in english
    assert "exposed to what was revoked" in english
    assert "整个来源" in chinese
    assert len(english.splitlines()) == len(chinese.splitlines())
    assert json.loads(json.dumps(asdict(found)))["trained_on"]["version"] == 4


def test_an_unknown_model_is_not_found(home):
    with pytest.raises(NotFoundError, match=r"model:zz@1.*model:tiny@3"):
        explain_model(home, "model:zz@1")
