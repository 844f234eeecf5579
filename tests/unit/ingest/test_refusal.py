"""Documents whose licence the policy refuses: quarantined, not stored, taken back later."""

from functools import partial

import pytest

from storage.blobs import BlobStore
from storage.digest import sha256_hex
from storage.home import Home
from tasks.ingest import steps
from tasks.ingest.connectors import list_items
from tasks.ingest.pipeline import IngestJob, read_batch
from tasks.ingest.sources import SourceSpec
from tasks.ingest.waves import ingest_waves

MIT, SECRET = b"# Open\n\nAnybody may read this.\n", b"SECRET\n\nNobody may index this one.\n"


def tag(raw, extraction):
    return {"licence": "NONE" if "SECRET" in extraction.text else "MIT"}


def refuse(denied, licence):
    return f"{licence} is denied; state another licence" if licence in denied else ""


class Here:
    def map(self, function, jobs, label=""):
        return [function(job) for job in jobs]


class Fine:
    failures, html, table_rows = (), "", ()


@pytest.fixture
def home(tmp_path):
    urls = [str(tmp_path / name) for name in ("blobs", "tables")]
    return Home(*urls, f"sqlite:///{tmp_path}/ledger.db", tmp_path / "indexes", tmp_path)


@pytest.fixture
def spec(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "open.md").write_bytes(MIT)
    (folder / "secret.txt").write_bytes(SECRET)
    return SourceSpec(name="docs", locations=(str(folder),))


def run(home, spec, refusal):
    """One ingest as the flow does it; give what is live, and the outcome."""
    job = IngestJob(spec=spec, blobs_url=home.blobs_url, taggers=(tag,), refusal=refusal)
    outcome = ingest_waves(home, list_items(spec), job, Here(), lambda frame: Fine(), "r")
    outcome.gone = steps.retire_missing.fn(home, spec, outcome, "r")
    steps.quarantine_rejects.fn(home, outcome, "r")
    rows = home.table("documents").scan().collect().to_dicts()
    return {row["uri"].rpartition("/")[2] for row in rows if row["status"] == "live"}, outcome


def test_a_refused_document_is_a_reject_with_the_way_out_and_the_batch_goes_on(spec, tmp_path):
    job = IngestJob(
        spec=spec,
        blobs_url=str(tmp_path / "blobs"),
        items=list_items(spec).items,
        taggers=(tag,),
        refusal=partial(refuse, ("NONE",)),
    )
    result = read_batch(job)
    assert [row["doc_id"] for row in result.rows] == [sha256_hex(MIT)]
    (reject,) = result.rejects
    assert (reject.reason, reject.blob_id) == ("licence.denied", "")
    assert "state another licence" in reject.detail


def test_no_byte_of_a_refused_document_is_stored(home, spec):
    live, _ = run(home, spec, partial(refuse, ("NONE",)))
    blobs = BlobStore(home.blobs_url)
    assert live == {"open.md"}
    assert blobs.has(sha256_hex(MIT))
    assert not blobs.has(sha256_hex(SECRET))
    (kept,) = home.table("quarantine").scan().collect().to_dicts()
    assert kept["reason"] == "licence.denied"


def test_a_stricter_policy_takes_out_what_was_live_and_a_milder_one_takes_it_back(home, spec):
    assert run(home, spec, None)[0] == {"open.md", "secret.txt"}
    live, outcome = run(home, spec, partial(refuse, ("NONE",)))
    assert (live, outcome.gone, outcome.unchanged) == ({"open.md"}, 1, 1)
    live, outcome = run(home, spec, partial(refuse, ()))
    assert (live, outcome.returned) == ({"open.md", "secret.txt"}, 1)


def test_a_repeated_run_under_the_same_policy_changes_nothing(home, spec):
    run(home, spec, partial(refuse, ("NONE",)))
    _, outcome = run(home, spec, partial(refuse, ("NONE",)))
    assert (outcome.unchanged, outcome.commits, outcome.gone) == (1, 0, 0)
    assert home.table("quarantine").scan().collect().height == 1
