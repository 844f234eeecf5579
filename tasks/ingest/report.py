"""What an ingest run tells: counts, licences, data version."""

from collections import Counter
from dataclasses import asdict

from pydantic import BaseModel

from storage.home import Home
from storage.snapshots import Snapshot
from tasks.ingest.summary import summarise
from tasks.ingest.waves import Outcome


class IngestReport(BaseModel):
    """Counts of one ingest run, and the state of the source after it."""

    source: str
    documents: int
    new: int
    changed: int
    returned: int
    unchanged: int
    gone: int
    quarantined: int
    quarantined_new: int
    reasons: dict[str, int]
    duplicates: int
    unknown_licences: int
    licences: dict[str, int]
    evidence: dict[str, int]
    languages: dict[str, int]
    sensitive: dict[str, int]
    bytes_read: int
    version: int
    root: str
    rewritten: bool
    """False when the source was as before and no table version was made."""

    def metrics(self) -> dict[str, float]:
        """Give the plain counts, for a tracker."""
        return {
            name: float(value)
            for name, value in self.model_dump().items()
            if isinstance(value, int) and not isinstance(value, bool)
        }

    def markdown(self) -> str:
        """Summarise the run for the Prefect page."""
        changes = "nothing was rewritten" if not self.rewritten else "a new version was published"
        top = "".join(f"| {name} | {n} |\n" for name, n in list(self.licences.items())[:12])
        reasons = "".join(f"| {name} | {n} |\n" for name, n in self.reasons.items())
        return (
            f"## Ingest of `{self.source}`: {changes}\n\n"
            f"{self.documents} live documents: {self.new} new, {self.changed} changed, "
            f"{self.returned} returned, {self.unchanged} unchanged, {self.gone} gone; "
            f"{self.quarantined} quarantined, {self.duplicates} near-duplicates.\n\n"
            f"Data version `snap:documents@{self.version}`, root `{self.root[:16]}`.\n\n"
            f"| licence | documents |\n|---|---|\n{top}| unknown | {self.unknown_licences} |\n\n"
            + (f"| quarantined because | items |\n|---|---|\n{reasons}" if reasons else "")
        )


def report_of(
    home: Home, source: str, outcome: Outcome, quarantined_new: int, snapshot: Snapshot
) -> IngestReport:
    """Put counts, source summary and data version together."""
    summary = asdict(summarise(home.table("documents").scan(), source))
    return IngestReport(
        source=source,
        new=outcome.new,
        changed=outcome.changed,
        returned=outcome.returned,
        unchanged=outcome.unchanged,
        gone=outcome.gone,
        quarantined=len(outcome.rejects),
        quarantined_new=quarantined_new,
        reasons=dict(Counter(reject.reason for reject in outcome.rejects).most_common()),
        bytes_read=outcome.n_bytes,
        version=snapshot.version,
        root=snapshot.root,
        rewritten=bool(outcome.commits or outcome.gone),
        **summary,
    )
