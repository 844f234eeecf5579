"""What was revoked does not come back by a later ingestion; another source's right stands."""

import pickle
from dataclasses import replace

import pytest

from storage.blobs import BlobStore
from storage.digest import sha256_hex
from storage.errors import GateError
from tasks.ingest.connectors import list_items
from tasks.ingest.pipeline import IngestJob, read_batch
from tasks.ingest.sources import SourceSpec
from tasks.provenance.revocation.gate import RevokedDocuments, admit
from tests.fakes import new_home

TEXT = b"# Title\n\nWords that were revoked.\n"
DOC = sha256_hex(TEXT)
CAUSE = "revocation:R1"


@pytest.fixture
def home(tmp_path):
    home = new_home(tmp_path / "home")
    for source in ("mine", "other"):
        home.ledger.add_source(source)
        home.ledger.add_documents([{"doc_id": DOC, "source": source, "uri": "u"}])
    return home


def test_a_revoked_source_is_refused_with_the_name_of_the_revocation(home):
    revocation = home.revocations.open("source:mine", "takedown", "me", {})
    home.ledger.set_source_status("mine", "revoked")
    with pytest.raises(GateError, match=rf"revocation:{revocation} \(takedown\).*another name"):
        admit(home, "mine")
    assert admit(home, "other")(DOC) == ""


def test_a_new_source_is_admitted(home):
    assert admit(home, "never seen")(DOC) == ""


def test_a_revoked_document_is_known_to_its_own_source_alone(home):
    home.ledger.erase_documents([(DOC, "mine")], CAUSE)
    assert CAUSE in admit(home, "mine")(DOC)
    assert admit(home, "mine")("0" * 64) == ""
    assert admit(home, "other")(DOC) == ""


def test_it_pickles():
    revoked = RevokedDocuments({DOC: CAUSE})
    assert pickle.loads(pickle.dumps(revoked))(DOC) == revoked(DOC)


def test_a_batch_rejects_it_and_stores_none_of_its_bytes(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "gone.md").write_bytes(TEXT)
    (docs / "fine.md").write_bytes(b"# Fine\n\nOther words.\n")
    spec = SourceSpec(name="mine", locations=(str(docs),))
    job = IngestJob(spec=spec, blobs_url=str(tmp_path / "blobs"), items=list_items(spec).items)
    result = read_batch(replace(job, revoked=RevokedDocuments({DOC: CAUSE})))
    assert [row["title"] for row in result.rows] == ["Fine"]
    (reject,) = result.rejects
    assert (reject.reason, reject.blob_id) == ("revoked", "")
    assert CAUSE in reject.detail
    assert DOC not in list(BlobStore(job.blobs_url).ids())
