"""Build the indexes: live passages become BM25 and FAISS files, live texts the span index."""

from prefect import flow
from pydantic import BaseModel, Field

from flows.features import ChunkSizes
from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.features import steps
from tasks.features.dense import DenseOptions
from tasks.features.report import IndexReport, report_index
from tasks.provenance.steps import index_spans


class IndexParams(BaseModel):
    """What the index is made of, and how good it must be to be published."""

    chunks: ChunkSizes = Field(default_factory=ChunkSizes)
    target_recall: float = Field(
        0.95, ge=0, le=1, description="Least recall@10 against exact search."
    )
    queries: int = Field(200, ge=1, le=10_000, description="Passages sampled to measure recall.")
    factory: str = Field("", description="FAISS factory string; empty chooses by size.")

    def dense(self) -> DenseOptions:
        """Give the options of the dense index."""
        return DenseOptions(
            target_recall=self.target_recall, num_queries=self.queries, factory=self.factory
        )


@flow(name="index")
def index(params: IndexParams) -> IndexReport:
    """Publish the index of the live corpus, and what tracing needs; nothing is built twice."""
    settings = Settings().apply()
    store = home(settings)
    with tracked("index", settings, params.model_dump()) as run:
        site = steps.prepare(
            store, settings.embedder, settings.models, params.chunks.options(), run.id
        )
        built = steps.publish_index(site, params.dense())
        spans = index_spans(store, run.id, run.progress)
        report = report_index(built, spans.fields())
        for name, snapshot in built.inputs.items():
            run.dataset(name, snapshot.root, version=snapshot.version)
        run.dataset("index", built.digest, context="output")
        run.metrics(report.metrics())
        run.summary(report.markdown())
    return report
