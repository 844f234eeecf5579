"""Influence: which documents and sources helped a small model on an evaluation set, which hurt."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from pydantic import AfterValidator, BaseModel, Field

from infra.model_registry import publish_model
from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.provenance.influence import pipeline, scoring
from tasks.provenance.influence.plots import write_chart
from tasks.provenance.influence.report import InfluenceReport, influence_report
from tasks.provenance.influence.samples import Cut
from tasks.provenance.policy.decisions import load_policy

draw = task(name="draw-samples", cache_policy=NO_CACHE)(pipeline.draw)
train = task(name="train-proxy", cache_policy=NO_CACHE)(pipeline.train)
read = task(name="read-evaluation", cache_policy=NO_CACHE)(pipeline.evaluation)
score = task(name="score-influence", cache_policy=NO_CACHE)(scoring.score_parts)
retrain = task(name="retrain", cache_policy=NO_CACHE)(pipeline.retrain_all)
store = task(name="store-index", cache_policy=NO_CACHE)(pipeline.store)


class InfluenceParams(BaseModel):
    """What to train on, what to explain, and how well to calibrate it."""

    evaluation: str = Field(
        "", description="JSON Lines of id and text; empty takes the next windows of the documents."
    )
    method: Literal["combined", "lexical"] = Field(
        "combined", description='"combined" needs the extra `influence`; "lexical" does not.'
    )
    max_documents: int = Field(64, ge=2, le=5000, description="Documents to train on.")
    per_document: int = Field(5, ge=1, le=100, description="Samples of each document.")
    epochs: int = Field(15, ge=1, le=200, description="Passes over the samples.")
    companions: int = Field(
        2, ge=0, le=8, description="More models to average gradients over; not used by lexical."
    )
    subsets: Annotated[int, AfterValidator(pipeline.enough_subsets)] = Field(
        24, ge=0, le=1000, description="Retrainings that calibrate; 0 leaves scores uncalibrated."
    )
    models_per_subset: int = Field(1, ge=1, le=20, description="More make calibration less noisy.")
    seed: int = Field(0, ge=0, description="Decides documents, subsets and training.")


@flow(name="influence")
def influence(params: InfluenceParams) -> InfluenceReport:
    """Train the small model on live documents, explain it, calibrate, and store the index."""
    settings = Settings().apply()
    stores, method, seed = home(settings), params.method, params.seed
    policy = load_policy(settings.policy)
    scoring.require_method(method)
    with (
        tracked("influence", settings, params.model_dump() | {"policy": policy.digest}) as run,
        TemporaryDirectory(prefix="suyuan-influence-") as place,
    ):
        folder, cut = Path(place), Cut(per_document=params.per_document)
        drawn = draw(stores, cut, params.max_documents, seed, policy, run.id)
        run.dataset("documents", drawn.snapshot.root, version=drawn.snapshot.version)
        texts = read(params.evaluation, drawn.split)
        all_seeds = scoring.seeds_of(seed, params.companions if method == "combined" else 0)
        model = train(drawn.split, params.epochs, method, all_seeds, folder)
        parts = score(model.explained, texts.samples, method)
        seeds = range(seed + 1, seed + 1 + params.models_per_subset)
        again = retrain(model, drawn.split, texts.samples, params.subsets, seeds, run.progress)
        calibration = scoring.calibrate_parts(parts, again.subsets, again.halves)
        identity = {"sha256": model.sha256, "trained_on": drawn.snapshot.node}
        files = model.write_files(folder)
        published = publish_model(run, settings, pipeline.NAME, files, identity)
        node = pipeline.record(stores, model, published.version, drawn, run.id)
        store(stores, model, drawn.split, calibration, method, node)
        about = {**identity, "run_id": run.id, "model": node, "num_denied": drawn.num_denied}
        results = pipeline.totals_of(parts, method, calibration, drawn.split, again)
        report = influence_report(
            about | {"warning": published.warning}, texts, method, calibration, results
        )
        run.metrics(report.metrics())
        run.table(report.rows(), key="sources")
        run.file(write_chart(report, folder))
        run.text("influence.json", report.model_dump_json(indent=1))
        run.summary(report.markdown())
    return report
