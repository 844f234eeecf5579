"""The commands of provenance: trace, why, impact, revoke, verify, audit, export, trust, feedback."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli_terminal import (
    Deploy,
    Json,
    answer_batch,
    chosen_language,
    load_home,
    print_fields,
    print_line,
    read_bytes,
    require,
    run_flow,
)
from storage.errors import InputError

if TYPE_CHECKING:
    from storage.home import Home

Batch = Annotated[Path | None, typer.Option(help="JSON Lines of {id, text}.")]
Told = tuple[dict[str, Any], Callable[[str], str]]
"""What is told about a node: its fields, and its text in a language."""
Node = Annotated[str, typer.Argument(help="source:NAME, doc:SHA, licence:EXPR, model:NAME@V, …")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command, example in (
        (trace, 'suyuan trace "some text" --json'),
        (why, "suyuan why 01J..."),
        (impact, "suyuan impact source:docs"),
        (revoke, 'suyuan revoke source:docs --plan --reason "takedown"'),
        (verify, "suyuan verify --all"),
        (audit, "suyuan audit --answers --out report.html"),
        (export, "suyuan export prov answer:01J... --out prov.json"),
        (trust, 'suyuan trust docs --set 0.9 --why "reviewed by the team"'),
        (feedback, 'suyuan feedback 01J... --accept --why "checked"'),
        (influence, "suyuan influence --subsets 30"),
        (rotate_key, "suyuan rotate-key"),
    ):
        app.command(epilog=f"Example: {example}")(command)


def trace(
    text: Annotated[str, typer.Argument(help="The text to look for.")] = "",
    file: Annotated[Path | None, typer.Option(help="Read the text from this file.")] = None,
    batch: Batch = None,
    min_units: Annotated[
        int, typer.Option(min=1, max=1000, help="Shortest span: words, or characters of CJK.")
    ] = 8,
    max_documents: Annotated[int, typer.Option(min=1, max=1000, help="Documents a span.")] = 10,
    as_json: Json = False,
) -> None:
    """Find every passage of a text that stands in the documents, with its sources."""
    from tasks.provenance.tracing.trace import TraceOptions, Tracer, render

    given = sum([bool(text), file is not None, batch is not None])
    require(given == 1, "give one of TEXT, --file and --batch")
    tracer = Tracer(load_home())
    options = TraceOptions(min_units=min_units, max_documents=max_documents)
    if batch is not None:
        answer_batch(batch, lambda line: tracer.trace(line, options).as_dict())
        return
    data = read_bytes(file) if file is not None else text.encode()
    found = tracer.trace(data, options)
    _show(found.as_dict(), lambda: render(found, data, chosen_language()), as_json=as_json)


def why(
    node: Annotated[str, typer.Argument(help="Id of an answer, or model:NAME@VERSION.")] = "",
    batch: Batch = None,
    as_json: Json = False,
) -> None:
    """Print the chain from an answer or a model to its sources."""
    _tell(_why, node, batch, as_json=as_json)


def _why(home: "Home", node: str) -> Told:
    kind, colon, _ = node.partition(":")
    if colon and kind not in {"answer", "model"}:
        way_out = f"`suyuan impact {node}` leads the other way"
        raise InputError(f"no chain back starts at {kind}:", item=node, way_out=way_out)
    if kind == "model":
        from tasks.provenance.lineage.model_view import render_model
        from tasks.provenance.lineage.model_why import explain_model

        model = explain_model(home, node)
        return asdict(model), lambda lang: render_model(model, lang)
    from tasks.provenance.lineage.why import explain, render

    answer = explain(node.removeprefix("answer:"), home)
    return asdict(answer), lambda lang: render(answer, lang=lang)


def impact(node: Node = "", batch: Batch = None, as_json: Json = False) -> None:
    """Print what a source, document or licence has touched: certain and possible apart."""
    _tell(_impact, node, batch, as_json=as_json)


def _impact(home: "Home", node: str) -> Told:
    from tasks.provenance.lineage.impact import impact as find_impact
    from tasks.provenance.lineage.impact_view import render
    from tasks.provenance.revocation.standing import render_standing, revocations_of

    found, revoked = find_impact(home, node), revocations_of(home, node)
    fields = asdict(found) | {"revocations": [asdict(one) for one in revoked]}

    def text(lang: str) -> str:
        return "\n".join(filter(None, [render(found, lang), render_standing(revoked, lang)]))

    return fields, text


def revoke(
    scope: Node,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be done.")] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Do it, and prove it.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")] = "",
    who: Annotated[str, typer.Option(help="Who asks for it.")] = "",
    retrain: Annotated[str, typer.Option(help="Deployment to queue for exposed models.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Although other runs go on.")] = False,
    deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """Take a source, a document or a licence out again, and prove that it is gone."""
    require(plan != execute, "give either --plan or --execute")
    if plan:
        from tasks.provenance.revocation.plan import plan_revocation, render_plan

        found = plan_revocation(load_home(), scope)
        _show(found.summary(), lambda: render_plan(found, chosen_language()), as_json=as_json)
        return
    require(bool(reason), "--execute needs --reason: the ledger keeps why")
    fields: dict[str, object] = {"scope": scope, "reason": reason, "who": who or _user()}
    fields |= {"retrain": retrain, "force": force}
    run_flow("revoke", fields, deploy=deploy, as_json=as_json)


def verify(
    target: Annotated[str, typer.Argument(help="Id of an answer, or a proof file.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Check every stored byte.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="A proof file, with nothing but it and --key.")
    ] = False,
    key: Annotated[str, typer.Option(help="Public key: base64, or a file of it.")] = "",
    as_json: Json = False,
) -> None:
    """Prove an answer, a proof file, or everything stored, from the original bytes."""
    require(bool(target) != everything, "give either an answer, a proof file, or --all")
    if offline:
        from tasks.provenance.proof.bundle import verify_file

        require(bool(target), "--offline needs a file")
        require(bool(key), "--offline needs --key: the public key, obtained separately")
        read_bytes(Path(target))  # an error that names it
        report: Any = verify_file(Path(target), key)
    else:
        from tasks.provenance.verification.verify import verify_all, verify_answer

        answer = _answer_id(target)
        home = load_home()
        report = verify_all(home) if everything else verify_answer(answer, home)
    print_fields(asdict(report), as_json=as_json)
    if report.problems:
        raise SystemExit(1)


def audit(
    model: Annotated[str, typer.Option(help="model:NAME@VERSION.")] = "",
    answers: Annotated[bool, typer.Option("--answers", help="All stored answers.")] = False,
    out: Annotated[Path, typer.Option(help="The page; JSON goes beside it.")] = Path("audit.html"),
    deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """Write the audit report: shares by licence, source, grade and sensitivity."""
    require(bool(model) != answers, "give either --model or --answers")
    fields: dict[str, object] = {"model": model, "out": str(out.resolve())}
    run_flow("audit", fields, deploy=deploy, as_json=as_json)


def export(
    kind: Annotated[
        str,
        typer.Argument(
            help="prov, openlineage, croissant, spdx; proof; head, key, consistency; certificate."
        ),
    ],
    node: Annotated[
        str, typer.Argument(help="answer:ID, model:…, snap:…; answer:ID#1 for a proof.")
    ] = "",
    since: Annotated[Path | None, typer.Option(help="consistency: the older head file.")] = None,
    url: Annotated[str, typer.Option(help="openlineage: send the events there as well.")] = "",
    out: Annotated[Path | None, typer.Option(help="File to write; else stdout.")] = None,
    as_json: Json = False,
) -> None:
    """Write lineage in a standard format, a proof, a signed head, the key, or a certificate."""
    require(not url or kind == "openlineage", "--url goes with openlineage")
    require(out is None or not out.is_dir(), f"{out} is a folder: name a file")
    data = _exported(kind, node, since)
    if url:
        _send(node, url)
    if out is None:
        print_line(data.decode().rstrip("\n"))
        return
    from storage.files import explained, write_atomic

    with explained(str(out)):
        write_atomic(out, data)
    print_fields({"written": str(out), "n_bytes": len(data)}, as_json=as_json)


def _exported(kind: str, node: str, since: Path | None) -> bytes:
    from tasks.provenance.exports.formats import export_bytes

    home = load_home()
    if kind == "certificate":
        from tasks.provenance.revocation.certificate import certificate_file

        return certificate_file(home, node)
    if kind == "consistency":
        from tasks.provenance.proof.signed_files import make_consistency

        require(since is not None, "consistency needs --since OLD_HEAD_FILE")
        return make_consistency(
            home.ledger_url, read_bytes(since or Path()), export_bytes(home, "head", "")
        )
    return export_bytes(home, kind, node)


def _send(node: str, url: str) -> None:
    from tasks.provenance.exports.openlineage import run_events, send

    sys.stderr.write(f"{send(run_events(load_home(), node), url)} events sent to {url}\n")


def rotate_key(as_json: Json = False) -> None:
    """Sign with a new key from now on; the old one endorses it in the ledger."""
    from storage.transparency import Tree
    from tasks.provenance.proof.bundle import keyring_of

    home = load_home()
    keys = keyring_of(home)
    key_id = keys.rotate(home.ledger_url)
    Tree(home.ledger_url).sign_head(keys)  # so that the next proof is of the new key
    print_fields({"key_id": key_id}, as_json=as_json)


def trust(
    source: Annotated[str, typer.Argument(help="A source; empty lists all.")] = "",
    value: Annotated[
        float | None, typer.Option("--set", min=0, max=1, help="Override by a person.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Take the override back.")] = False,
    why: Annotated[str, typer.Option(help="Reason of the override.")] = "",
    who: Annotated[str, typer.Option(help="Who decides.")] = "",
    refresh: Annotated[bool, typer.Option("--refresh", help="Compute all scores anew.")] = False,
    deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """Show how far sources are trusted and why; override it; compute it anew."""
    if refresh:
        run_flow("trust", {}, deploy=deploy, as_json=as_json)
        return
    from tasks.provenance.revocation.standing import render_standing, revocations_of
    from tasks.provenance.trust.assessment import trust_of
    from tasks.provenance.trust.view import render_trust

    home = load_home()
    if value is not None or lift:
        require(bool(source and why) and (value is None) == lift, "name a source and --why")
        if value is not None:
            home.trust_records.override(source, value, who or _user(), why)
        else:
            home.trust_records.lift(source, who or _user(), why)
    found, lang = trust_of(home, source), chosen_language()
    revoked = revocations_of(home, f"source:{source}") if source else ()
    fields = {name: asdict(view) for name, view in found.items()}
    lines = [render_trust(found, lang), render_standing(revoked, lang)]
    _show(fields, lambda: "\n".join(filter(None, lines)), as_json=as_json)


def feedback(
    answer: Annotated[str, typer.Argument(help="Id of an answer.")],
    accept: Annotated[bool, typer.Option("--accept/--reject", help="Was it good?")],
    why: Annotated[str, typer.Option(help="What was good or wrong.")] = "",
    who: Annotated[str, typer.Option(help="Who says so.")] = "",
    as_json: Json = False,
) -> None:
    """Say whether an answer was good; it counts for the trust of its sources."""
    from tasks.provenance.trust.assessment import give_feedback

    given = give_feedback(load_home(), answer, accept=accept, who=who or _user(), why=why)
    verdict = "accepted" if accept else "rejected"
    print_fields({"answer": given, "verdict": verdict}, as_json=as_json)


def influence(
    evaluation: Annotated[
        Path | None, typer.Option(help="JSON Lines of {id, text}; else held-out text.")
    ] = None,
    documents: Annotated[int, typer.Option(min=2, help="Documents to train on at most.")] = 64,
    subsets: Annotated[
        int, typer.Option(min=0, max=1000, help="Retrainings (10 or more); 0 is uncalibrated.")
    ] = 24,
    method: Annotated[str, typer.Option(help="combined or lexical.")] = "combined",
    seed: Annotated[int, typer.Option(min=0, help="Decides documents, subsets, training.")] = 0,
    deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """Train the small model, and say which sources help it and which hurt."""
    fields: dict[str, object] = {"subsets": subsets, "max_documents": documents, "seed": seed}
    fields |= {"method": method, "evaluation": str(evaluation.resolve()) if evaluation else ""}
    run_flow("influence", fields, deploy=deploy, as_json=as_json)


def _tell(
    ask: Callable[["Home", str], Told], node: str, batch: Path | None, *, as_json: bool
) -> None:
    """Ask about one node, or about those in the lines of a batch."""
    require(bool(node) != bool(batch), "give either a node or --batch FILE")
    home = load_home()
    if batch is not None:
        answer_batch(batch, lambda line: ask(home, line.strip())[0])
        return
    fields, text = ask(home, node)
    _show(fields, lambda: text(chosen_language()), as_json=as_json)


def _show(fields: dict[str, Any], text: Callable[[], str], *, as_json: bool) -> None:
    if as_json:
        print_line(json.dumps(fields, ensure_ascii=False, default=str))
    else:
        print_line(text())


def _answer_id(target: str) -> str:
    if Path(target).is_file():
        raise typer.BadParameter("a proof file is checked with --offline --key KEY")
    return target.removeprefix("answer:")


def _user() -> str:
    from getpass import getuser

    return getuser()
