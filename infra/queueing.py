"""Queue a flow on the Prefect server without waiting for it."""

from collections.abc import Mapping, Sequence

from infra.settings import Settings
from storage.errors import UnavailableError


def queue_deployment(settings: Settings, deployment: str, parameters: Mapping[str, object]) -> str:
    """Create a run of a deployment, such as "train/default", and give its id."""
    if not settings.prefect_api:
        raise UnavailableError(
            "no Prefect server is known", item=deployment, way_out="Run `suyuan up` first"
        )
    from prefect.deployments import run_deployment

    run = run_deployment(deployment, parameters={"params": dict(parameters)}, timeout=0)
    return str(getattr(run, "id", ""))


class Retraining:
    """Queues the training of models anew by a deployment."""

    def __init__(self, settings: Settings, deployment: str) -> None:
        self._settings, self._deployment = settings, deployment

    def __call__(self, models: Sequence[str]) -> str:
        """Queue one run that is told the models; say what was queued."""
        run = queue_deployment(self._settings, self._deployment, {"models": list(models)})
        return f"{self._deployment}: flow run {run}"
