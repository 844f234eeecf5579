"""The command `suyuan`: thin commands that run the flows and print their reports.

stdout is data, stderr is progress. Exit codes: 0 ok, 1 failed, 2 usage, 3 missing precondition,
4 gate refused, 5 conflict.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows import cli_provenance
from flows.cli_terminal import (
    Deploy,
    Json,
    answer_batch,
    as_fields,
    call_flow,
    chosen_language,
    load_home,
    load_settings,
    print_fields,
    print_line,
    require,
    run_flow,
)
from infra.messages import language, say
from storage.errors import MissingError

app = typer.Typer(
    name="suyuan",
    help="Run an LLM application as Prefect flows, and know where everything came from. 溯源",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
eval_app = typer.Typer(help="Measure on labelled sets.", no_args_is_help=True)
app.add_typer(eval_app, name="eval")
cli_provenance.register(app)


def main() -> None:
    """Run the command line; deliberate errors end with one line and their exit code."""
    from storage.errors import SuyuanError

    try:
        app()
    except SuyuanError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None


@app.command(epilog="Example: suyuan ingest docs/ --licence CC-BY-4.0")
def ingest(
    locations: Annotated[
        list[str] | None, typer.Argument(help="Folders, globs, files, URLs.")
    ] = None,
    name: Annotated[str, typer.Option("--name", "--source", help="Name of the source.")] = "",
    python_env: Annotated[
        bool, typer.Option("--python-env", help="Installed distributions.")
    ] = False,
    distribution: Annotated[list[str] | None, typer.Option(help="Only this distribution.")] = None,
    docstring_depth: Annotated[int, typer.Option(help="Module depth of docstrings; 0 none.")] = 1,
    licence: Annotated[str, typer.Option(help="Licence of the whole source.")] = "",
    trust: Annotated[float, typer.Option(min=0, max=1, help="How far it is trusted.")] = 0.5,
    text_field: Annotated[str, typer.Option(help="Column of the text in tables.")] = "",
    deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """Read sources into documents."""
    require(bool(locations) or python_env, "name a folder, file or URL, or give --python-env")
    params = {
        "name": name,
        "locations": locations or [],
        "python_env": python_env,
        "distributions": distribution or [],
        "docstring_depth": docstring_depth,
        "licence": licence,
        "trust": trust,
        "text_field": text_field,
    }
    run_flow("ingest", params, deploy=deploy, as_json=as_json)


@app.command(epilog="Example: suyuan features --json")
def features(deploy: Deploy = False, as_json: Json = False) -> None:
    """Chunk, count and embed what is new."""
    run_flow("features", {}, deploy=deploy, as_json=as_json)


@app.command(epilog="Example: suyuan index")
def index(
    rollback: Annotated[str, typer.Option(help="Publish this earlier digest again.")] = "",
    deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """Build and publish the search index."""
    if rollback:
        print_fields({"index": load_home().index_store.rollback(rollback)}, as_json=as_json)
        return
    run_flow("index", {}, deploy=deploy, as_json=as_json)


@app.command(epilog='Example: suyuan ask "What is a work pool?"')
def ask(
    question: Annotated[str, typer.Argument(help="The question, in English or Chinese.")] = "",
    generator: Annotated[
        str, typer.Option(help="extractive, smollm2, or the URL of an OpenAI-compatible server.")
    ] = "extractive",
    k: Annotated[int, typer.Option(min=1, max=100, help="Passages to retrieve.")] = 10,
    batch: Annotated[Path | None, typer.Option(help="JSON Lines of {id, text}.")] = None,
    deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """Answer from the indexed documents, with citations."""
    require(bool(question) != bool(batch), "give either a question or --batch FILE")
    shared = {"generator": generator, "k": k}
    if batch is None:
        run_flow("answer", {"question": question, **shared}, deploy=deploy, as_json=as_json)
        return

    def answered(text: str) -> dict[str, object]:
        return as_fields(call_flow("answer", {"question": text, **shared}, deploy=deploy))

    answer_batch(batch, answered)


@app.command(epilog="Example: suyuan lifecycle --deploy")
def lifecycle(deploy: Deploy = False, as_json: Json = False) -> None:
    """Compute features, build the index and evaluate it."""
    run_flow("lifecycle", {}, deploy=deploy, as_json=as_json)


@app.command(epilog="Example: suyuan demo --once")
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop the local servers at the end.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the main job on the Python packages installed here."""
    from flows.demo import run_demo

    print_fields(
        run_demo(load_settings(), lang=chosen_language(), once=once), as_json=as_json, quiet=True
    )


