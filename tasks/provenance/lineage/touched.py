"""The records of an impact: what is certain, what is possible, what stays elsewhere."""

from dataclasses import dataclass

from storage.ledger_impact import Listing
from storage.models import Share


@dataclass(frozen=True, kw_only=True)
class Held:
    """A built thing that holds some of the documents."""

    node: str
    """`index:<digest>`, or the name of a segment of the span index."""
    count: int
    """Passages of an index, texts of a segment."""


@dataclass(frozen=True, kw_only=True)
class Certain:
    """What holds the bytes or rests on them by record."""

    documents: Listing
    n_bytes: int
    chunks: int
    indexes: tuple[Held, ...]
    segments: tuple[Held, ...]
    quoted: Listing
    """Answers that quote them, the newest first."""
    cited: Listing
    """Answers that cite them and quote none, the newest first."""
    caches: Listing
    prompts: Listing


@dataclass(frozen=True, kw_only=True)
class Possible:
    """What may owe something to it: no record says that it does."""

    models: tuple[Share, ...]
    """Models trained on it, with their share of samples and of bytes."""
    answers: Listing
    """Answers that these models wrote, the newest first."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A document whose bytes another active source carries too."""

    doc_id: str
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Impact:
    """All that a node has touched."""

    node: str
    licences: tuple[str, ...]
    """Licence expressions that the pattern of a licence node matches; empty otherwise."""
    certain: Certain
    possible: Possible
    carried_count: int
    carried: tuple[Carried, ...]
