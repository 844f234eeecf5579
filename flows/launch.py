"""Start a flow by its noun: in this process, or as its deployment."""

import logging
import re
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from infra.settings import Settings
from storage.errors import InputError, SuyuanError, UnavailableError

DEPLOYED_SECONDS_MAX = 24 * 3600
_FAILED_WITH = re.compile(r"exception: [\w.]+: \[(SY\d{3})\]")
"""How Prefect words the failure of a flow, with the code that our errors begin with."""


def run_here(noun: str, fields: dict[str, object], settings: Settings) -> Any:
    """Run the flow in this process and return its report."""
    settings.apply()
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    module = import_module(f"flows.{noun}")
    params = _checked(getattr(module, f"{noun.capitalize()}Params"), noun, fields)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_unexpected)
    # the heartbeat thread sleeps in whole seconds and is joined at the end: one second a run
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return getattr(module, noun)(params)


def run_deployed(noun: str, fields: dict[str, object], settings: Settings) -> Any:
    """Run the deployment `<noun>/default` and wait; its failure keeps the kind of its error."""
    from infra.stack import prefect_api

    if not prefect_api(settings):
        raise UnavailableError(
            "no Prefect server is known", item=f"{noun}/default", way_out="Run `suyuan up` first."
        )
    from prefect.client.schemas.objects import FlowRun
    from prefect.deployments import run_deployment

    done = run_deployment(
        f"{noun}/default", parameters={"params": fields}, timeout=DEPLOYED_SECONDS_MAX
    )
    if not isinstance(done, FlowRun):
        raise TypeError("run_here and run_deployed are called outside an event loop")
    state = done.state
    if state is None or not state.is_completed():
        raise _kind_of((state.message or "") if state else "")(
            f"the flow run ended as {f'{state.name}: {state.message}' if state else 'unknown'}",
            item=f"{noun}/default",
            way_out=f"Read its log: prefect flow-run logs {done.id}",
        )
    return {"flow_run": str(done.id), "state": state.name}


def _kind_of(message: str) -> type[SuyuanError]:
    """Give the kind of error that the message of a failed run names; SuyuanError when none."""
    found = _FAILED_WITH.search(message)
    kinds = [SuyuanError]
    for kind in kinds:  # grows while it is read: kinds have kinds below them
        kinds += kind.__subclasses__()
    return next((kind for kind in kinds if found and kind.code == found[1]), SuyuanError)


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Keep the traces of deliberate errors off the terminal, which gets them in one line.

    The Prefect server still gets the whole trace: its handler is another one.
    """
    if record.exc_info:
        return not isinstance(record.exc_info[1], SuyuanError)
    said = record.getMessage()
    return not (said.startswith("Finished in state Failed") and ": [SY" in said)


def _checked(model: Any, noun: str, fields: dict[str, object]) -> Any:
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            str(first["msg"]).removeprefix("Value error, "),
            item=f"{noun} parameter {place}",
            way_out=f"See suyuan {noun} --help.",
        ) from error
