"""Which servers the local stack runs: `<home>/stack.json`, written by `suyuan up`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.processes import is_alive

FILE = "stack.json"


@dataclass(frozen=True, kw_only=True)
class Service:
    """One process of the stack, as `suyuan up` started it."""

    name: str
    pid: int
    started: float
    """Creation time of the process: a reused process id is not taken for it."""
    port: int
    """TCP port on loopback; the worker only tells its health there."""
    log: str
    version: str = ""
    """Version of the library that it runs."""

    @property
    def alive(self) -> bool:
        """Say whether the very process is still there."""
        return is_alive(self.pid, self.started)

    @property
    def url(self) -> str:
        """Address of the service."""
        return f"http://127.0.0.1:{self.port}"


def read_services(root: Path) -> dict[str, Service]:
    """Give what the last `suyuan up` started, by name; dead ones too."""
    try:
        entries = json.loads((root / FILE).read_text(encoding="utf-8"))
        return {entry["name"]: Service(**entry) for entry in entries}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def write_services(root: Path, services: dict[str, Service]) -> None:
    """Replace the file atomically; without services there is no file."""
    path = root / FILE
    if not services:
        path.unlink(missing_ok=True)
        return
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps([asdict(s) for s in services.values()], indent=1) + "\n")
    temporary.replace(path)


def running_url(root: Path, name: str) -> str:
    """Give the address of a server of the stack; "" when it does not run."""
    service = read_services(root).get(name)
    return service.url if service and service.alive else ""
