"""The records of a model's explanation."""

from dataclasses import dataclass

from storage.models import Share


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """The exact data of a training."""

    node: str
    root: str
    """Digest of its rows; "" when the ledger does not hold the node."""
    version: int
    """Of the table; -1 when it is none."""
    rows: int


@dataclass(frozen=True, kw_only=True)
class RevokedSource:
    """A source of which the model saw documents that were revoked since."""

    source: str
    n_documents: int
    whole: bool
    """Whether the source as a whole is revoked."""


@dataclass(frozen=True, kw_only=True)
class ModelExplanation:
    """A model, what it was trained on, and by which run."""

    node: str
    status: str
    path: str
    sha256: str
    recorded_at: str
    n_samples: int
    n_bytes: int
    trained_on: TrainedOn
    base: str
    """Node of the model that training began from; "" for none."""
    run_id: str
    flow: str
    mlflow_run_id: str
    sources: tuple[Share, ...]
    licences: tuple[Share, ...]
    revoked: tuple[RevokedSource, ...]
