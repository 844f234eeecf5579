"""The stack on a small project of one flow: up, up again, killed and up again, runs, down."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from infra import processes, stack
from infra.services import read_services
from infra.settings import Settings
from storage.errors import MissingError

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(1200)]
LIMIT_S = 180
FLOW = """
from prefect import flow
from pydantic import BaseModel, Field
from infra.settings import Settings
from infra.tracking import tracked
class Params(BaseModel):
    n: int = Field(2, ge=1, le=9)
@flow(name="count")
def count(params: Params) -> int:
    with tracked("count", Settings().apply(), params.model_dump()) as run:
        run.metrics({"n": params.n})
    return params.n
"""
PREFECT_YAML = """
name: small
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $SUYUAN_ROOT }}"
deployments:
  - name: default
    entrypoint: flows/count.py:count
    parameters: { params: { n: 4 } }
    schedules:
      - { cron: "0 2 * * *", timezone: UTC, slug: nightly, active: false }
    work_pool: { name: "{{ $SUYUAN_WORK_POOL }}" }
"""


def soon(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PREFECT_", "SUYUAN_"))]:
            patch.delenv(name)
        yield patch


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings whose stack is up; apply() leaves no trace in this process."""
    project = tmp_path_factory.mktemp("project")
    (project / "flows").mkdir()
    (project / "flows" / "count.py").write_text(FLOW)
    (project / "prefect.yaml").write_text(PREFECT_YAML)
    patch.setattr(stack, "ROOT", project)
    patch.setattr(Settings, "apply", lambda self: self)
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    try:
        stack.up(settings)
        yield settings
    finally:
        stack.down(settings)


def pids(settings: Settings) -> dict[str, int]:
    return {name: service.pid for name, service in read_services(settings.root).items()}


def scheduled(settings: Settings) -> int:
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    return httpx.post(f"{settings.prefect_api}/flow_runs/count", json=body, timeout=30).json()


def test_up_starts_three_services_and_deploys_with_paused_schedules(settings: Settings) -> None:
    found = stack.status(settings)
    assert found.running
    assert {entry.name: entry.state for entry in found.services} == dict.fromkeys(
        ("prefect", "mlflow", "worker"), "running"
    )
    (deployment,) = found.deployments
    assert (deployment.name, deployment.schedules) == ("count/default", ["cron 0 2 * * *"])
    assert not deployment.active


def test_every_port_is_on_loopback(settings: Settings) -> None:
    members = [
        process
        for pid in pids(settings).values()
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]
    listening = [c for p in members for c in p.net_connections("inet") if c.status == "LISTEN"]
    assert len(listening) >= 3
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_a_second_up_starts_nothing(settings: Settings) -> None:
    before = pids(settings)
    began = time.monotonic()
    stack.up(settings)
    assert pids(settings) == before
    assert time.monotonic() - began < 20


def test_a_deployed_flow_runs_and_is_tracked_on_the_mlflow_server(settings: Settings) -> None:
    programs = Path(sys.executable).parent
    command = f"""eval "$({programs}/suyuan env)" || exit
        {programs}/prefect deployment run count/default --watch -p 'params={{"n": 7}}'"""
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "SUYUAN_HOME": str(settings.root)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    search = {"experiment_ids": ["1"], "max_results": 5}
    url = f"{settings.mlflow}/api/2.0/mlflow/runs/search"
    (run,) = httpx.post(url, json=search, timeout=30).json()["runs"]
    assert (run["info"]["status"], run["data"]["metrics"][0]["value"]) == ("FINISHED", 7)


def test_asked_for_schedules_make_runs(settings: Settings) -> None:
    (deployment,) = stack.up(settings, schedules=True).deployments
    assert deployment.active
    soon(lambda: scheduled(settings))


def test_up_after_a_kill_mends_only_what_was_killed_at_the_same_address(
    settings: Settings,
) -> None:
    before, address = pids(settings), settings.prefect_api
    os.kill(before["prefect"], signal.SIGKILL)
    soon(lambda: stack.status(settings).services[0].state == "dead")
    stack.up(settings)
    after = pids(settings)
    assert after["prefect"] != before["prefect"]
    assert after["mlflow"] == before["mlflow"]
    assert settings.prefect_api == address


def test_down_ends_what_up_started_and_nothing_else(settings: Settings) -> None:
    services = [psutil.Process(pid) for pid in pids(settings).values()]
    members = [p for s in services for p in (s, *s.children(recursive=True))]
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        found = stack.down(settings)
        assert not any(
            processes.is_alive(p.pid, p.create_time()) for p in members if p.is_running()
        )
        assert {entry.state for entry in found.services} == {"stopped"}
        assert (stranger.poll(), read_services(settings.root)) == (None, {})
    finally:
        stranger.kill()
        stranger.wait(30)


def test_without_a_project_there_is_nothing_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    with pytest.raises(MissingError, match=r"prefect\.yaml"):
        stack.up(Settings(home=tmp_path / "home"))