@app.command(epilog="Example: suyuan up --schedules")
def up(
    schedules: Annotated[
        bool, typer.Option("--schedules", help="Switch the schedules on.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start Prefect, MLflow and a worker on this machine, and deploy all flows."""
    from infra import stack

    settings = load_settings()
    print_fields(stack.up(settings, schedules=schedules).model_dump(mode="json"), as_json=as_json)
    if not as_json:
        print_line(f'eval "$(suyuan env)"   # {say("stack.shell", language(settings))}')


@app.command(epilog="Example: suyuan down")
def down(as_json: Json = False) -> None:
    """Stop exactly what `suyuan up` started."""
    from infra import stack

    print_fields(stack.down(load_settings()).model_dump(mode="json"), as_json=as_json)


@app.command(epilog="Example: suyuan status --json")
def status(as_json: Json = False) -> None:
    """Tell what runs, and what is stored."""
    from infra import stack

    print_fields(stack.status(load_settings()).model_dump(mode="json"), as_json=as_json)


@app.command(epilog="""Example: eval "$(suyuan env)" && prefect deployment ls""")
def env(as_json: Json = False) -> None:
    """Print the variables by which `prefect` and `mlflow` in this shell find the servers."""
    import shlex

    settings = load_settings()
    if not settings.prefect_api:
        raise MissingError(
            "no Prefect server runs", item=str(settings.root), way_out="Start it: `suyuan up`"
        )
    variables = {**settings.environment(), "MLFLOW_TRACKING_URI": settings.mlflow}
    if as_json:
        print_fields(variables, as_json=True)
        return
    for name, value in variables.items():
        print_line(f"export {name}={shlex.quote(value)}")


@app.command(epilog="Example: suyuan doctor")
def doctor(as_json: Json = False) -> None:
    """Find what is wrong with this installation, and name the mend."""
    from dataclasses import asdict

    from infra.doctor import diagnose

    findings = [asdict(finding) for finding in diagnose(load_settings())]
    if as_json:
        print_line(json.dumps(findings, ensure_ascii=False))
    else:
        for finding in findings:
            mark = "ok  " if finding["ok"] else "FAIL"
            mend = "" if finding["ok"] else f"\n       -> {finding['next_step']}"
            print_line(f"{mark} {finding['code']}  {finding['what']}{mend}")
    if not all(finding["ok"] for finding in findings):
        raise SystemExit(3)


@eval_app.command("retrieval", epilog="Example: suyuan eval retrieval --set squad.json.gz")
def eval_retrieval(
    path: Annotated[str, typer.Option("--set", help="BEIR folder or SQuAD-style JSON.")],
    queries: Annotated[str, typer.Option(help="Second SQuAD-style file with the questions.")] = "",
    retriever: Annotated[str, typer.Option(help="bm25, dense, hybrid or all.")] = "all",
    embedder: Annotated[str, typer.Option(help="e5 or minilm; empty is the setting's.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Questions to use; 0 is all.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure nDCG@10, recall, MRR."""
    modes = ["bm25", "dense", "hybrid"] if retriever == "all" else [retriever]
    params = {"set": path, "queries": queries, "modes": modes, "embedder": embedder, "limit": limit}
    run_flow("evaluate", params, deploy=False, as_json=as_json)


@eval_app.command("licences", epilog="Example: suyuan eval licences --set docs.jsonl.gz")
def eval_licences(
    path: Annotated[Path, typer.Option("--set", help="JSON Lines of {id, text, license}.")],
    no_track: Annotated[bool, typer.Option("--no-track", help="Log nothing to MLflow.")] = False,
    as_json: Json = False,
) -> None:
    """Measure licence detection from text."""
    from flows.evaluate import evaluate_licence_set

    print_fields(evaluate_licence_set(path, load_settings(), track=not no_track), as_json=as_json)


@eval_app.command("sensitivity", epilog="Example: suyuan eval sensitivity --set s.jsonl.gz")
def eval_sensitivity(
    path: Annotated[Path, typer.Option("--set", help="JSON Lines of {full_text, spans}.")],
    no_track: Annotated[bool, typer.Option("--no-track", help="Log nothing to MLflow.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the detector of personal data."""
    from flows.evaluate import evaluate_sensitivity_set

    print_fields(
        evaluate_sensitivity_set(path, load_settings(), track=not no_track), as_json=as_json
    )
