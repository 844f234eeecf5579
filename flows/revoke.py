"""Take a source, a document or a licence out again, prove that it is gone, and certify it."""

import getpass
import json
from collections.abc import Sequence
from functools import partial

from prefect import flow
from pydantic import BaseModel, Field

from flows.index import IndexParams
from infra.queueing import Retraining
from infra.scrub import out_of_reach, record_scrubbers
from infra.settings import Settings, home
from infra.tracking import tracked
from storage.home import Home
from tasks.features.rebuild import documents_found, rebuild_index
from tasks.features.steps import open_published
from tasks.provenance.revocation.caches import InfluenceIndexes
from tasks.provenance.revocation.report import markdown_of, metrics_of, step_rows, text_of
from tasks.provenance.revocation.run import Request, refuse_writers
from tasks.provenance.revocation.scope import parse_scope
from tasks.provenance.revocation.work import Tools
from tasks.provenance.steps import revoke_in_steps


class RevokeParams(BaseModel):
    """What is taken out, why, and who asks for it."""

    scope: str = Field(min_length=1, description="source:NAME, doc:SHA256 or licence:EXPR.")
    reason: str = Field(min_length=1, description="Why; kept in the ledger and the certificate.")
    who: str = Field("", description="Who asks for it; empty is the user of this process.")
    retrain: str = Field("", description="Deployment to queue for models that were trained on it.")
    force: bool = Field(False, description="Go on although other runs seem to be writing.")
    index: IndexParams = Field(default_factory=IndexParams, description="How to build the index.")


class RevokeReport(BaseModel):
    """What was taken out, and the certificate."""

    run_id: str
    revocation_id: str
    scope: str
    documents: int
    kept: int
    answers_erased: int
    answers_stale: int
    files_searched: int
    certificate: dict[str, object]

    def text(self, lang: str) -> str:
        """Render for a terminal, in English or Chinese."""
        return text_of(json.dumps(self.certificate), lang)


@flow(name="revoke")
def revoke(params: RevokeParams) -> RevokeReport:
    """Tombstone, rewrite, erase, prove, certify; GateError names the places when something is left."""
    settings = Settings().apply()
    store, scope = home(settings), parse_scope(params.scope)
    request = Request(scope=scope, reason=params.reason, who=params.who or getpass.getuser())
    with tracked("revoke", settings, params.model_dump()) as run:
        if not params.force:
            refuse_writers(store)
        tools = Tools(
            rebuild=partial(rebuild_index, store, params.index.dense(), run.id),
            probe=partial(_probe, settings, store),
            caches=(InfluenceIndexes(store),),
            records=record_scrubbers(settings),
            not_searched=("models",),
            out_of_reach=out_of_reach(settings),
            retrain=Retraining(settings, params.retrain) if params.retrain else None,
            progress=run.progress,
        )
        done = revoke_in_steps(store, request, tools, run.id)
        numbers = metrics_of(done)
        run.metrics(numbers)
        run.text("certificate.json", done.certificate)
        run.table(step_rows(done), key="steps")
        run.summary(markdown_of(done))
    names = {"run_id": run.id, "revocation_id": done.revocation_id, "scope": str(scope)}
    certificate = json.loads(done.certificate)
    return RevokeReport.model_validate({**names, **numbers, "certificate": certificate})


def _probe(settings: Settings, store: Home, texts: Sequence[str]) -> set[str]:
    """Search the published index for removed texts."""
    return documents_found(open_published(store, settings.embedder, settings.models), texts)
