"""The command `suyuan`: thin commands that run the flows and print their reports.

stdout is data, stderr is progress. Exit codes: 0 ok, 1 failed, 2 usage, 3 missing precondition,
4 gate refused, 5 conflict.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="suyuan",
    help="Run an LLM application as Prefect flows, and know where everything came from. 溯源",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
eval_app = typer.Typer(help="Measure on labelled sets.", no_args_is_help=True)
app.add_typer(eval_app, name="eval")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Deploy = Annotated[bool, typer.Option("--deploy", help="Run as the Prefect deployment, and wait.")]


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
    _need(bool(locations) or python_env, "name a folder, file or URL, or give --python-env")
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
    _run("ingest", params, deploy=deploy, as_json=as_json)


@app.command(epilog="Example: suyuan features --json")
def features(deploy: Deploy = False, as_json: Json = False) -> None:
    """Chunk, count and embed what is new."""
    _run("features", {}, deploy=deploy, as_json=as_json)


@app.command(epilog="Example: suyuan index")
def index(
    rollback: Annotated[str, typer.Option(help="Publish this earlier digest again.")] = "",
    deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """Build and publish the search index."""
    if rollback:
        _print({"index": _home().index_store.rollback(rollback)}, as_json=as_json)
        return
    _run("index", {}, deploy=deploy, as_json=as_json)


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
    _need(bool(question) != bool(batch), "give either a question or --batch FILE")
    shared = {"generator": generator, "k": k}
    if batch is None:
        _run("answer", {"question": question, **shared}, deploy=deploy, as_json=as_json)
        return
    for row in _batch_rows(batch):
        report = _call("answer", {"question": str(row["text"]), **shared}, deploy=deploy)
        _write(json.dumps({"id": row["id"], **_plain(report)}, ensure_ascii=False))


@app.command(epilog="Example: suyuan why 01J...")
def why(
    answer: Annotated[str, typer.Argument(help="Id of an answer, as `suyuan ask` printed it.")],
    as_json: Json = False,
) -> None:
    """Print the chain from an answer to its sources."""
    from dataclasses import asdict

    from tasks.provenance.why import explain, render

    explanation = explain(answer.removeprefix("answer:"), _home())
    if as_json:
        _write(json.dumps(asdict(explanation), ensure_ascii=False, default=str))
    else:
        _write(render(explanation, lang=_lang()))


@app.command(epilog="Example: suyuan verify --all")
def verify(
    answer: Annotated[str, typer.Argument(help="Id of an answer; omit it with --all.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Check every stored byte.")] = False,
    as_json: Json = False,
) -> None:
    """Prove citations, or everything stored, from the original bytes."""
    from dataclasses import asdict

    from tasks.provenance.verify import verify_all, verify_answer

    _need(bool(answer) != everything, "give either an answer id or --all")
    store = _home()
    report = (
        verify_all(store) if everything else verify_answer(answer.removeprefix("answer:"), store)
    )
    _print(asdict(report), as_json=as_json)
    if report.problems:
        raise SystemExit(1)


@app.command(epilog="Example: suyuan lifecycle --deploy")
def lifecycle(deploy: Deploy = False, as_json: Json = False) -> None:
    """Compute features, build the index and evaluate it."""
    _run("lifecycle", {}, deploy=deploy, as_json=as_json)


@app.command(epilog="Example: suyuan demo --once")
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop the local servers at the end.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the main job on the Python packages installed here."""
    from flows.demo import run_demo

    _print(run_demo(_settings(), lang=_lang(), once=once), as_json=as_json, quiet=True)


