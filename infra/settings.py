"""What differs by machine: one frozen settings object, read from SUYUAN_* variables."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.services import running_url
from storage.home import Home

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Nothing leaves the machine at run time."""


class Settings(BaseSettings):
    """Where state lives and which engines run the work. Environment: SUYUAN_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="SUYUAN_", frozen=True, extra="ignore")

    home: Path = Field(
        Path(".suyuan"), description="Folder of all state; delete it and you are new."
    )
    storage_url: str = Field(
        "", description="fsspec URL of blobs and tables; empty means below home."
    )
    ledger_url: str = Field("", description="SQLAlchemy URL; empty means SQLite below home.")
    mlflow_uri: str = Field("", description="MLflow tracking URI; empty means SQLite below home.")
    prefect_api_url: str = Field(
        "", description="Prefect API; empty means the local stack if it is up."
    )
    work_pool: str = Field("suyuan", description="Prefect work pool (type process).")
    dask_address: str = Field("", description="Dask scheduler; empty means a cluster of our own.")
    workers: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1, le=256)
    memory_limit: str = Field("2GiB", description="Memory of one own Dask worker.")
    embedder: Literal["e5", "minilm"] = Field("e5", description="Sentence encoder.")
    lang: Literal["", "en", "zh"] = Field(
        "", description="Language of messages; empty means locale."
    )
    policy: Path | None = Field(
        None, description="Licence policy (TOML); empty means the packaged one."
    )
    data: Path = Field(
        Path("../shared/data"), description="Labelled sets for benchmarks and tests."
    )

    @property
    def root(self) -> Path:
        """Absolute home folder, created on first use with access for its owner only."""
        root = self.home.expanduser().resolve()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return root

    @property
    def blobs_url(self) -> str:
        """URL of the content-addressed store."""
        return f"{self._storage()}/blobs"

    @property
    def tables_url(self) -> str:
        """URL of the folder of Delta tables."""
        return f"{self._storage()}/tables"

    @property
    def ledger(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.ledger_url or f"sqlite:///{self.root / 'ledger.db'}"

    @property
    def mlflow(self) -> str:
        """MLflow tracking URI: the one that is set, else the local stack's server, else SQLite."""
        return self.mlflow_uri or running_url(self.root, "mlflow") or self.mlflow_database

    @property
    def mlflow_database(self) -> str:
        """URL of MLflow's SQLite file below home."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def prefect_api(self) -> str:
        """Prefect API: the one that is set, else the local stack's; "" means an ephemeral one."""
        url = self.prefect_api_url or running_url(self.root, "prefect")
        return f"{url.removesuffix('/api')}/api" if url else ""

    @property
    def indexes(self) -> Path:
        """Folder of published indexes."""
        return self.root / "indexes"

    @property
    def models(self) -> Path:
        """Folder of models converted from packaged weights."""
        return self.root / "models"

    def environment(self) -> dict[str, str]:
        """Variables for child processes: off switches, homes and the local stack's Prefect API."""
        return {
            **QUIET,
            **({"PREFECT_API_URL": self.prefect_api} if self.prefect_api else {}),
            "SUYUAN_HOME": str(self.root),
            "PREFECT_HOME": str(self.root / "prefect"),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        }

    def apply(self) -> "Settings":
        """Set the off switches in this process; call before Prefect or MLflow is imported."""
        for name, value in self.environment().items():
            os.environ.setdefault(name, value)
        return self

    def _storage(self) -> str:
        return self.storage_url.rstrip("/") or str(self.root)


def home(settings: Settings) -> Home:
    """Give the stores that these settings name."""
    return Home(
        blobs_url=settings.blobs_url,
        tables_url=settings.tables_url,
        ledger_url=settings.ledger,
        indexes=settings.indexes,
        root=settings.root,
    )
