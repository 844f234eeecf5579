"""Integrity check: prove every stored byte against its digest, and every passage against its original."""

from dataclasses import asdict

from prefect import flow
from pydantic import BaseModel, Field

from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.provenance import steps
from tasks.provenance.verification.summary import markdown_of, metrics_of, refuse_damage


class ProvenanceParams(BaseModel):
    """How much to prove."""

    sample: int | None = Field(
        None, ge=1, description="Prove the bytes of so many documents at random; empty is all."
    )


class ProvenanceReport(BaseModel):
    """What was proven."""

    run_id: str
    chunks_checked: int
    chunks_ok: int
    blobs_checked: int
    parts_checked: int
    n_bytes: int
    seconds: float
    mb_per_s: float


@flow(name="provenance")
def provenance(params: ProvenanceParams) -> ProvenanceReport:
    """Prove what is stored; damage is recorded first and then ends the run with CorruptError."""
    settings = Settings().apply()
    with tracked("provenance", settings, params.model_dump()) as run:
        found = steps.verify_everything(home(settings), params.sample)
        run.metrics(metrics_of(found))
        run.summary(markdown_of(found))
        run.table([asdict(problem) for problem in found.problems], key="problems")
        refuse_damage(found)
    fields = {
        name: getattr(found, name) for name in ProvenanceReport.model_fields if name != "run_id"
    }
    return ProvenanceReport(run_id=run.id, **fields)
