"""Snapshots: a version of a table with its files and its root, written down in the ledger."""

from dataclasses import dataclass, replace

from storage.digest import sha256_hex
from storage.home import Home
from storage.ledger import Ledger
from storage.records import Part
from storage.schemas import DOCUMENTS
from storage.tables import Table


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
    known = {part.path: part.sha256 for part in ledger.parts(table_name)}
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
    ledger.add_artifact(node, "snapshot", table.root_url, found, run_id, facts)
    return Snapshot(node=node, version=version, root=found, n_rows=n_rows)


def _record_documents(table: Table, ledger: Ledger, parts: list[Part]) -> None:
    for part in parts:
        frame = table.scan_files([part.path]).drop("sensitivity", "signature", "meta").collect()
        ledger.add_documents(frame.iter_rows(named=True))


def _hashed(table: Table, part: Part) -> Part:
    data = table.files.read(part.path)
    return replace(part, n_bytes=len(data), sha256=sha256_hex(data))
