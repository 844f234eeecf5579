"""The records of an audit."""

from dataclasses import dataclass

from storage.revocations import Revocation
from tasks.provenance.lineage.model_records import ModelExplanation

NO_SOURCE = "none"
"""Name of the part for which no source was found."""

NOT_SENSITIVE = "not_sensitive"
"""Name of the part that lies in no sensitive span."""


@dataclass(frozen=True, kw_only=True)
class Portion:
    """A part of a whole, by bytes."""

    name: str
    n_bytes: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Unsourced:
    """A sentence of an answer for which no source was found; offsets count bytes."""

    answer_id: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, kw_only=True)
class AnswersAudit:
    """What the audited answers are made of. Each sentence counts for its strongest evidence."""

    n_stored: int
    """Answers in the ledger, of which the newest were audited."""
    n_audited: int
    n_refused: int
    n_stale: int
    n_erased: int
    n_sentences: int
    n_bytes: int
    """Of all sentences."""
    by_grade: tuple[Portion, ...]
    by_licence: tuple[Portion, ...]
    by_source: tuple[Portion, ...]
    by_sensitivity: tuple[Portion, ...]
    """Of the bytes of documents that sentences rest on: those inside a sensitive span, by its kind."""
    n_unsourced: int
    unsourced: tuple[Unsourced, ...]
    """The first of them."""


@dataclass(frozen=True, kw_only=True)
class TrustLine:
    """How far a source is trusted now, and who says so."""

    source: str
    status: str
    trust: float
    by: str
    who: str
    """Who overrode it; "" when nobody did."""
    why: str


@dataclass(frozen=True, kw_only=True)
class HeadsKept:
    """Signed heads of the log that are kept."""

    n_heads: int
    first_signed_at: str
    last_signed_at: str
    n_entries: int
    """Entries of the log."""
    n_unsigned: int
    """Entries after the last signed head."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """An audit of all answers or of one model; the other is None."""

    subject: str
    """ "answers", or the node of the model."""
    made_at: str
    answers: AnswersAudit | None
    model: ModelExplanation | None
    revocations: tuple[Revocation, ...]
    """Those that are not done."""
    trust: tuple[TrustLine, ...]
    heads: HeadsKept
