"""Audit: what the stored answers, or a model, are made of; a page for people and JSON beside it."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, Field

from infra.messages import language
from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.provenance.audit.collect import MOST_ANSWERS, collect
from tasks.provenance.audit.summary import markdown_of, metrics_of, text_of, write_pages

gather = task(name="collect-audit", cache_policy=NO_CACHE)(collect)


class AuditParams(BaseModel):
    """What to audit, and where the page goes."""

    model: str = Field("", description="model:NAME@VERSION; empty audits the stored answers.")
    out: str = Field("", description="File of the page; empty keeps it with the run only.")
    max_answers: int = Field(MOST_ANSWERS, ge=1, description="Newest answers to audit.")


class AuditReport(BaseModel):
    """Where the audit is, and its figures."""

    run_id: str
    subject: str
    page: str
    """File of the page; "" when it was kept with the run only."""
    data: str
    """File of the JSON beside it."""
    figures: dict[str, float]
    revocations: list[dict[str, Any]]
    """Those that are not done."""

    def text(self, lang: str) -> str:
        """Render for a terminal, in English or Chinese."""
        files = f"{self.page}, {self.data}" if self.page else ""
        place = ("page", files) if files else ("run", self.run_id)
        return text_of(self.subject, self.figures, self.revocations, place, lang)


@flow(name="audit")
def audit(params: AuditParams) -> AuditReport:
    """Grade what is stored again, add it up, and write the report."""
    settings = Settings().apply()
    lang, written = language(settings), ("", "")
    with (
        tracked("audit", settings, params.model_dump()) as run,
        TemporaryDirectory(prefix="suyuan-audit-") as folder,
    ):
        found = gather(home(settings), params.model, params.max_answers)
        for path in write_pages(found, Path(folder, "audit.html"), lang):
            run.file(path)
        if params.out:
            page, data = write_pages(found, Path(params.out), lang)
            written = (str(page), str(data))
        run.metrics(metrics_of(found))
        run.summary(markdown_of(found))
        run.table([asdict(line) for line in found.trust], key="trust")
    open_ones = [
        {"id": r.revocation_id, "scope": r.scope, "state": r.state} for r in found.revocations
    ]
    return AuditReport(
        run_id=run.id,
        subject=found.subject,
        page=written[0],
        data=written[1],
        figures=metrics_of(found),
        revocations=open_ones,
    )
