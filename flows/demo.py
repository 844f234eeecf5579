"""Show the main job on real documents that every installation has: its own Python packages."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from infra.messages import say
from infra.settings import Settings
from storage.errors import SuyuanError

DISTRIBUTIONS = (
    "bm25s", "dask", "deltalake", "distributed", "faiss-cpu", "fsspec", "great-expectations",
    "license-expression", "mlflow", "openvino", "polars", "prefect", "pyarrow", "pydantic",
    "pypdf", "rich", "sqlalchemy", "torch", "transformers", "typer",
)  # fmt: skip
"""Direct dependencies whose read-me files, licences and docstrings make the demo's corpus."""

QUESTION = "What does a Prefect work pool do?"


class Stages:
    """Times the stages of the demo and says on stderr which one runs."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Announce and time one stage."""
        sys.stderr.write(f"==> {say(f'demo.stage.{name}', self.lang)}\n")
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started

    def table(self) -> str:
        """Render the times as lines of text."""
        rows = [*self.seconds.items(), ("total", sum(self.seconds.values()))]
        unit = say("seconds", self.lang)
        return "\n".join(f"  {name:10} {value:7.1f} {unit}" for name, value in rows)


def run_demo(settings: Settings, *, lang: str, once: bool) -> dict[str, Any]:
    """Run every stage against a local Prefect and MLflow; print the answer, its proof and the times."""
    from infra import stack

    stages = Stages(lang)
    try:
        return _run(settings, stages, sys.stdout.write)
    finally:
        if once:
            stack.down(settings)


def _run(settings: Settings, stages: Stages, write: Callable[[str], object]) -> dict[str, Any]:
    from infra import stack

    lang = stages.lang
    with stages.stage("stack"):
        servers = stack.up(settings)
        settings.apply()

    from flows.launch import run_here
    from infra.settings import home
    from tasks.provenance.verify import verify_answer
    from tasks.provenance.why import explain, render

    with stages.stage("ingest"):
        scope = {"python_env": True, "distributions": list(DISTRIBUTIONS), "name": "python-env"}
        ingested = run_here("ingest", {**scope, "docstring_depth": 1, "trust": 0.8}, settings)
    with stages.stage("features"):
        featured = run_here("features", {}, settings)
    with stages.stage("index"):
        indexed = run_here("index", {}, settings)
    with stages.stage("answer"):
        answered = run_here("answer", {"question": QUESTION}, settings)
    with stages.stage("verify"):
        proof = verify_answer(answered.answer_id, home(settings))
    if proof.problems or not proof.citations_ok:
        raise SuyuanError(
            "the citations of the demo's answer do not verify", item=answered.answer_id
        )

    write(f"\n{answered.text(lang)}\n\n")
    write(f"{say('demo.verified', lang, n=proof.citations_ok)}\n\n")
    write(f"{render(explain(answered.answer_id, home(settings)), lang=lang)}\n\n")
    write(f"{say('demo.timing', lang)}\n{stages.table()}\n\n")
    write(f"{say('demo.further', lang)}\n{_further(servers, answered.answer_id, lang)}\n")
    reports = {"ingest": ingested, "features": featured, "index": indexed, "answer": answered}
    return {
        "seconds": stages.seconds,
        "citations_verified": proof.citations_ok,
        **{name: report.model_dump(mode="json") for name, report in reports.items()},
    }


def _further(servers: Any, answer_id: str, lang: str) -> str:
    lines = [
        (".venv/bin/suyuan ask '...'", "demo.more.ask"),
        (f".venv/bin/suyuan why {answer_id}", "demo.more.why"),
        (".venv/bin/suyuan verify --all", "demo.more.verify"),
        (".venv/bin/suyuan down", "demo.more.down"),
    ]
    urls = f"  Prefect  {servers.prefect_ui}\n  MLflow   {servers.mlflow_ui}\n"
    return urls + "\n".join(f"  {command:54} {say(key, lang)}" for command, key in lines)
