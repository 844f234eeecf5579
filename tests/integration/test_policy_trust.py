"""Policy and trust through the real flows: refused at ingestion, computed, recorded, drawn."""

import pytest

from infra.settings import Settings, home
from tasks.provenance.policy.file import load_policy
from tasks.provenance.trust.assessment import trust_of
from tasks.provenance.trust.view import write_trust_chart

pytestmark = [pytest.mark.slow, pytest.mark.server]

STRICT = """extends = "default"
[[family]]
name = "not here"
ids = ["CC-BY-NC-4.0"]
index = "deny"
train = "deny"
quote = "deny"
redistribute = "deny"
"""


@pytest.fixture
def settings(tmp_path, monkeypatch, prefect_api):
    for name in ("SUYUAN_STORAGE_URL", "SUYUAN_LEDGER_URL", "SUYUAN_MLFLOW_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "policy.toml").write_text(STRICT)
    monkeypatch.setenv("SUYUAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SUYUAN_POLICY", str(tmp_path / "policy.toml"))
    monkeypatch.setenv("SUYUAN_WORKERS", "1")
    return Settings().apply()


def test_what_the_policy_denies_is_quarantined_and_trust_is_computed_and_overruled(
    settings, tmp_path
):
    from flows.ingest import IngestParams, ingest
    from flows.trust import TrustParams, trust

    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "open.md").write_text("The village pump was built by Ana Martinez in 1990.\n")
    (docs / "closed.md").write_text(
        "<!-- SPDX-License-Identifier: CC-BY-NC-4.0 -->\nThe pump was built by nobody.\n"
    )
    report = ingest(IngestParams(locations=[str(docs)], licence="MIT", trust=0.8))
    assert (report.documents, report.reasons) == (1, {"licence.denied": 1})
    store = home(settings)
    digest = load_policy(settings.policy).digest
    snapshot = store.ledger.up(f"snap:documents@{report.version}")
    (run,) = {edge.src for edge in snapshot if edge.src.startswith("run:")}
    assert digest in store.ledger.get("run", run.removeprefix("run:"))["params"]

    computed = trust(TrustParams()).sources["docs"]
    assert (computed.by, computed.declared) == ("computed", 0.8)
    assert (
        computed.components["quarantine"].value == 1.0
    )  # a denied licence is no fault of the source
    store.trust_records.override("docs", 0.1, "ana", "hearsay")
    assert "hearsay" in trust(TrustParams()).text("en")
    chart = write_trust_chart(trust_of(store), tmp_path)
    assert chart.read_bytes().startswith(b"\x89PNG")
