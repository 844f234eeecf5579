"""Keep what could not be used, with its reason; the same bad item is kept once."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from storage.home import Home
from storage.records import Reject
from storage.schemas import QUARANTINE

DETAIL_CHARS_MAX = 2000


def keep_rejects(home: Home, rejects: Sequence[Reject], run_id: str) -> int:
    """Add the rejects that the quarantine table does not hold yet; return how many are new."""
    if not rejects:
        return 0
    table = home.table("quarantine")
    now = datetime.now(UTC)
    rows = {
        (r.source, r.uri, r.blob_id, r.reason, r.expectation): {
            "source": r.source,
            "uri": r.uri,
            "blob_id": r.blob_id,
            "reason": r.reason,
            "expectation": r.expectation,
            "detail": r.detail[:DETAIL_CHARS_MAX],
            "found_at": now,
            "run_id": run_id,
        }
        for r in rejects
    }
    kept = table.scan().select(QUARANTINE.key).collect()
    fresh = pl.DataFrame(pa.Table.from_pylist(list(rows.values()), schema=QUARANTINE.schema))
    new = fresh.join(kept, on=list(QUARANTINE.key), how="anti")
    if new.height:
        table.merge(new.to_arrow().cast(QUARANTINE.schema), run_id=run_id)
    return new.height
