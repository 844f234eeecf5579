"""What a model is made of: its exact training snapshot, sources and licences with their shares."""

import json
from collections.abc import Iterator
from typing import Any

from storage.home import Home
from storage.models import Share
from storage.revoked import revoked_documents
from tasks.provenance.lineage.model_records import ModelExplanation, RevokedSource, TrainedOn
from tasks.provenance.lineage.model_view import render_model

__all__ = ["ModelExplanation", "RevokedSource", "TrainedOn", "explain_model", "render_model"]


def explain_model(home: Home, node: str) -> ModelExplanation:
    """Gather what the ledger knows about `model:NAME@V`; NotFoundError names the ones there are."""
    model, shares = home.models.get(node), home.models.shares(node)
    edges = [edge for edge in home.ledger.up(node, limit=_NEAR) if edge.dst == node]
    run = home.ledger.get("run", model.run_id) if model.run_id else None
    return ModelExplanation(
        node=model.node,
        status=model.status,
        path=model.path,
        sha256=model.sha256,
        recorded_at=model.recorded_at,
        n_samples=model.n_samples,
        n_bytes=model.n_bytes,
        trained_on=_trained_on(home, model.trained_on),
        base=next((edge.src for edge in edges if edge.rel == "wasDerivedFrom"), ""),
        run_id=model.run_id,
        flow=str(run["flow"]) if run else "",
        mlflow_run_id=str(run["mlflow_run_id"]) if run else "",
        sources=shares.by_source,
        licences=shares.by_licence,
        revoked=tuple(_revoked(home, node, shares.by_source)),
    )


_NEAR = 1_000
"""Nodes to look at for what lies directly above a model."""


def _trained_on(home: Home, node: str) -> TrainedOn:
    row: dict[str, Any] = home.ledger.get("artifact", node) or {}
    facts = json.loads(row.get("params", "{}"))
    return TrainedOn(
        node=node,
        root=str(row.get("sha256", "")),
        version=int(facts.get("version", -1)),
        rows=int(facts.get("rows", -1)),
    )


def _revoked(home: Home, node: str, sources: tuple[Share, ...]) -> Iterator[RevokedSource]:
    """Name the sources of which the model saw what was revoked since, wholly or in part."""
    documents: dict[str, set[str]] = {}
    for one in home.models.exposures(node):
        documents.setdefault(one.source, set()).add(one.doc_id)
    for share in sources:
        row = home.ledger.get("source", share.name.replace("|", "%7C")) or {}
        gone = documents[share.name] & revoked_documents(home.ledger_url, share.name).keys()
        whole = row.get("status") == "revoked"
        if whole or gone:
            count = share.n_documents if whole else len(gone)
            yield RevokedSource(source=share.name, n_documents=count, whole=whole)
