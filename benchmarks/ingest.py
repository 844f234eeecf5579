"""What lineage costs a whole ingest: read, validate, cluster, commit, record.

With lineage: licence and personal-data taggers, byte maps, near-duplicate signatures, and the
snapshot with its files in the ledger. Without: none of these; the documents table is written all
the same. Both validate with Great Expectations. Rounds alternate; the first one warms up.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.report import Result, Spent, environment, measured, publish
from infra.quality import validate
from infra.settings import Settings, home
from storage.snapshots import record_snapshot
from tasks.ingest.connectors import Listing, list_items
from tasks.ingest.pipeline import IngestJob
from tasks.ingest.sources import SourceSpec
from tasks.ingest.waves import ingest_waves
from tasks.provenance.licences.detection import tag_licence
from tasks.provenance.sensitivity.detection import tag_sensitivity
from tasks.shared.engine import SerialEngine

BAR = 1.10
SETS = ("docs-multilicense/docs.jsonl.gz", "")
"""A set of documents below SUYUAN_DATA; "" stands for the installed distributions' own texts."""


def main() -> int:
    """Measure both kinds of ingest on both sets; exit 1 when the bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    rounds = parser.parse_args().rounds
    env = environment(rounds=rounds)
    results = [compare(name, rounds) for name in SETS]
    publish("ingest", env, results, quick=False)
    return 0 if all(result.passes for result in results) else 1


def compare(name: str, rounds: int) -> Result:
    """Alternate ingest without and with lineage into fresh homes."""
    where = (str(Settings().data / name),) if name else ()
    spec = SourceSpec(name="benchmark", locations=where, python_env=not name, docstring_depth=0)
    listing = list_items(spec)
    taggers = (tag_licence, tag_sensitivity)
    full = IngestJob(spec=spec, blobs_url="", taggers=taggers)
    jobs = {"without": replace(full, lineage=False), "with": full}
    spent = {kind: Spent() for kind in jobs}
    n_documents = 0
    for number in range(rounds + 1):
        for kind, job in jobs.items():
            with tempfile.TemporaryDirectory() as folder, measured() as once:
                n_documents = ingest_once(Path(folder), listing, job)
            if number:
                spent[kind].cpu += once.cpu
            print(f"{name or 'distributions'} {kind}: {once.cpu:.2f} CPU-s", file=sys.stderr)
    ours, peer = spent["with"].cpu / rounds, spent["without"].cpu / rounds
    return Result(
        name=f"whole ingest with lineage, {name or 'installed distributions'}",
        ours=ours,
        peer=peer,
        peer_name="without lineage",
        unit="CPU-s",
        n=n_documents,
        bar=f"ratio <= {BAR}",
        passes=ours <= BAR * peer,
    )


def ingest_once(folder: Path, listing: Listing, job: IngestJob) -> int:
    """Ingest a listing into a new home; give the number of documents."""
    settings = Settings(home=folder, storage_url=str(folder), ledger_url="")
    store = home(settings)
    own = replace(job, blobs_url=store.blobs_url)
    outcome = ingest_waves(store, listing, own, SerialEngine(), validate, "benchmark")
    if job.lineage:
        record_snapshot(store, "documents", "benchmark")
    return outcome.new


if __name__ == "__main__":
    raise SystemExit(main())
