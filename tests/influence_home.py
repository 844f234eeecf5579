"""A home with documents of two sources that share little, for influence to tell apart."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from storage.home import Home
from storage.schemas import DOCUMENTS

WORDS = {
    "sea": [
        "ship",
        "harbour",
        "anchor",
        "tide",
        "sail",
        "mast",
        "captain",
        "reef",
        "whale",
        "storm",
        "deck",
        "rope",
        "salt",
        "wave",
    ],
    "farm": [
        "barley",
        "plough",
        "orchard",
        "cow",
        "meadow",
        "tractor",
        "hay",
        "cellar",
        "apple",
        "goose",
        "fence",
        "soil",
        "crop",
    ],
}
NUM_DOCUMENTS = 5
NUM_WORDS = 600


def story(source: str, number: int) -> str:
    draw = np.random.default_rng([number, len(source)])
    return " ".join(draw.choice(WORDS[source], NUM_WORDS))


def fill_home(folder: Path) -> Home:
    home = Home(
        blobs_url=str(folder / "blobs"),
        tables_url=str(folder / "tables"),
        ledger_url=f"sqlite:///{folder}/ledger.db",
        indexes=folder / "indexes",
        root=folder,
    )
    rows = [document(home, source, at) for source in WORDS for at in range(NUM_DOCUMENTS)]
    home.table(DOCUMENTS.name).merge(
        pa.Table.from_pylist(rows, schema=DOCUMENTS.schema), run_id="r1"
    )
    return home


def document(home: Home, source: str, number: int) -> dict[str, object]:
    text = story(source, number).encode()
    text_id = home.blobs.put(text)
    return {
        "source": source,
        "uri": f"file:///{source}/{number}.txt",
        "doc_id": text_id,
        "version": 1,
        "status": "live",
        "n_bytes": len(text),
        "text_id": text_id,
        "text_bytes": len(text),
        "origin": "identity",
        "licence": "CC-BY-4.0",
        "licence_evidence": "declared",
        "trust": 0.8,
        "fetched_at": datetime(2026, 1, 2, tzinfo=UTC),
        "run_id": "r1",
    }
