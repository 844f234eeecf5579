"""Caches of provenance itself that hold what came from documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.fingerprints import Fingerprints
from storage.home import Home


@dataclass(frozen=True)
class InfluenceIndexes:
    """Indexes that score training samples: one that holds a sample of the documents goes as a whole."""

    home: Home
    name: str = "cache:influence"

    def purge(self, doc_ids: Sequence[str], wanted: Fingerprints, note: str) -> int:
        """Delete the indexes that hold samples of the documents; count them."""
        from tasks.provenance.influence.store import drop_exposed, index_root

        del wanted, note
        return len(drop_exposed(index_root(self.home), doc_ids))
