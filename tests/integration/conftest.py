"""Real servers for the tests marked `server`: PostgreSQL and an S3 server, on loopback, once a process."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_S = 120
PROBE_S = 0.1
BUCKET = "suyuan-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a server with a bound; fail with its log when it ends or never answers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if ready():
            return
        time.sleep(PROBE_S)
    pytest.fail(f"{process.args} did not start:\n{log.read_text(errors='replace')[-3000:]}")


@contextmanager
def server(command: list[str], ready: Callable[[], bool], log: Path) -> Iterator[None]:
    """Run a server process for the block, and end exactly that process."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            wait_until(ready, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL prefix of a PostgreSQL server of our own; as root it runs as the user `postgres`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    initdb = found[0] if found else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    root = os.geteuid() == 0
    if root and shutil.which("runuser") is None:
        pytest.skip("as root, PostgreSQL needs runuser: apt-get install util-linux")
    user = ["runuser", "-u", "postgres", "--"] if root else []
    with tempfile.TemporaryDirectory(prefix="suyuan-postgres-") as folder:
        place, log = Path(folder), tmp_path_factory.mktemp("postgres") / "server.log"
        if root:  # no other place is sure to be open to that user
            shutil.chown(place, "postgres")
        data, port = place / "data", free_port()
        settings = ["-A", "trust", "-U", "suyuan", "-E", "UTF8", "--no-locale", "-D", str(data)]
        subprocess.run(
            [*user, str(initdb), *settings], check=True, capture_output=True, timeout=START_S
        )
        binary = Path(initdb).resolve().with_name("postgres")
        options = ["-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data), "-F"]
        with server([*user, str(binary), *options], lambda: _serves(port), log):
            yield f"postgresql+psycopg2://suyuan@127.0.0.1:{port}"


def _serves(port: int) -> bool:
    import psycopg2

    try:
        address = f"host=127.0.0.1 port={port} user=suyuan dbname=postgres connect_timeout=5"
        psycopg2.connect(address).close()
    except psycopg2.OperationalError:
        return False
    return True


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """SQLAlchemy URL of an empty database."""
    import sqlalchemy as sa

    name = f"test_{time.time_ns()}"
    admin = sa.create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return f"{postgres_server}/{name}"


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an S3 server of our own."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("atomic_s3.py")), str(port)]
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("s3") / "s3.log"
    with server(command, lambda: answers(f"{url}/moto-api/"), log):
        yield url


@pytest.fixture
def s3_server(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty folder on an S3 server, with the AWS_* variables set to reach it."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    request = urllib.request.Request(f"{s3_endpoint}/{BUCKET}", method="PUT")
    urllib.request.urlopen(request, timeout=30).close()
    return f"s3://{BUCKET}/{time.time_ns()}"


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Prefect server for all flows of this process."""
    from infra.settings import QUIET

    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.delenv("PREFECT_API_URL", raising=False)
        from prefect.settings import (
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
            PREFECT_LOGGING_TO_API_ENABLED,
            temporary_settings,
        )
        from prefect.testing.utilities import prefect_test_harness

        # the heartbeat thread costs each flow run a second; only this switches it off
        quiet = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
        with prefect_test_harness(server_startup_timeout=START_S + 60), temporary_settings(quiet):
            yield
