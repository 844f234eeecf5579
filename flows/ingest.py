"""Ingest a source: folders, URLs or the Python environment become documents with lineage."""

from functools import partial
from pathlib import Path

from prefect import flow
from pydantic import BaseModel, Field

from infra.dask import dask_engine
from infra.quality import validate
from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.ingest import steps
from tasks.ingest.pipeline import IngestJob
from tasks.ingest.report import IngestReport, report_of
from tasks.ingest.sources import SourceSpec
from tasks.provenance.licences.detection import tag_licence
from tasks.provenance.policy.decisions import load_policy, refusal_to_index
from tasks.provenance.revocation.gate import admit
from tasks.provenance.sensitivity.detection import tag_sensitivity


class IngestParams(BaseModel):
    """What to ingest, under which name, with which standing."""

    name: str = Field(
        "", description="Name of the source; derived from the first location if empty."
    )
    locations: list[str] = Field(default_factory=list, description="Folders, globs, files, URLs.")
    python_env: bool = Field(False, description="Ingest the installed Python distributions.")
    distributions: list[str] = Field(default_factory=list, description="Only these distributions.")
    docstring_depth: int = Field(
        1, ge=0, le=8, description="Module depth of docstrings; 0 is none."
    )
    licence: str = Field("", description="Licence of the whole source, as SPDX or free text.")
    trust: float = Field(0.5, ge=0, le=1, description="How far the source is trusted.")
    publisher: str = ""
    include: list[str] = Field(default_factory=list, description="Globs of names to take.")
    exclude: list[str] = Field(default_factory=list, description="Globs of names to leave out.")
    text_field: str = Field("", description="Column of the text in JSON Lines, CSV, Parquet.")

    def spec(self) -> SourceSpec:
        """Describe the source for the connectors."""
        fields = self.model_dump(exclude={"name"})
        lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
        return SourceSpec(name=self.name or self._derived_name(), **{**fields, **lists})

    def _derived_name(self) -> str:
        if self.python_env:
            return "python-env"
        first = self.locations[0].rstrip("/") if self.locations else "unnamed"
        return first.rpartition("/")[2] if "://" in first else Path(first).absolute().name


@flow(name="ingest")
def ingest(params: IngestParams) -> IngestReport:
    """Read a source into documents: what is new, changed, gone, quarantined, and under which licence."""
    settings = Settings().apply()
    store, spec = home(settings), params.spec()
    policy = load_policy(settings.policy)
    job = IngestJob(
        items=(),
        spec=spec,
        blobs_url=settings.blobs_url,
        known={},
        taggers=(tag_licence, tag_sensitivity),
        refusal=partial(refusal_to_index, policy),
        revoked=admit(store, spec.name),
    )
    with (
        tracked("ingest", settings, params.model_dump() | {"policy": policy.digest}) as run,
        dask_engine(settings, run.progress) as engine,
    ):
        listing = steps.list_source(spec)
        outcome = steps.read_and_publish(store, listing, job, engine, validate, run.id)
        outcome.gone = steps.retire_missing(store, spec, outcome, run.id)
        fresh = steps.quarantine_rejects(store, outcome, run.id)
        snapshot = steps.record(store, spec.name, run.id)
        report = report_of(store, spec.name, outcome, fresh, snapshot)
        run.dataset("documents", snapshot.root, version=snapshot.version, context="output")
        run.metrics(report.metrics())
        run.summary(report.markdown())
        for number, verdict in enumerate(outcome.verdicts):
            run.text(f"quality-{number}.html", verdict.html)
            run.table(verdict.table_rows, key="quality")
    return report
