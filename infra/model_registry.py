"""Models in MLflow's registry: one version for each set of weights and training snapshot."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.mlflow_log import MlflowLog
from infra.settings import Settings
from infra.tracking import Tracked
from storage.errors import UnavailableError

LOGGER = logging.getLogger("suyuan")
_SHORT = 12


@dataclass(frozen=True, kw_only=True)
class Published:
    """The version of a model, and why the registry does not have it; "" when it does."""

    version: str
    warning: str


def publish_model(
    run: Tracked, settings: Settings, name: str, files: Sequence[Path], identity: Mapping[str, str]
) -> Published:
    """Keep the files as artifacts of the run and give the model's version in the registry.

    `identity` has `sha256` and whatever else makes a new version. MLflow that does not answer
    costs the registration, not the run: the version is then `sha-<first digits of sha256>`.
    """
    for path in files:
        run.file(path)
    run.flush()
    warning = run.warning
    if not warning:
        registry = ModelRegistry(settings.mlflow, settings.root / "mlflow-artifacts")
        try:
            version = registry.register(name, identity, run.mlflow_run_id)
            return Published(version=version, warning="")
        except UnavailableError as error:
            warning = str(error)
    LOGGER.warning("model %s is not registered: %s", name, warning)
    return Published(version=f"sha-{identity['sha256'][:_SHORT]}", warning=warning)


class ModelRegistry(MlflowLog):
    """The registry of a tracking server or database; UnavailableError when it does not answer."""

    def register(self, name: str, identity: Mapping[str, str], mlflow_run_id: str) -> str:
        """Give the version with this identity; make one of the run's artifacts if there is none."""
        from mlflow.exceptions import MlflowException

        tags = {f"suyuan.{key}": value for key, value in identity.items()}
        same = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        with self._guard() as client:
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            if found := client.search_model_versions(" AND ".join([f"name = '{name}'", *same])):
                return str(found[0].version)
            source = client.get_run(mlflow_run_id).info.artifact_uri
            made = client.create_model_version(name, source, run_id=mlflow_run_id, tags=tags)
        return str(made.version)
