"""Run the whole life of the data: ingest, features, index, evaluate, each as a flow of its own."""

from prefect import flow
from pydantic import BaseModel, Field

from flows.evaluate import EvaluateParams, evaluate
from flows.features import FeaturesParams, features
from flows.index import IndexParams, index
from flows.ingest import IngestParams, ingest
from tasks.evaluate.report import EvaluateReport
from tasks.features.report import FeaturesReport, IndexReport
from tasks.ingest.report import IngestReport


class LifecycleParams(BaseModel):
    """Parameters of each stage; the defaults evaluate the published index on itself."""

    ingest: list[IngestParams] = Field(default_factory=list, description="Sources to ingest.")
    features: FeaturesParams = Field(default_factory=FeaturesParams)
    index: IndexParams = Field(default_factory=IndexParams)
    evaluate: EvaluateParams = Field(default_factory=EvaluateParams)


class LifecycleReport(BaseModel):
    """Reports of the stages, in the order in which they ran."""

    ingest: list[IngestReport]
    features: FeaturesReport
    index: IndexReport
    evaluate: EvaluateReport


@flow(name="lifecycle")
def lifecycle(params: LifecycleParams) -> LifecycleReport:
    """Ingest every source, then compute features, build the index and evaluate it."""
    return LifecycleReport(
        ingest=[ingest(source) for source in params.ingest],
        features=features(params.features),
        index=index(params.index),
        evaluate=evaluate(params.evaluate),
    )
