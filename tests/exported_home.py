"""The stored home with a model that was trained on its documents under licences of every kind."""

from pathlib import Path

from storage.home import Home
from storage.models import ModelRecords
from storage.records import Exposure
from tests.stored_home import fill_home

MODEL = "model:tiny@1"
LICENCES = ("MIT", "GPL-2.0-only OR Apache-2.0", "NOASSERTION", "LicenseRef-Own AND MIT")


def home_with_model(folder: Path) -> Home:
    """Make the home below a folder."""
    stored = fill_home(folder)
    docs = [citation.doc_id for citation in stored.citations.values()]
    samples = [
        Exposure(doc_id=doc, source="docs", licence=licence, n_samples=1, n_bytes=9)
        for doc, licence in zip(docs, LICENCES, strict=True)
    ]
    facts = {"path": "m", "sha256": "0" * 64, "run_id": "r1", "trained_on": "snap:chunks@1"}
    ModelRecords(stored.home.ledger_url).add("tiny", "1", samples=samples, **facts)
    return stored.home
