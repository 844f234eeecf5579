"""Measure retrieval on a question set, and the detectors on labelled rows."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from prefect import flow
from pydantic import BaseModel, Field

from infra.dask import dask_engine
from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.evaluate import steps
from tasks.evaluate.plots import write_chart
from tasks.evaluate.report import EvaluateReport, retrieval_report, score_labelled, searched
from tasks.evaluate.retrieval import MODES, Mode
from tasks.evaluate.sets import read_licences, read_sensitivity
from tasks.features import steps as features
from tasks.provenance.licences.evaluation import evaluate_licences
from tasks.provenance.sensitivity.evaluation import evaluate_sensitivity

DETECTORS = {
    "licences": (read_licences, evaluate_licences),
    "sensitivity": (read_sensitivity, evaluate_sensitivity),
}


class EvaluateParams(BaseModel):
    """Which questions to ask, of what, and how."""

    set: str = Field("", description="Question set; empty draws known items from the index.")
    queries: str = Field("", description="Second file: the set's questions in another language.")
    modes: list[Mode] = Field(list(MODES), min_length=1, description="Retrieval modes.")
    embedder: Literal["", "e5", "minilm"] = Field(
        "", description="Encoder for a set with a corpus of its own; empty is the setting's."
    )
    limit: int = Field(0, ge=0, description="Questions to draw; 0 is all, or 200 known items.")
    seed: int = Field(0, ge=0, description="Decides which questions are drawn.")


@flow(name="evaluate")
def evaluate(params: EvaluateParams) -> EvaluateReport:
    """Score BM25, dense and hybrid search on a question set or on phrases of the published index."""
    settings = Settings().apply()
    with (
        tracked("evaluate", settings, params.model_dump()) as run,
        dask_engine(settings, run.progress) as engine,
        TemporaryDirectory(prefix="suyuan-evaluate-") as folder,
    ):
        questions = steps.read_questions(params.set, params.queries, params.limit, params.seed)
        if questions.corpus:
            texts, encoder = questions.texts(), params.embedder or settings.embedder
            searcher = features.index_texts(texts, encoder, settings.models, engine, Path(folder))
        else:
            encoder = settings.embedder
            searcher = features.open_published(home(settings), encoder, settings.models)
            run.dataset("index", searcher.digest)
        if not params.set:
            questions = steps.draw_known_items(searcher.rows, params.limit, params.seed)
        scores = steps.score(questions, searcher, params.modes, params.seed)
        where = searched(searcher.rows, "own corpus" if questions.corpus else searcher.digest)
        report = retrieval_report(questions, scores, where, encoder, run.id)
        run.dataset(questions.name, report.digest, source=params.set)
        run.metrics(report.metrics())
        run.table(report.rows(), key="retrieval")
        run.file(write_chart(scores, f"{report.set}, {encoder}", Path(folder)))
        run.summary(report.markdown())
    return report


def evaluate_labelled(
    task: str, path: Path, settings: Settings, *, track: bool = True
) -> dict[str, Any]:
    """Read labelled rows, judge the detector, and report; logged to MLflow when tracked."""
    parameters = {"task": task, "set": path.name}
    with tracked("evaluate", settings, parameters) if track else nullcontext() as run:
        report = score_labelled(task, path, *DETECTORS[task])
        if run:
            report.run_id = run.id
            run.metrics(report.metrics())
            run.text(f"{task}.json", report.model_dump_json(indent=1))
    return report.model_dump(mode="json")


evaluate_licence_set = partial(evaluate_labelled, "licences")
evaluate_sensitivity_set = partial(evaluate_labelled, "sensitivity")
