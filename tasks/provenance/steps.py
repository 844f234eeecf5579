"""Prefect tasks of provenance: prove everything stored, and refuse when something is damaged."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.errors import CorruptError
from storage.home import Home
from tasks.provenance.report import VerifyReport
from tasks.provenance.verify import verify_all

_NAMED = 5


@task(name="verify-everything", cache_policy=NO_CACHE)
def verify_everything(home: Home, sample: int | None) -> VerifyReport:
    """Re-read everything stored and prove it."""
    return verify_all(home, sample)


def refuse_damage(report: VerifyReport) -> None:
    """Raise CorruptError that names the first problems, when there are any."""
    if report.ok:
        return
    first = "; ".join(f"{problem.node} {problem.reason}" for problem in report.problems[:_NAMED])
    raise CorruptError(
        f"{len(report.problems)} problems: {first}",
        item=report.problems[0].node,
        way_out="Run `suyuan verify --all` for all of them; restore what they name from a copy",
    )
