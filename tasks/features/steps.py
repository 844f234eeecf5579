"""Prefect tasks of feature extraction and of the index."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.home import Home
from tasks.features.chunking import ChunkOptions
from tasks.features.dense import DenseOptions
from tasks.features.index import Built, update_index
from tasks.features.passages import NamedText, index_passages
from tasks.features.search import Searcher
from tasks.features.stages import (
    FeatureRun,
    StageResult,
    StoredStatistics,
    chunk_documents,
    count_texts,
    embed_texts,
    specs_of,
    store_statistics,
)
from tasks.shared.embedding import encoder
from tasks.shared.engine import Engine
from tasks.shared.weights import EncoderName, prepare_encoder


@task(name="prepare-encoder", cache_policy=NO_CACHE)
def prepare(
    home: Home, name: EncoderName, models: Path, options: ChunkOptions, run_id: str
) -> FeatureRun:
    """Convert the packaged encoder if needed, and name the settings of all features."""
    folder = prepare_encoder(name, models)
    specs = specs_of(encoder(folder), options)
    return FeatureRun(home=home, run_id=run_id, encoder=folder, load=encoder, specs=specs)


@task(name="chunk-documents", cache_policy=NO_CACHE)
def chunk(run: FeatureRun, engine: Engine) -> StageResult:
    """Cut new and changed documents into chunks."""
    return chunk_documents(run, engine)


@task(name="count-terms", cache_policy=NO_CACHE)
def count(run: FeatureRun, engine: Engine) -> StageResult:
    """Count the terms of new texts."""
    return count_texts(run, engine)


@task(name="embed-texts", cache_policy=NO_CACHE)
def embed(run: FeatureRun, engine: Engine) -> StageResult:
    """Embed new texts."""
    return embed_texts(run, engine)


@task(name="corpus-statistics", cache_policy=NO_CACHE)
def corpus_statistics(run: FeatureRun) -> StoredStatistics:
    """Add up document frequencies over the live corpus."""
    return store_statistics(run)


@task(name="publish-index", cache_policy=NO_CACHE)
def publish_index(run: FeatureRun, options: DenseOptions) -> Built:
    """Build, measure and publish the index, unless it is the same."""
    return update_index(run.home, run.specs, options, run.run_id)


@task(name="open-index", cache_policy=NO_CACHE)
def open_published(home: Home, name: EncoderName, models: Path) -> Searcher:
    """Open the index in use."""
    return Searcher.open(home.index_store.current(), encoder(prepare_encoder(name, models)))


@task(name="index-passages", cache_policy=NO_CACHE)
def index_texts(
    passages: Sequence[NamedText], name: EncoderName, models: Path, engine: Engine, folder: Path
) -> Searcher:
    """Index passages of no document in a folder of their own."""
    return index_passages(passages, prepare_encoder(name, models), encoder, engine, folder)
