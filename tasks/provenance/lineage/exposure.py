"""What the model that wrote an answer was trained on: possible ties, never shown as certain ones."""

from collections.abc import Collection
from dataclasses import dataclass

from storage.errors import NotFoundError
from storage.home import Home
from storage.records import Answer, Exposure

MOST_INFLUENCES = 3


@dataclass(frozen=True, kw_only=True)
class Influence:
    """A document that helped a model with a text, by a score whose reliability was measured."""

    doc_id: str
    source: str
    score: float
    method: str
    lds: float
    lds_low: float
    lds_high: float


def model_of(home: Home, answer: Answer) -> str:
    """Give the node of the model that wrote an answer; "" when the ledger knows none.

    A generator is named `model:<name>@<version>`, by the name alone, or name@host. Without a
    version it is the model of that name that was recorded last before the answer.
    """
    if answer.generator == "extractive":
        return ""
    known = home.models.list()
    if exact := [model.node for model in known if model.node == answer.generator]:
        return exact[0]
    names = {answer.generator, answer.generator.rpartition("@")[0]} - {""}
    asked = answer.created_at.isoformat()
    older = [
        (model.recorded_at, model.node)
        for model in known
        if _name(model.node) in names and model.recorded_at <= asked
    ]
    return max(older, default=("", ""))[1]


def exposures_of(home: Home, node: str) -> dict[str, list[Exposure]]:
    """Give what a model was trained on, by document."""
    found: dict[str, list[Exposure]] = {}
    for one in home.models.exposures(node) if node else ():
        found.setdefault(one.doc_id, []).append(one)
    return found


def calibrated_influences(home: Home, node: str, text: str) -> list[Influence]:
    """Give the documents that helped a model with a text, the most helpful first.

    Nothing without a calibration whose interval lies above chance.
    """
    if not node or not text.strip() or not (home.root / "influence").is_dir():
        return []
    from tasks.provenance.influence.scores import influences

    try:
        scores = influences(home, node, text, MOST_INFLUENCES, method="lexical")
    except NotFoundError:
        return []
    return [
        Influence(
            doc_id=one.doc_id,
            source=one.source,
            score=one.score,
            method=one.method,
            lds=one.lds,
            lds_low=one.lds_low,
            lds_high=one.lds_high,
        )
        for one in scores
        if one.lds is not None
        and one.lds_low is not None
        and one.lds_high is not None
        and one.lds_low > 0 < one.score
    ]


def total_samples(exposures: Collection[list[Exposure]]) -> int:
    """Count the samples of a model."""
    return sum(one.n_samples for some in exposures for one in some)


def _name(node: str) -> str:
    return node.removeprefix("model:").rpartition("@")[0]
