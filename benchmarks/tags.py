"""How well licences and personal data are found from text alone, on the labelled sets."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import Result, environment, publish
from infra.settings import Settings
from tasks.evaluate.sets import read_licences, read_sensitivity
from tasks.provenance.licences.evaluation import evaluate_licences
from tasks.provenance.sensitivity.evaluation import TypeScore, evaluate_sensitivity

LICENCE_BAR = 0.95


def main() -> int:
    """Measure both detectors and write benchmarks/results/tags.json."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    data = Settings().data
    env = environment()
    results = [*licences(data / "docs-multilicense/docs.jsonl.gz")]
    results += sensitivity(data / "pii-spans/sentences.jsonl.gz")
    publish("tags", env, results, quick=False)
    return 0 if all(result.passes is not False for result in results) else 1


def licences(path: Path) -> Iterator[Result]:
    """Judge licence detection: documents with a header, and all claims."""
    scores = evaluate_licences(read_licences(path).rows)
    headed, claims = scores.with_header, scores.claims
    yield Result(
        name="licence found equals the truth, documents with a header",
        ours=headed.value,
        unit="share",
        n=headed.n,
        bar=f">= {LICENCE_BAR}",
        passes=headed.value >= LICENCE_BAR,
        detail={"interval": [headed.low, headed.high]},
    )
    yield Result(
        name="licence found equals the truth, wherever one was found",
        ours=claims.value,
        unit="share",
        n=claims.n,
        detail={"interval": [claims.low, claims.high]},
    )


def sensitivity(path: Path) -> Iterator[Result]:
    """Judge the detector on the odd templates: two rules were widened after looking at them."""
    part = evaluate_sensitivity(read_sensitivity(path).rows).held_out
    yield from _pair("all types that are looked for", part.supported)
    for kind, score in sorted(part.types.items()):
        yield from _pair(kind, score)
    yield from _pair("all labelled types, names and addresses included", part.all_types)


def _pair(name: str, score: TypeScore) -> Iterator[Result]:
    for what, value in (("precision", score.precision), ("recall", score.recall)):
        yield Result(
            name=f"sensitive spans on odd templates, {name}: {what}",
            ours=value.value,
            unit="share",
            n=value.n,
            detail={"interval": [value.low, value.high]},
        )


if __name__ == "__main__":
    sys.exit(main())
