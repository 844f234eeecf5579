"""Prefect tasks of ingestion: list a source, read it, retire what is gone, record the result."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.home import Home
from storage.snapshots import Snapshot, record_snapshot
from tasks.ingest.connectors import Listing, list_items
from tasks.ingest.pipeline import LICENCE_DENIED, IngestJob
from tasks.ingest.publish import plan_gone
from tasks.ingest.scope import scope_of
from tasks.ingest.sources import SourceSpec
from tasks.ingest.waves import Outcome, Validate, ingest_waves
from tasks.shared.engine import Engine
from tasks.shared.quarantine import keep_rejects


@task(name="list-source", cache_policy=NO_CACHE, retries=1)
def list_source(spec: SourceSpec) -> Listing:
    """List what the source holds today."""
    return list_items(spec)


@task(name="read-and-publish", cache_policy=NO_CACHE)
def read_and_publish(
    home: Home, listing: Listing, job: IngestJob, engine: Engine, validate: Validate, run_id: str
) -> Outcome:
    """Read all items in waves; each wave is validated, clustered and committed."""
    home.ledger.add_source(
        job.spec.name,
        uri=", ".join(job.spec.locations) or "python-environment",
        licence=job.spec.licence,
        trust=job.spec.trust,
        publisher=job.spec.publisher,
    )
    return ingest_waves(home, listing, job, engine, validate, run_id)


@task(name="quarantine-rejects", cache_policy=NO_CACHE)
def quarantine_rejects(home: Home, outcome: Outcome, run_id: str) -> int:
    """Keep what could not be used, with its reason; return how many are new."""
    return keep_rejects(home, outcome.rejects, run_id)


@task(name="retire-missing", cache_policy=NO_CACHE)
def retire_missing(home: Home, spec: SourceSpec, outcome: Outcome, run_id: str) -> int:
    """Mark as gone what the source no longer holds, or holds under a denied licence; count it."""
    gone = plan_gone(
        home.table("documents").scan(),
        spec.name,
        seen=outcome.seen,
        rejected=[r.uri for r in outcome.rejects if r.reason != LICENCE_DENIED],
        in_scope=scope_of(spec),
    )
    if gone.num_rows:
        home.table("documents").merge(gone, run_id=run_id)
    return int(gone.num_rows)


@task(name="record-snapshot", cache_policy=NO_CACHE)
def record(home: Home, source: str, run_id: str) -> Snapshot:
    """Record the tables' versions in the ledger; catches up after a killed run."""
    snapshot = record_snapshot(home, "documents", run_id)
    home.ledger.derive(snapshot.node, [f"source:{source}"], "hadMember")
    if home.table("quarantine").exists():
        record_snapshot(home, "quarantine", run_id)
    return snapshot
