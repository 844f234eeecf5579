"""Prefect tasks of provenance: prove everything stored."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.home import Home
from tasks.provenance.report import VerifyReport
from tasks.provenance.verify import verify_all


@task(name="verify-everything", cache_policy=NO_CACHE)
def verify_everything(home: Home, sample: int | None) -> VerifyReport:
    """Re-read everything stored and prove it."""
    return verify_all(home, sample)
