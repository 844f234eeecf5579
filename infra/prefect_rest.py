"""The few calls to a Prefect API that the stack needs, without the seconds of importing Prefect."""

import time
from typing import Any

import httpx
from pydantic import BaseModel

from storage.errors import UnavailableError

TIMEOUT_S = 10.0
ATTEMPTS = 6
PAUSE_S = 0.5
MAX_ROWS = 200
"""The most that one page of the API holds."""


class Deployment(BaseModel):
    """A deployment on the server, with its schedules."""

    name: str
    """Flow and deployment name, such as "ingest/default"."""
    schedules: list[str] = []
    active: bool = False
    """Whether one of the schedules is switched on."""


class PrefectApi:
    """A Prefect API by URL; every failure is an UnavailableError that names it."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s

    def healthy(self) -> bool:
        """Say whether the server answers."""
        try:
            return self._call("GET", "/health") is True
        except UnavailableError:
            return False

    def has_pool(self, pool: str) -> bool:
        """Say whether the work pool exists."""
        try:
            return bool(self._call("GET", f"/work_pools/{pool}"))
        except UnavailableError:
            return False

    def deployments(self, pool: str) -> list[Deployment]:
        """List the deployments of a work pool by name."""
        flows = {flow["id"]: flow["name"] for flow in self._page("/flows/filter", {})}
        found = [_deployment(flows, row) for row in self._in_pool(pool)]
        return sorted(found, key=lambda deployment: deployment.name)

    def set_schedules(self, pool: str, *, active: bool) -> None:
        """Switch every schedule of every deployment of a work pool on or off."""
        for row in self._in_pool(pool):
            for schedule in row["schedules"]:
                if schedule["active"] != active:
                    path = f"/deployments/{row['id']}/schedules/{schedule['id']}"
                    self._call("PATCH", path, {"active": active})

    def _in_pool(self, pool: str) -> list[dict[str, Any]]:
        return self._page("/deployments/filter", {"work_pools": {"name": {"any_": [pool]}}})

    def _page(self, path: str, body: dict[str, object]) -> list[dict[str, Any]]:
        return list(self._call("POST", path, {**body, "limit": MAX_ROWS}))

    def _call(self, method: str, path: str, body: object = None) -> Any:
        try:
            for attempt in range(ATTEMPTS):
                answer = httpx.request(
                    method, f"{self.url}{path}", json=body, timeout=self._timeout_s, trust_env=False
                )
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break  # 503 means that SQLite is locked for the moment
                time.sleep(PAUSE_S * attempt)
            answer.raise_for_status()
            return answer.json() if answer.content else None
        except (httpx.HTTPError, ValueError) as error:
            raise UnavailableError(
                f"the Prefect API did not answer {method} {path}: {error}",
                item=self.url,
                way_out="Start it with `suyuan up`, or look into its log with `suyuan status`",
            ) from error


def _deployment(flows: dict[str, str], row: dict[str, Any]) -> Deployment:
    return Deployment(
        name=f"{flows.get(row['flow_id'], '?')}/{row['name']}",
        schedules=[_when(entry["schedule"]) for entry in row["schedules"]],
        active=any(entry["active"] for entry in row["schedules"]),
    )


def _when(schedule: dict[str, Any]) -> str:
    if "cron" in schedule:
        return f"cron {schedule['cron']}"
    return f"every {schedule['interval']} s" if "interval" in schedule else str(schedule)
