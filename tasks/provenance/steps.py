"""Prefect tasks of provenance: prove everything stored."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.home import Home
from tasks.provenance.report import VerifyReport
from tasks.provenance.span_index import Progress, SpanUpdate, update_span_index
from tasks.provenance.trust import SourceTrust, refresh_trust
from tasks.provenance.verify import verify_all


@task(name="verify-everything", cache_policy=NO_CACHE)
def verify_everything(home: Home, sample: int | None) -> VerifyReport:
    """Re-read everything stored and prove it."""
    return verify_all(home, sample)


@task(name="index-spans", cache_policy=NO_CACHE)
def index_spans(home: Home, run_id: str, progress: Progress | None = None) -> SpanUpdate:
    """Bring the span index up to the live documents."""
    return update_span_index(home, run_id, progress)


@task(name="refresh-trust", cache_policy=NO_CACHE)
def refresh_trust_scores(home: Home, run_id: str) -> dict[str, SourceTrust]:
    """Gather the evidence about every source, and record how far it is trusted."""
    return refresh_trust(home, run_id)
