"""What the steps of a revocation need: the plan, the stores, and the hands that the flow lends."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from storage.attest import Keyring
from storage.digest import canonical_json, spec_digest
from storage.errors import ConflictError
from storage.files import write_atomic
from storage.fingerprints import Fingerprints
from storage.home import Home
from tasks.provenance.revocation.plan import Plan, plan_json, read_plan

Detail = Mapping[str, object]
"""What a step did, in numbers and names of files; never a word of what was removed."""

_FOLDER = "revocations"
_REPEAT = "repeat"
_PLAN, _FINGERPRINTS = "plan.json", "fingerprints.npz"


class Purger(Protocol):
    """A cache, or other records, that may hold what is revoked."""

    @property
    def name(self) -> str:
        """Node of the cache, such as `cache:answers`."""
        ...

    def purge(self, doc_ids: Sequence[str], wanted: Fingerprints, note: str) -> int:
        """Remove what comes from these documents or holds these bytes; count what was removed."""
        ...


def _say_nothing(_label: str, _done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What other nouns and the machine do for a revocation."""

    rebuild: Callable[[], str]
    """Publishes the search index of what is left; gives its digest, "" when nothing is left."""
    probe: Callable[[Sequence[str]], set[str]]
    """Searches the published index for texts; gives the documents found."""
    caches: Sequence[Purger] = ()
    """Purged early: what people see."""
    records: Sequence[Purger] = ()
    """Purged late: logs and run records."""
    not_searched: Sequence[str] = ()
    """Folders below home that hold nothing that came from a source."""
    out_of_reach: Sequence[str] = ()
    """Places that may hold copies and that nothing here can search, such as a server elsewhere."""
    retrain: Callable[[Sequence[str]], str] | None = None
    """Queues the training of models anew; says what was queued."""
    progress: Callable[[str, int, int], None] = _say_nothing
    """Label, done, total."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A revocation that is being carried out."""

    home: Home
    plan: Plan
    revocation_id: str
    run_id: str
    tools: Tools

    @property
    def node(self) -> str:
        """Node of the revocation."""
        return f"revocation:{self.revocation_id}"

    @property
    def note(self) -> str:
        """What stands where something was erased."""
        return f"[erased by {self.node}]"

    def wanted(self) -> Fingerprints:
        """Read the fingerprints of the bytes that must be gone; ConflictError without them."""
        found = self.fingerprints()
        if found is None:
            raise ConflictError(
                "the fingerprints of what must be gone are missing",
                item=self.node,
                way_out="Without them its absence cannot be proven. Revoke it again under a new scope",
            )
        return found

    def fingerprints(self) -> Fingerprints | None:
        """Read the fingerprints; None when none were taken yet."""
        try:
            return Fingerprints.from_bytes(
                (desk(self.home, self.plan.scope) / _FINGERPRINTS).read_bytes()
            )
        except FileNotFoundError:
            return None

    def keep_fingerprints(self, wanted: Fingerprints) -> None:
        """Keep the fingerprints until the proof is done."""
        write_atomic(desk(self.home, self.plan.scope) / _FINGERPRINTS, wanted.to_bytes())


def keyring(home: Home) -> Keyring:
    """Give the keys that sign certificates."""
    return Keyring(home.root / "keys")


def desk(home: Home, scope: str) -> Path:
    """Give the folder where a revocation keeps what it needs until it is done."""
    return home.root / _FOLDER / spec_digest(scope=scope)


def keep_plan(home: Home, plan: Plan) -> None:
    """Keep the whole plan, so that an attempt after a kill knows what the first one set out to do."""
    write_atomic(desk(home, plan.scope) / _PLAN, canonical_json(plan_json(plan)))


def kept_plan(home: Home, scope: str) -> Plan | None:
    """Give the plan of an attempt that was cut off; None without one."""
    try:
        return read_plan(json.loads((desk(home, scope) / _PLAN).read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ConflictError(
            f"the plan of the attempt before cannot be read ({error})",
            item=scope,
            way_out=f"Delete {desk(home, scope)} and run it again",
        ) from error


def repeat_every_step(home: Home, scope: str) -> None:
    """Note that steps which are done count for nothing: after a failure, until the proof holds."""
    write_atomic(desk(home, scope) / _REPEAT, b"")


def repeats_every_step(home: Home, scope: str) -> bool:
    """Say whether an attempt failed since the last proof."""
    return (desk(home, scope) / _REPEAT).exists()


def clear_desk(home: Home, scope: str) -> None:
    """Delete what a revocation kept for itself."""
    shutil.rmtree(desk(home, scope), ignore_errors=True)
