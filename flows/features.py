"""Extract features: live documents become chunks, term counts, vectors and corpus statistics."""

from prefect import flow
from pydantic import BaseModel, Field

from infra.dask import dask_engine
from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.features import steps
from tasks.features.chunking import ChunkOptions
from tasks.features.report import FeaturesReport, report_features


class ChunkSizes(BaseModel):
    """Sizes of chunks in tokens of the encoder; index and features must agree on them."""

    target_tokens: int = Field(160, ge=16, le=512, description="A chunk is closed at about this.")
    max_tokens: int = Field(256, ge=16, le=512, description="No chunk has more.")
    min_tokens: int = Field(24, ge=0, le=512, description="A shorter one goes on past a heading.")

    def options(self) -> ChunkOptions:
        """Give the options of the chunker; a ValueError when they contradict each other."""
        return ChunkOptions(**self.model_dump())


class FeaturesParams(BaseModel):
    """How documents are cut."""

    chunks: ChunkSizes = Field(default_factory=ChunkSizes)


@flow(name="features")
def features(params: FeaturesParams) -> FeaturesReport:
    """Compute what new and changed documents lack; unchanged ones cost nothing."""
    settings = Settings().apply()
    with (
        tracked("features", settings, params.model_dump()) as run,
        dask_engine(settings, run.progress) as engine,
    ):
        site = steps.prepare(
            home(settings), settings.embedder, settings.models, params.chunks.options(), run.id
        )
        chunks = steps.chunk(site, engine)
        counts = steps.count(site, engine)
        vectors = steps.embed(site, engine)
        statistics = steps.corpus_statistics(site)
        report = report_features(chunks, counts, vectors, statistics)
        run.dataset("documents", chunks.source.root, version=chunks.source.version)
        for name, root in report.roots.items():
            run.dataset(name, root, version=report.versions[name], context="output")
        run.metrics(report.metrics())
        run.summary(report.markdown())
    return report
