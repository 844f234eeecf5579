"""Each planted fault is found, and a healthy new home has none."""

import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from infra import doctor
from infra.settings import Settings, home
from infra.spool import RunRecord, Spool
from storage.schemas import DOCUMENTS
from tests.unit.infra.test_spool import dead_process


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("PREFECT_API_URL", "SUYUAN_HOME", "SUYUAN_DASK_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    return Settings(home=tmp_path)


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def wrong(settings: Settings) -> list[str]:
    findings = doctor.diagnose(settings)
    assert all(finding.ok or finding.next_step for finding in findings)
    return [finding.code for finding in findings if not finding.ok]


def write_stack(settings: Settings, pid: int, started: float, port: int) -> None:
    entry = {"name": "prefect", "pid": pid, "started": started, "port": port, "log": "x.log"}
    (settings.root / "stack.json").write_text(json.dumps([entry]))


def test_a_new_home_has_no_fault(settings: Settings) -> None:
    assert wrong(settings) == []


def test_an_old_python_is_found() -> None:
    assert not doctor.check_python((3, 10, 9)).ok


def test_a_full_disk_is_found(settings: Settings) -> None:
    assert not doctor.check_disk(settings, wanted=1 << 62).ok


def test_libraries_that_break_prefect_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PINS", {"packaging": "<1", "no-such-library": ">=1"})
    assert [finding.ok for finding in doctor.check_pins()] == [False, False]


def test_missing_weights_are_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "WEIGHTS", {"e5": "no_such_weights"})
    assert wrong(settings) == ["weights"]


def test_a_home_that_is_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert wrong(Settings(home=tmp_path / "file" / "home")) == ["home"]


def test_a_damaged_ledger_is_found(settings: Settings) -> None:
    (settings.root / "ledger.db").write_bytes(b"not a database" * 100)
    assert wrong(settings) == ["ledger"]


def test_a_damaged_table_is_found(settings: Settings) -> None:
    log = settings.root / "tables" / "chunks" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("{broken")
    assert wrong(settings) == ["tables"]


def test_documents_without_an_index_are_found(settings: Settings) -> None:
    documents = home(settings).table("documents")
    row = {"source": "s", "uri": "u", "doc_id": "d"}
    rows = pl.DataFrame([row]).to_arrow()
    columns = [
        rows[f.name].cast(f.type) if f.name in row else pl.Series([None]).to_arrow().cast(f.type)
        for f in DOCUMENTS.schema
    ]
    documents.merge(rows.from_arrays(columns, schema=DOCUMENTS.schema), run_id="r")
    assert wrong(settings) == ["index"]


def test_runs_that_wait_for_mlflow_are_found(settings: Settings) -> None:
    Spool(settings.root).save(RunRecord(run_id="a", flow="f", started_ms=1, state="failed"))
    assert wrong(settings) == ["spool"]


def test_a_damaged_mlflow_database_is_found(settings: Settings) -> None:
    with sqlite3.connect(settings.root / "mlflow.db") as connection:
        connection.execute("create table other (x)")
    assert wrong(settings) == ["mlflow"]


def test_dead_addresses_are_found(settings: Settings, closed_port: int) -> None:
    dead = settings.model_copy(
        update={
            "dask_address": f"tcp://127.0.0.1:{closed_port}",
            "mlflow_uri": f"http://127.0.0.1:{closed_port}",
            "prefect_api_url": f"http://127.0.0.1:{closed_port}/api",
        }
    )
    assert wrong(dead) == ["dask", "mlflow", "prefect"]


def test_an_address_that_is_none_is_found(settings: Settings) -> None:
    assert wrong(settings.model_copy(update={"dask_address": "tcp://host:port"})) == ["dask"]


def test_a_dead_service_is_found(settings: Settings, closed_port: int) -> None:
    write_stack(settings, *dead_process(), closed_port)
    assert wrong(settings) == ["stack.prefect"]


def test_a_taken_port_is_named(settings: Settings, open_port: int) -> None:
    write_stack(settings, *dead_process(), open_port)
    (finding,) = doctor.check_stack(settings)
    assert f"something else uses its port {open_port}" in finding.what


def test_a_service_that_runs_another_version_is_found(settings: Settings, open_port: int) -> None:
    import psutil

    me = psutil.Process()
    write_stack(settings, me.pid, me.create_time(), open_port)
    (finding,) = doctor.check_stack(settings)
    assert (finding.code, finding.ok) == ("stack.prefect", False)
