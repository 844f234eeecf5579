"""Proof of stored files: parts and log of the tables against the digests in the ledger."""

from collections.abc import Mapping

from storage.digest import sha256_hex
from storage.errors import NotFoundError, SuyuanError
from storage.home import Home
from storage.table_log import LOG_FOLDER
from storage.tables import Table
from tasks.provenance.verification.report import Tally


def check_table(home: Home, name: str, tally: Tally) -> list[str]:
    """Hash every recorded file of a table again and give the sound files of its newest version."""
    table = home.table(name)
    try:
        parts = home.ledger.parts(name)
    except SuyuanError as error:
        tally.error(error, "ledger")
        return []
    recorded = {part.path: part.sha256 for part in parts if part.sha256}
    for part in parts:
        if not part.sha256 and table.files.exists(part.path):
            tally.problem(_node(table, part.path), "was purged, but is there")
    sound = {path for path, sha in recorded.items() if _is_sound(table, path, sha, tally)}
    try:
        live = {part.path for part in table.live()}
        if live != table.replayed(table.version()):
            tally.problem(f"table:{name}", "the commits do not add up to the newest version")
        _check_live(home, table, live, recorded, tally)
    except (SuyuanError, ValueError, KeyError) as error:
        tally.problem(f"table:{name}", f"the Delta log cannot be read ({error})")
        return sorted(path for path in sound if not path.startswith(LOG_FOLDER))
    return sorted(live & sound)


def _is_sound(table: Table, path: str, sha: str, tally: Tally) -> bool:
    """Compare a file with its digest; one that is gone was either vacuumed or is found missing later."""
    try:
        data = table.files.read(path)
    except NotFoundError:
        if path.startswith(LOG_FOLDER):
            tally.problem(_node(table, path), "is missing")
        return False
    except SuyuanError as error:
        tally.problem(_node(table, path), error.cause)
        return False
    tally.add("parts_checked")
    tally.add("n_bytes", len(data))
    if sha256_hex(data) == sha:
        return True
    tally.problem(_node(table, path), "content has another hash than the ledger recorded")
    return False


def _check_live(
    home: Home, table: Table, live: set[str], recorded: Mapping[str, str], tally: Tally
) -> None:
    """Find live files that are gone, and those that the ledger does not know."""
    for path in sorted(live & set(recorded)):
        if not table.files.exists(path):
            tally.problem(_node(table, path), "is missing")
    log = {part.path for part in table.log_files(table.version())}
    unknown = sorted((live | log) - set(recorded))
    if unknown and _in_progress(home, table, recorded):
        tally.add("unrecorded_files", len(unknown))
        return
    for path in unknown:
        tally.problem(_node(table, path), "is not recorded in the ledger")


def _in_progress(home: Home, table: Table, recorded: Mapping[str, str]) -> bool:
    """Whether the commits not recorded are of runs that go on or died: they are recorded later."""
    for commit in table.history():
        if f"{LOG_FOLDER}/{commit['version']:020d}.json" in recorded:
            break
        run = home.ledger.get("run", str(commit.get("run_id", "")))
        if run is None or run["state"] == "finished":
            return False
    return True


def _node(table: Table, path: str) -> str:
    return f"part:{table.spec.name}/{path}"
