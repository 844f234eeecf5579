"""Prefect tasks of a revocation: each step is one, so that its page shows where it is."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.home import Home
from tasks.provenance.revocation.run import Request, Revoked, perform, revoke
from tasks.provenance.revocation.work import Detail, Tools, Work


@task(name="revocation-step", task_run_name="{name}", cache_policy=NO_CACHE)
def carry_out(name: str, work: Work) -> Detail:
    """Carry out one step of a revocation."""
    return perform(name, work)


def revoke_in_steps(home: Home, request: Request, tools: Tools, run_id: str) -> Revoked:
    """Revoke, with a task run for each step."""
    return revoke(home, request, tools, run_id, carry_out)
