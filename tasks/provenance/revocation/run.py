"""Carry out a revocation: each step is recorded when it is done, and may be killed at any point."""

from collections.abc import Callable
from dataclasses import dataclass

from storage.errors import ConflictError, GateError
from storage.home import Home
from storage.revocations import Revocation
from storage.revoked import running_runs
from storage.transparency import Tree
from tasks.provenance.revocation import erasing, stages
from tasks.provenance.revocation.attempts import together
from tasks.provenance.revocation.certificate import sign_certificate
from tasks.provenance.revocation.plan import Plan, make_plan, merged, not_stored
from tasks.provenance.revocation.proof import prove_absence
from tasks.provenance.revocation.scope import Scope
from tasks.provenance.revocation.work import (
    Detail,
    Tools,
    Work,
    clear_desk,
    desk,
    keep_plan,
    kept_plan,
    keyring,
    repeat_every_step,
    repeats_every_step,
)

STEPS: tuple[tuple[str, Callable[[Work], Detail]], ...] = (
    ("tombstone", stages.tombstone),
    ("fingerprints", stages.take_fingerprints),
    ("caches", stages.purge_caches),
    ("answers", stages.retract_answers),
    ("tables", stages.rewrite_tables),
    ("spans", stages.compact_spans),
    ("index", stages.rebuild_index),
    ("trace", erasing.trace_absence),
    ("bytes", erasing.erase_bytes),
    ("models", erasing.mark_models),
    ("records", erasing.scrub_records),
    ("proof", prove_absence),
)
"""Name and function of each step, in order; each can be done again."""

WRITERS = ("ingest", "features", "index")
"""Flows that write documents or what is made from them."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Who wants what revoked, and why."""

    scope: Scope
    reason: str
    who: str


@dataclass(frozen=True, kw_only=True)
class Revoked:
    """A revocation that is done."""

    revocation_id: str
    plan: Plan
    certificate: str
    """DSSE envelope as JSON."""


AGAIN = frozenset({"answers", "bytes", "records"})
"""Steps that every attempt does: people may have asked and got answers since the last one."""

Perform = Callable[[str, Work], Detail]
"""Carries out one step by its name."""


def perform(name: str, work: Work) -> Detail:
    """Carry out one step."""
    return dict(STEPS)[name](work)


def refuse_writers(home: Home) -> None:
    """Raise a ConflictError while a run goes on that could write what is being removed."""
    if running := running_runs(home.ledger_url, WRITERS):
        raise ConflictError(
            f"runs that write go on: {', '.join(running)}",
            item="revocation",
            way_out="Wait for their end, or stop them, or say that they are gone with `force`",
        )


def revoke(
    home: Home, request: Request, tools: Tools, run_id: str, carry_out: Perform = perform
) -> Revoked:
    """Do what is left of a revocation, prove it, and sign the certificate.

    One that was cut off goes on where it was; one that failed does every step again. When nothing
    is left to revoke, the certificate of the last time is given. GateError when absence cannot be
    proven: the revocation stays open as failed.
    """
    scope = str(request.scope)
    plan, before = make_plan(home, request.scope), kept_plan(home, scope)
    earlier = [one for one in home.revocations.list() if one.scope == scope]
    if plan.empty and all(one.state == "done" for one in earlier):
        return _nothing_left(home, scope, plan, earlier)
    done = _done_steps(home, plan, before, earlier)
    plan = merged(before, plan) if before else plan
    keep_plan(home, plan)
    if any(one.state == "failed" for one in earlier):
        repeat_every_step(home, scope)
    revocation_id = home.revocations.open(scope, request.reason, request.who, plan.summary())
    work = Work(home=home, plan=plan, revocation_id=revocation_id, run_id=run_id, tools=tools)
    did = {step.step: step.detail for step in home.revocations.steps(revocation_id)}
    try:
        for number, (name, _) in enumerate(STEPS):
            tools.progress(name, number, len(STEPS))
            if name not in done:
                detail = together(name, did.get(name, {}), carry_out(name, work))
                home.revocations.step_done(revocation_id, name, detail)
    except GateError as error:
        home.revocations.fail(revocation_id, str(error))
        raise
    tools.progress("certificate", len(STEPS), len(STEPS))
    certificate = _close(work)
    return Revoked(revocation_id=revocation_id, plan=plan, certificate=certificate)


def _close(work: Work) -> str:
    """Sign and record the certificate, then the head of the log that now holds it."""
    certificate = sign_certificate(work)
    work.home.revocations.finish(work.revocation_id, certificate)
    clear_desk(work.home, work.plan.scope)
    Tree(work.home.ledger_url).sign_head(keyring(work.home))
    return certificate


def _done_steps(home: Home, plan: Plan, before: Plan | None, earlier: list[Revocation]) -> set[str]:
    """Give the steps not to do again: those of an attempt that was cut off without failing."""
    open_ones = [one for one in earlier if one.state in {"planned", "running"}]
    done = {step.step for one in open_ones for step in home.revocations.steps(one.revocation_id)}
    if before is None and "tables" in done:
        raise ConflictError(
            f"what the attempt before kept in {desk(home, plan.scope)} is gone, "
            "so that nobody can prove what it removed",
            item=f"revocation:{open_ones[-1].revocation_id}",
            way_out="Restore that folder from a copy",
        )
    more = before is not None and not set(plan.rows) <= set(before.rows)
    return set() if more or repeats_every_step(home, plan.scope) else done - AGAIN


def _nothing_left(home: Home, scope: str, plan: Plan, earlier: list[Revocation]) -> Revoked:
    """Give the last certificate; finish what a kill right after it left undone."""
    clear_desk(home, scope)
    if not earlier:
        raise not_stored(home, scope)
    last = earlier[-1]
    Tree(home.ledger_url).sign_head(keyring(home))
    return Revoked(revocation_id=last.revocation_id, plan=plan, certificate=last.certificate)
