"""Refresh trust: compute how far each source is trusted from evidence, and show why."""

from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow
from pydantic import BaseModel

from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.provenance import steps
from tasks.provenance.trust.score import SourceTrust
from tasks.provenance.trust.view import (
    render_trust,
    trust_metrics,
    trust_rows,
    write_trust_chart,
)


class TrustParams(BaseModel):
    """Nothing to choose: all sources are computed together, since they are compared."""


class TrustReport(BaseModel):
    """Trust of each source, with its evidence."""

    run_id: str
    sources: dict[str, SourceTrust]

    def text(self, lang: str) -> str:
        """Render for a terminal, in English or Chinese."""
        return render_trust(self.sources, lang)


@flow(name="trust")
def trust(params: TrustParams) -> TrustReport:
    """Gather evidence about every source, compute its trust, record it, and draw it."""
    settings = Settings().apply()
    with (
        tracked("trust", settings, params.model_dump()) as run,
        TemporaryDirectory(prefix="suyuan-trust-") as folder,
    ):
        found = steps.refresh_trust_scores(home(settings), run.id)
        run.metrics(trust_metrics(found))
        run.table(trust_rows(found), key="sources")
        run.file(write_trust_chart(found, Path(folder)))
        run.summary(f"## Trust of {len(found)} sources\n\n```\n{render_trust(found)}\n```")
    return TrustReport(run_id=run.id, sources=found)
