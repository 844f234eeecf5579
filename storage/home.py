"""Where everything that is kept lives: blobs, tables, ledger and indexes behind one value."""

from dataclasses import dataclass
from pathlib import Path

from storage.blobs import BlobStore
from storage.ledger import Ledger
from storage.models import ModelRecords
from storage.revocations import Revocations
from storage.schemas import TABLES
from storage.spans.index import SpanIndex
from storage.tables import Table
from storage.trust import TrustRecords
from storage.vectors import IndexStore


@dataclass(frozen=True)
class Home:
    """The stores of one installation, by URL: picklable, so that workers get it as an argument."""

    blobs_url: str
    tables_url: str
    ledger_url: str
    indexes: Path
    root: Path
    """Folder of what is kept on this machine: span index, signing keys, influence."""

    @property
    def blobs(self) -> BlobStore:
        """Content-addressed bytes."""
        return BlobStore(self.blobs_url)

    def table(self, name: str) -> Table:
        """Give a table by name; a ValueError when there is no such schema."""
        if name not in TABLES:
            raise ValueError(f"no table is called {name!r}; there are {', '.join(TABLES)}")
        return Table(f"{self.tables_url.rstrip('/')}/{name}", TABLES[name])

    @property
    def ledger(self) -> Ledger:
        """Who made what from what."""
        return Ledger(self.ledger_url)

    @property
    def models(self) -> ModelRecords:
        """What each model was trained on."""
        return ModelRecords(self.ledger_url)

    @property
    def revocations(self) -> Revocations:
        """What was taken out again, and the proof."""
        return Revocations(self.ledger_url)

    @property
    def trust_records(self) -> TrustRecords:
        """How far each source is trusted, and who said so."""
        return TrustRecords(self.ledger_url)

    @property
    def spans(self) -> SpanIndex:
        """Every passage of the live texts, for tracing."""
        return SpanIndex(self.root / "spans")

    @property
    def index_store(self) -> IndexStore:
        """Published indexes."""
        return IndexStore(self.indexes)
