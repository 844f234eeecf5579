"""Prefect tasks of provenance: prove everything stored."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.home import Home
from tasks.provenance.revocation.run import Request, Revoked, perform, revoke
from tasks.provenance.revocation.work import Detail, Tools, Work
from tasks.provenance.tracing.span_index import Progress, SpanUpdate, update_span_index
from tasks.provenance.trust.assessment import SourceTrust, refresh_trust
from tasks.provenance.verification.report import VerifyReport
from tasks.provenance.verification.verify import verify_all


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


@task(name="revocation-step", task_run_name="{name}", cache_policy=NO_CACHE)
def revocation_step(name: str, work: Work) -> Detail:
    """Carry out one step of a revocation."""
    return perform(name, work)


def revoke_in_steps(home: Home, request: Request, tools: Tools, run_id: str) -> Revoked:
    """Revoke, with a task run for each step."""

    def carry_out(name: str, work: Work) -> Detail:
        return revocation_step(name, work)

    return revoke(home, request, tools, run_id, carry_out)
