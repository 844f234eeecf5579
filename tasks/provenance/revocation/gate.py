"""What keeps a later ingestion from bringing back what was revoked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.errors import GateError
from storage.home import Home
from storage.revoked import revoked_documents


@dataclass(frozen=True)
class RevokedDocuments:
    """The documents of one source that were revoked, by id. Called for each document; it pickles."""

    by: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, doc_id: str) -> str:
        """Say why a document may not come in again; "" when it may."""
        cause = self.by.get(doc_id, "")
        return cause and (
            f"this document of this source was revoked by {cause}; "
            "ingest it from a source that has a right of its own to it"
        )


def admit(home: Home, source: str) -> RevokedDocuments:
    """Give the revoked documents of an active source; GateError when the source itself is revoked."""
    row = home.ledger.get("source", source.replace("|", "%7C"))
    if row is not None and row["status"] == "revoked":
        raise GateError(
            f"was revoked by {_revocation_of(home, source)}",
            item=f"source:{source}",
            way_out="If you have a new right to it, ingest it under another name",
        )
    return RevokedDocuments(revoked_documents(home.ledger_url, source))


def _revocation_of(home: Home, source: str) -> str:
    scope = f"source:{source}"
    found = [one for one in home.revocations.list() if one.scope == scope]
    return f"revocation:{found[-1].revocation_id} ({found[-1].reason})" if found else "its owner"
