"""The records of an explanation: answer, sentences, evidence, documents, sources."""

from dataclasses import dataclass

from storage.ledger import Edge
from storage.records import Grade
from tasks.provenance.lineage.grades import GradedEvidence, Note


@dataclass(frozen=True, kw_only=True)
class CitedDocument:
    """The document behind a citation, as it was when it was fetched."""

    doc_id: str
    uri: str
    title: str
    version: int
    status: str
    mime: str
    language: str
    fetched_at: str
    run_id: str
    """The run that fetched it."""
    licence: str
    licence_evidence: str


@dataclass(frozen=True, kw_only=True)
class CitedSource:
    """The source that a document came from."""

    name: str
    uri: str
    publisher: str
    trust: float
    """As it counts today."""
    status: str
    trust_by: str = "declared"
    """Who says so: "declared", "computed" or "override"."""
    trust_why: str = ""
    """Who set it and why, when a person did."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One citation with everything behind it; offsets count bytes."""

    number: int
    """Of the citation in the answer, from 1: `answer:ID#NUMBER`."""
    grade: str
    """As proven now, which may be less than what was stored."""
    score: float
    chunk_id: str
    heading: tuple[str, ...]
    origin: str
    start: int
    end: int
    src_start: int | None
    src_end: int | None
    passage: str
    """The cited bytes of the stored text; "" when they cannot be read."""
    document: CitedDocument
    source: CitedSource


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """Bytes [start, end) of the answer, their grade and their citations."""

    start: int
    end: int
    text: str
    grade: Grade
    """"none" says that no source was found."""
    evidence: tuple[Evidence, ...]
    found: tuple[GradedEvidence, ...]
    """Ties that the answer does not cite: found by tracing it, or through the model that wrote it."""
    notes: tuple[Note, ...]
    """What counts for nothing now, and why."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """An answer, its sentences with their evidence, and what made it."""

    answer_id: str
    question: str
    status: str
    state: str
    """live, stale (a document behind it was revoked or changed) or erased."""
    stale_reason: str
    generator: str
    created_at: str
    sentences: tuple[Sentence, ...]
    made_by: tuple[Edge, ...]
    """Index, snapshots and runs behind the answer: `dst` came from `src`."""
    runs: tuple[tuple[str, str, str], ...]
    """Each run among them: (node, flow, MLflow run)."""
