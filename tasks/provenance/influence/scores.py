"""Influence scores for others to show: always with how far they can be relied on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from storage.errors import NotFoundError
from storage.home import Home
from tasks.provenance.influence.samples import Tokens, encode_texts
from tasks.provenance.influence.scoring import Explained, Method, combine_parts, score_parts
from tasks.provenance.influence.store import InfluenceFolder, index_root, open_index

_QUERY = "text"
_WORDS = {
    "en": ("influence {score:.2f}, {known} on this model", "uncalibrated"),
    "zh": ("影响力 {score:.2f},此模型上 {known}", "未校准"),
}


@dataclass(frozen=True, kw_only=True)
class InfluenceScore:
    """How much the samples of a document helped a model with a text, and the LDS of the method.

    The score is relative: 0 is what as many average training samples have. `lds` is None when the
    method was not calibrated by retraining.
    """

    doc_id: str
    source: str
    score: float
    method: str
    lds: float | None
    lds_low: float | None
    lds_high: float | None

    def describe(self, lang: str = "en") -> str:
        """Say the score and its standing: "influence 2.31, LDS 0.65 [0.60, 0.70] on this model"."""
        return describe_score(self.score, (self.lds, self.lds_low, self.lds_high), lang)


def describe_score(
    score: float, lds: tuple[float | None, float | None, float | None], lang: str = "en"
) -> str:
    """Render a score with its LDS, or as uncalibrated, in English or Chinese."""
    sentence, unknown = _WORDS["zh" if lang == "zh" else "en"]
    return sentence.format(score=score, known=describe_lds(lds) or unknown)


def describe_lds(lds: tuple[float | None, float | None, float | None]) -> str:
    """Render an LDS with its interval; "" when there is none."""
    value, low, high = lds
    if value is None or low is None or high is None:
        return ""
    return f"LDS {value:.2f} [{low:.2f}, {high:.2f}]"


def influences(
    home: Home,
    node: str,
    text: str,
    top: int = 10,
    *,
    method: Method | None = None,
    folder: Path | None = None,
) -> list[InfluenceScore]:
    """Score the documents a model was trained on for a text; the most helpful first.

    `node` is `model:<name>@<version>`; the method is the one that the index was made with unless
    another is asked for ("lexical" takes milliseconds). NotFoundError when the ledger does not
    know the model or no influence was computed for it.
    """
    model = home.ledger.get("model", node)
    if model is None:
        raise NotFoundError("the ledger has no such model", item=node)
    index = open_index(folder or index_root(home), str(model["sha256"]))
    return score_text(index, text, top, method or index.manifest["method"])


def score_text(index: InfluenceFolder, text: str, top: int, method: Method) -> list[InfluenceScore]:
    """Score the documents of an index for a text; the most helpful first."""
    manifest, samples = index.manifest, index.samples
    if method not in manifest["weights"]:
        raise NotFoundError(
            f"the index has no scores by the method {method}",
            item=f"influence:{index.path.parent.name[:12]}",
            way_out="Run `suyuan influence` with this method",
        )
    query = encode_texts({_QUERY: text}, index.tokenizer, samples.tokens.shape[1])
    with TemporaryDirectory(prefix="suyuan-influence-") as place:
        model = _load(index, samples.tokens, Path(place), method)
        parts = score_parts(model, query, method)
    scores = combine_parts(parts, method, manifest["weights"][method])[0]
    rows = samples.rows.select("doc_id", "source").with_columns(score=scores)
    best = rows.group_by("doc_id", "source").sum().sort("score", "doc_id", descending=[True, False])
    lds = lds_of(manifest, method)
    return [
        InfluenceScore(**row, method=method, lds=lds[0], lds_low=lds[1], lds_high=lds[2])
        for row in best.head(top).iter_rows(named=True)
    ]


def lds_of(
    manifest: Mapping[str, Any], name: str
) -> tuple[float | None, float | None, float | None]:
    """Give the LDS of a method or part with its interval; three None when it was not measured."""
    found = manifest["lds"].get(name)
    return (found["value"], found["low"], found["high"]) if found else (None, None, None)


def _load(index: InfluenceFolder, tokens: Tokens, place: Path, method: Method) -> Explained:
    """Open the model of an index; kronfluence writes beside the factors, so it gets links to them."""
    if method == "lexical":
        return Explained(trainer=None, train=tokens, early=(), curved=(), factors=place)  # type: ignore[arg-type]
    from tasks.provenance.influence.proxy import Proxy

    trainer = Proxy.of(index.manifest["options"])
    models = [trainer.load_bytes(data) for data in index.weights]
    index.link_factors(place)
    early = index.manifest["num_early"]
    return Explained(
        trainer=trainer, train=tokens, early=models[:early], curved=models[early:], factors=place
    )
