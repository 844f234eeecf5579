"""The local stack: Prefect server, MLflow server and one worker, on loopback.

`<home>/stack.json` says what was started. Every call compares it with the processes that are
there, so a crash, a kill or a reboot leaves nothing to repair by hand.
"""

import fcntl
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx
from pydantic import BaseModel

from infra import processes
from infra.prefect_rest import Deployment, PrefectApi
from infra.services import Service, read_services, write_services
from infra.settings import Settings
from storage.errors import ConflictError, MissingError, UnavailableError

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder: prefect.yaml and flows/ lie there."""
ORDER = ("prefect", "mlflow", "worker")
HEALTH_TIMEOUT_S = 180.0
DEPLOY_TIMEOUT_S = 300.0
LOCK_TIMEOUT_S = 240.0
POLL_S = 0.2
PROBE_TIMEOUT_S = 2.0
WORKER_RUNS = 2
"""Flow runs that the worker runs at one time."""
LOG_TAIL_LINES = 15


class ServiceStatus(BaseModel):
    """What is known of one service of the stack."""

    name: str
    state: str
    """running, silent (the process lives but does not answer), dead, or stopped."""
    pid: int = 0
    url: str = ""
    log: str = ""


class StackStatus(BaseModel):
    """What runs, where, and what is deployed there."""

    home: str
    running: bool
    prefect_ui: str = ""
    mlflow_ui: str = ""
    services: list[ServiceStatus]
    deployments: list[Deployment] = []


def up(settings: Settings, *, schedules: bool = False) -> StackStatus:
    """Start what does not run, deploy every flow, and switch the schedules on or off.

    A server that the settings name by address is used and not started.
    """
    _check_project()
    with _lock(settings):
        ports = {name: s.port for name, s in read_services(settings.root).items()}
        _remove_dead(settings)
        for name in _wanted(settings):
            if name not in read_services(settings.root):
                _start(settings, name, ports.get(name, 0))
        for name in _wanted(settings):
            _wait(settings, name)
        _deploy(settings)
        PrefectApi(settings.prefect_api).set_schedules(settings.work_pool, active=schedules)
    settings.apply()
    return status(settings)


def down(settings: Settings) -> StackStatus:
    """Stop every process that `up` started, and nothing else."""
    with _lock(settings):
        _stop(settings, "worker", "mlflow")  # Prefect last: the worker takes its leave from it
        _stop(settings, "prefect")
        processes.stop_marked(_mark(settings))  # flow runs whose worker was killed
    return status(settings)


def status(settings: Settings) -> StackStatus:
    """Look at every service and ask Prefect what is deployed; waits for seconds at most."""
    services = read_services(settings.root)
    found = [_look(settings, name, services.get(name)) for name in ORDER]
    api = settings.prefect_api
    return StackStatus(
        home=str(settings.root),
        running=all(entry.state in {"running", "external"} for entry in found),
        prefect_ui=api.removesuffix("/api"),
        mlflow_ui=settings.mlflow if settings.mlflow.startswith("http") else "",
        services=found,
        deployments=_deployments(api, settings.work_pool),
    )


def prefect_api(settings: Settings) -> str:
    """Give the Prefect API that flows use by default; "" means an ephemeral one."""
    return settings.prefect_api


def _wanted(settings: Settings) -> list[str]:
    external = {"prefect": settings.prefect_api_url, "mlflow": settings.mlflow_uri}
    return [name for name in ORDER if not external.get(name)]


def _start(settings: Settings, name: str, preferred: int) -> None:
    if name == "worker":
        _wait(settings, "prefect")
    port = _free_port(preferred)
    log = settings.root / "logs" / f"{name}.log"
    process = processes.start(
        _command(settings, name, port),
        environment=_environment(settings, name, port),
        cwd=ROOT,
        log=log,
    )
    services = read_services(settings.root)
    services[name] = Service(
        name=name,
        pid=process.pid,
        started=process.create_time(),
        port=port,
        log=str(log),
        version=version("mlflow" if name == "mlflow" else "prefect"),
    )
    write_services(settings.root, services)


def _command(settings: Settings, name: str, port: int) -> list[str]:
    address = ["--host", "127.0.0.1", "--port", str(port)]
    artifacts = (settings.root / "mlflow-artifacts").as_uri()
    store = ["--backend-store-uri", settings.mlflow_database]
    store += ["--artifacts-destination", artifacts, "--default-artifact-root", artifacts]
    pool = ["--pool", settings.work_pool, "--type", "process", "--limit", str(WORKER_RUNS)]
    pool += ["--install-policy", "never"]
    arguments = {
        "prefect": ["prefect", "server", "start", *address],
        "mlflow": ["mlflow", "server", *address, "--workers", "1", *store],
        "worker": ["prefect", "worker", "start", *pool, "--with-healthcheck"],
    }
    return [sys.executable, "-m", *arguments[name]]


def _environment(settings: Settings, name: str = "", port: int = 0) -> dict[str, str]:
    api = f"http://127.0.0.1:{port}/api" if name == "prefect" else settings.prefect_api
    return {
        **os.environ,
        **settings.environment(),
        **({"PREFECT_API_URL": api} if api else {}),
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
        "PREFECT_WORKER_WEBSERVER_PORT": str(port),
        "SUYUAN_ROOT": str(ROOT),
        "SUYUAN_WORK_POOL": settings.work_pool,
        processes.MARK: _mark(settings),
    }


def _wait(settings: Settings, name: str) -> None:
    """Wait until a service answers; a dead one ends the wait at once."""
    service = read_services(settings.root).get(name)
    if service is None:
        return
    deadline = time.monotonic() + HEALTH_TIMEOUT_S
    while not _answers(settings, service):
        if not service.alive or time.monotonic() > deadline:
            reason = "did not answer in time" if service.alive else "ended while it started"
            raise UnavailableError(
                f"{reason}; its log ends with:\n{_tail(Path(service.log))}",
                item=name,
                way_out=f"Read {service.log}, then `suyuan down` and `suyuan up`",
            )
        time.sleep(POLL_S)


def _answers(settings: Settings, service: Service) -> bool:
    path = "/api/health" if service.name == "prefect" else "/health"
    try:
        url = f"{service.url}{path}"
        healthy = httpx.get(url, timeout=PROBE_TIMEOUT_S, trust_env=False).is_success
    except httpx.HTTPError:
        return False
    if service.name != "worker":
        return healthy
    return healthy and PrefectApi(settings.prefect_api).has_pool(settings.work_pool)


def _deploy(settings: Settings) -> None:
    """Deploy every flow, unless this very code is deployed on this server already."""
    api = PrefectApi(settings.prefect_api)
    stamp = settings.root / "deployed"
    digest = _code_digest(f"{api.url} {settings.work_pool}")
    stamped = stamp.read_text(encoding="utf-8") if stamp.exists() else ""
    if stamped != digest or not api.deployments(settings.work_pool):
        _run_deploy(settings)
        stamp.write_text(digest, encoding="utf-8")


def _code_digest(place: str) -> str:
    hashed = hashlib.sha256(f"{place} {ROOT}".encode())
    for path in sorted(
        [ROOT / "prefect.yaml", *ROOT.glob("flows/*.py"), *ROOT.glob("tasks/**/*.py")]
    ):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def _run_deploy(settings: Settings) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    try:
        done = subprocess.run(
            command,
            env=_environment(settings),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEPLOY_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"deploying took more than {DEPLOY_TIMEOUT_S:.0f} s", item="prefect deploy"
        ) from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-LOG_TAIL_LINES:])
        raise UnavailableError(
            f"deploying failed:\n{tail}",
            item=str(ROOT / "prefect.yaml"),
            way_out="Mend what the message names, then run `suyuan up` again",
        )


def _remove_dead(settings: Settings) -> None:
    """Forget services that died, and end what they left behind."""
    services = read_services(settings.root)
    _stop(settings, *(name for name, service in services.items() if not service.alive))


def _stop(settings: Settings, *names: str) -> None:
    services = read_services(settings.root)
    leaders = [(s.pid, s.started) for name, s in services.items() if name in names]
    if leaders:
        processes.stop_groups(leaders, _mark(settings))
        kept = {name: service for name, service in services.items() if name not in names}
        write_services(settings.root, kept)


def _look(settings: Settings, name: str, service: Service | None) -> ServiceStatus:
    if service is None:
        external = name not in _wanted(settings)
        return ServiceStatus(name=name, state="external" if external else "stopped")
    state = "dead"
    if service.alive:
        state = "running" if _answers(settings, service) else "silent"
    return ServiceStatus(name=name, state=state, pid=service.pid, url=service.url, log=service.log)


def _deployments(api: str, pool: str) -> list[Deployment]:
    try:
        return PrefectApi(api, PROBE_TIMEOUT_S).deployments(pool) if api else []
    except UnavailableError:
        return []


@contextmanager
def _lock(settings: Settings) -> Generator[None]:
    """Let one `up` or `down` at a time work on the stack of a home."""
    with (settings.root / "stack.lock").open("w") as lock:
        _poll(lambda: _try_lock(lock.fileno()), settings)
        yield


def _poll(locked: Callable[[], bool], settings: Settings) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while not locked():
        if time.monotonic() > deadline:
            raise ConflictError(
                f"another `suyuan up` or `down` has been at work for {LOCK_TIMEOUT_S:.0f} s",
                item=str(settings.root),
                way_out="Wait for it, or end it",
            )
        time.sleep(POLL_S)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port(preferred: int) -> int:
    """Give the preferred port if nobody uses it, so that addresses survive a restart."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return "\n".join(lines[-LOG_TAIL_LINES:])


def _mark(settings: Settings) -> str:
    return str(settings.root)


def _check_project() -> None:
    if not (ROOT / "prefect.yaml").is_file():
        raise MissingError(
            "there is no prefect.yaml, so there is nothing to deploy",
            item=str(ROOT),
            way_out="Install the project from its checkout with `pip install -e .`",
        )
