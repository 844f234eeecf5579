"""A revocation that is done, as numbers, rows and a page; read from its certificate."""

import json
from collections.abc import Mapping
from typing import Any

from storage.dsse import decode64
from tasks.provenance.revocation.run import Revoked
from tasks.provenance.revocation.words import render, render_done


def predicate_of(certificate: str) -> dict[str, Any]:
    """Give what the certificate says, without verifying it."""
    envelope = json.loads(certificate)
    payload = decode64(envelope["payload"], None, "certificate")
    predicate: dict[str, Any] = json.loads(payload)["predicate"]
    return predicate


def metrics_of(done: Revoked) -> dict[str, int]:
    """Give the numbers under the names that reports use."""
    said = predicate_of(done.certificate)
    details = {step["step"]: step["detail"] for step in said["steps"]}
    return {
        "documents": said["plan"]["documents_count"],
        "kept": said["plan"]["kept_count"],
        "n_bytes": said["plan"]["n_bytes"],
        "answers_erased": details["answers"]["erased"],
        "answers_stale": details["answers"]["stale"],
        "files_searched": details["proof"]["files"],
        "bytes_searched": details["proof"]["n_bytes"],
        "windows": details["proof"]["windows"],
    }


def text_of(envelope: str, lang: str) -> str:
    """Say in lines what a certificate says, in English or Chinese."""
    said = predicate_of(envelope)
    proof = next(step["detail"] for step in said["steps"] if step["step"] == "proof")
    return render_done(said, proof, lang)


def step_rows(done: Revoked) -> list[Mapping[str, object]]:
    """Give one row per step: its name, its end, what it did."""
    return [
        {**step, "detail": json.dumps(step["detail"], ensure_ascii=False)}
        for step in predicate_of(done.certificate)["steps"]
    ]


def markdown_of(done: Revoked) -> str:
    """Show plan, proof and certificate as a page."""
    said, numbers = predicate_of(done.certificate), metrics_of(done)
    return (
        f"## {said['revocation']}: {said['scope']}\n\n{said['reason']}\n\n"
        f"```\n{render(said['plan'])}\n```\n\n"
        f"{numbers['windows']} fingerprints searched for in {numbers['files_searched']} "
        f"files ({numbers['bytes_searched'] / 1e6:.1f} MB): none left.\n\n"
        f"### Certificate\n\n```json\n{done.certificate}\n```"
    )
