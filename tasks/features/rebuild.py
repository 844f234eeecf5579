"""Build the published index again from what is stored now, under the settings it was built with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storage.errors import MissingError
from storage.home import Home
from tasks.features.chunking import ChunkOptions
from tasks.features.dense import DenseOptions
from tasks.features.index import update_index
from tasks.features.search import Searcher
from tasks.features.stages import FeatureRun, Specs, store_statistics
from tasks.shared.embedding import encoder


def rebuild_index(home: Home, options: DenseOptions, run_id: str) -> str:
    """Publish the index and the statistics anew and give its digest; "" when no passage is left."""
    try:
        manifest = home.index_store.current().manifest
    except MissingError:
        return ""
    specs = _specs(manifest["specs"])
    chunks = home.table("chunks").scan().select("spec").unique().collect()
    if specs.chunks not in chunks["spec"]:
        return ""
    run = FeatureRun(home=home, run_id=run_id, encoder=Path(), load=encoder, specs=specs)
    store_statistics(run)
    return update_index(home, specs, options, run_id).digest


def documents_found(searcher: Searcher, texts: Sequence[str], k: int = 10) -> set[str]:
    """Search for texts and give the documents of the best k passages of each."""
    return {hit.doc_id for hits in searcher.search_many(texts, k) for hit in hits}


def _specs(stored: dict[str, Any]) -> Specs:
    return Specs(**{**stored, "options": ChunkOptions(**stored["options"])})
