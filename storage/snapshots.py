"""Snapshots: a version of a table with its files and its root, written down in the ledger."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from storage.digest import sha256_hex
from storage.home import Home
from storage.ledger import Edge, Ledger
from storage.records import Part
from storage.schemas import DOCUMENTS
from storage.tables import Table

REVISION = "wasRevisionOf"
"""How a version of a table came from the one before it."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A recorded version of a table."""

    node: str
    """`snap:<table>@<version>`; "" when the table is absent."""
    version: int
    root: str
    """Digest of the rows over the stable columns."""
    n_rows: int


def record_snapshot(home: Home, table_name: str, run_id: str, root: str | None = None) -> Snapshot:
    """Record the newest version of a table: files, log, root, and for documents their rows.

    Call it after each commit, and at the start of a run to catch up with a run that was killed
    between its commit and this call. The same version again changes nothing. Files come last but
    for the snapshot itself, so that a kill in between leaves work that the next call repeats.
    """
    table, ledger = home.table(table_name), home.ledger
    version = table.version()
    if version < 0:
        return Snapshot(node="", version=version, root=table.root(), n_rows=0)
    node = f"snap:{table_name}@{version}"
    known = {part.path: part.sha256 for part in ledger.parts(table_name) if part.sha256}
    live = table.parts(version, known)
    n_rows = sum(part.n_rows for part in live)
    recorded = ledger.get("artifact", node)
    if recorded is not None:
        return Snapshot(node=node, version=version, root=str(recorded["sha256"]), n_rows=n_rows)
    new = [part for part in live if part.path not in known]
    if table_name == DOCUMENTS.name:
        _record_documents(table, ledger, new)
    log = [part for part in table.log_files(version) if part.path not in known]
    ledger.add_parts(table_name, [*new, *(_hashed(table, part) for part in log)], run_id)
    found = root or table.root(version)
    facts = {"version": version, "rows": n_rows, "parts": len(live)}
    ledger.derive(node, _recorded_before(ledger, table_name, version), REVISION)
    ledger.add_artifact(node, "snapshot", table.root_url, found, run_id, facts)
    return Snapshot(node=node, version=version, root=found, n_rows=n_rows)


def newest_only(node: str, edges: Iterable[Edge]) -> list[Edge]:
    """Leave out of a closure older versions of tables, and what lies only behind them."""
    by_end: dict[str, list[Edge]] = {}
    for edge in edges:
        by_end.setdefault(edge.dst, []).append(edge)
    found: list[Edge] = []
    seen, left = {node}, [node]
    while left:
        mine = [edge for edge in by_end.get(left.pop(), ()) if edge.rel != REVISION]
        found += mine
        fresh = dict.fromkeys(edge.src for edge in mine if edge.src not in seen)
        seen.update(fresh)
        left += reversed(fresh)
    return found


def record_purge(home: Home, table_name: str, run_id: str, by: str) -> int:
    """Record that the files of older versions are gone for good; count them.

    A purged file keeps its row without a hash, a purged version is an artifact that says by what.
    """
    table, ledger = home.table(table_name), home.ledger
    version = table.version()
    if version < 0:
        return 0
    left = {part.path for part in [*table.live(version), *table.log_files(version)]}
    recorded = [part for part in ledger.parts(table_name) if part.sha256]
    gone = [
        replace(part, sha256="", n_bytes=0, n_rows=0) for part in recorded if part.path not in left
    ]
    ledger.derive(by, [f"part:{table_name}/{part.path}" for part in gone], "purged")
    ledger.add_parts(table_name, gone, run_id)
    for number in range(max(table.purges().base, 0)):
        _mark_purged(ledger, f"snap:{table_name}@{number}", by)
    return len(gone)


def _mark_purged(ledger: Ledger, node: str, by: str) -> None:
    row = ledger.get("artifact", node)
    if row is None or row["status"] == "purged":
        return
    params = {**json.loads(str(row["params"])), "purged_by": by}
    names = ("kind", "path", "sha256", "run_id")
    kind, path, sha256, run_id = (str(row[name]) for name in names)
    ledger.add_artifact(node, kind, path, sha256, run_id, params, status="purged")


def _recorded_before(ledger: Ledger, table_name: str, version: int) -> list[str]:
    """Give the node of the version recorded last before one; a run may commit several at once."""
    nodes = (f"snap:{table_name}@{number}" for number in range(version - 1, -1, -1))
    return list(islice((node for node in nodes if ledger.get("artifact", node)), 1))


def _record_documents(table: Table, ledger: Ledger, parts: list[Part]) -> None:
    for part in parts:
        frame = table.scan_files([part.path]).drop("sensitivity", "signature", "meta").collect()
        ledger.add_documents(frame.iter_rows(named=True))


def _hashed(table: Table, part: Part) -> Part:
    data = table.files.read(part.path)
    return replace(part, n_bytes=len(data), sha256=sha256_hex(data))