@app.command(epilog="Example: suyuan up --schedules")
def up(
    schedules: Annotated[
        bool, typer.Option("--schedules", help="Switch the schedules on.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start Prefect, MLflow and a worker on this machine, and deploy all flows."""
    from infra import stack

    _print(stack.up(_settings(), schedules=schedules).model_dump(mode="json"), as_json=as_json)


@app.command(epilog="Example: suyuan down")
def down(as_json: Json = False) -> None:
    """Stop exactly what `suyuan up` started."""
    from infra import stack

    _print(stack.down(_settings()).model_dump(mode="json"), as_json=as_json)


@app.command(epilog="Example: suyuan status --json")
def status(as_json: Json = False) -> None:
    """Tell what runs, and what is stored."""
    from infra import stack

    _print(stack.status(_settings()).model_dump(mode="json"), as_json=as_json)


@app.command(epilog="Example: suyuan doctor")
def doctor(as_json: Json = False) -> None:
    """Find what is wrong with this installation, and name the mend."""
    from dataclasses import asdict

    from infra.doctor import diagnose

    findings = [asdict(finding) for finding in diagnose(_settings())]
    if as_json:
        _write(json.dumps(findings, ensure_ascii=False))
    else:
        for finding in findings:
            mark = "ok  " if finding["ok"] else "FAIL"
            mend = "" if finding["ok"] else f"\n       -> {finding['next_step']}"
            _write(f"{mark} {finding['code']}  {finding['what']}{mend}")
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
    _run("evaluate", params, deploy=False, as_json=as_json)


@eval_app.command("licences", epilog="Example: suyuan eval licences --set docs.jsonl.gz")
def eval_licences(
    path: Annotated[Path, typer.Option("--set", help="JSON Lines of {id, text, license}.")],
    no_track: Annotated[bool, typer.Option("--no-track", help="Log nothing to MLflow.")] = False,
    as_json: Json = False,
) -> None:
    """Measure licence detection from text."""
    from flows.evaluate import evaluate_licence_set

    _print(evaluate_licence_set(path, _settings(), track=not no_track), as_json=as_json)


@eval_app.command("sensitivity", epilog="Example: suyuan eval sensitivity --set s.jsonl.gz")
def eval_sensitivity(
    path: Annotated[Path, typer.Option("--set", help="JSON Lines of {full_text, spans}.")],
    no_track: Annotated[bool, typer.Option("--no-track", help="Log nothing to MLflow.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the detector of personal data."""
    from flows.evaluate import evaluate_sensitivity_set

    _print(evaluate_sensitivity_set(path, _settings(), track=not no_track), as_json=as_json)


def _settings() -> Any:
    import os

    from infra.settings import Settings

    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
    return Settings().apply()


def _home() -> Any:
    from infra.settings import home

    return home(_settings())


def _lang() -> str:
    from infra.messages import language

    return language(_settings())


def _call(noun: str, params: dict[str, object], *, deploy: bool) -> Any:
    from flows.launch import run_deployed, run_here

    return (run_deployed if deploy else run_here)(noun, params, _settings())


def _run(noun: str, params: dict[str, object], *, deploy: bool, as_json: bool) -> None:
    report = _call(noun, params, deploy=deploy)
    text = getattr(report, "text", None)
    if text is not None and not as_json:
        _write(text(_lang()))
    else:
        _print(_plain(report), as_json=as_json)


def _plain(report: Any) -> dict[str, Any]:
    return report if isinstance(report, dict) else report.model_dump(mode="json")


def _print(fields: dict[str, Any], *, as_json: bool, quiet: bool = False) -> None:
    if as_json:
        _write(json.dumps(fields, ensure_ascii=False, default=str))
    elif not quiet:
        for name, value in fields.items():
            shown = json.dumps(value, ensure_ascii=False, default=str)
            _write(f"{name:18} {value if isinstance(value, str) else shown}")


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise typer.BadParameter(message)


def _batch_rows(path: Path) -> list[dict[str, Any]]:
    from storage.errors import InputError

    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    bad = next((n for n, row in enumerate(rows, 1) if not {"id", "text"} <= row.keys()), 0)
    if bad:
        raise InputError("needs id and text", item=f"{path}:{bad}", way_out="Mend the line.")
    return rows
