"""What a source, a document or a licence has touched: what is certain, apart from what is possible.

Certain is what holds its bytes or rests on them by a recorded citation or derivation. Possible is
what a model wrote that was trained on it. Nothing here changes anything; the plan of a revocation
says what would be done about it.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from storage.errors import InputError, NotFoundError
from storage.home import Home
from storage.ledger_impact import (
    Listing,
    Reached,
    Selection,
    Writer,
    answers_by,
    find_reached,
    generators,
    licences,
)
from storage.models import Model, Share
from storage.passages import count_passages
from tasks.provenance.lineage.impact_view import render
from tasks.provenance.lineage.touched import Carried, Certain, Held, Impact, Possible
from tasks.provenance.revocation.scope import Scope, licence_matches, parse_scope

__all__ = ["Certain", "Held", "Impact", "Possible", "impact", "render"]

MOST_NAMED = 100
"""Names of documents and answers that are given at most; counts are exact."""


def impact(home: Home, node: str) -> Impact:
    """Find what `source:NAME`, `doc:SHA` or `licence:EXPR` has touched; `GPL-*` is a pattern.

    NotFoundError when the ledger knows nothing by that name.
    """
    scope = _scope(node)
    selection = _selection(home, scope)
    reached = find_reached(home.ledger_url, selection, MOST_NAMED)
    if not reached.documents.ids:
        _refuse_unknown(home, scope)
    models = _models(home, scope, reached)
    carried = [Carried(doc_id=name, sources=found) for name, found in reached.carried.items()]
    return Impact(
        node=str(scope),
        licences=selection.values if scope.kind == "licence" else (),
        certain=_certain(home, reached),
        possible=Possible(models=models, answers=_written_by(home, models)),
        carried_count=len(carried),
        carried=tuple(carried[:MOST_NAMED]),
    )


def _scope(node: str) -> Scope:
    kind, colon, _ = node.partition(":")
    if colon and kind in {"model", "answer", "run", "index", "snap", "part", "blob"}:
        raise InputError(
            "impact starts from what was taken in",
            item=node,
            way_out="Give source:NAME, doc:SHA256 or licence:EXPR; `suyuan why` leads the other way",
        )
    return parse_scope(node)


def _selection(home: Home, scope: Scope) -> Selection:
    if scope.kind == "licence":
        found = tuple(n for n in licences(home.ledger_url) if licence_matches(n, scope.value))
        return Selection("licence", found)
    return Selection("source" if scope.kind == "source" else "doc_id", (scope.value,))


def _refuse_unknown(home: Home, scope: Scope) -> None:
    if scope.kind == "source" and home.ledger.get("source", scope.value.replace("|", "%7C")):
        return
    if scope.kind == "doc" and home.ledger.get("document", scope.value):
        return
    names = ", ".join(licences(home.ledger_url)[:MOST_NAMED]) if scope.kind == "licence" else ""
    raise NotFoundError(
        "the ledger knows nothing by this name",
        item=str(scope),
        way_out=f"Licences are: {names}" if names else "`suyuan trust` lists all sources",
    )


def _certain(home: Home, reached: Reached) -> Certain:
    documents = reached.documents
    return Certain(
        documents=_listing(documents.ids),
        n_bytes=documents.n_bytes,
        chunks=_chunks(home, documents.ids),
        indexes=tuple(_indexes(home, documents.ids)),
        segments=tuple(_segments(home, documents.texts)),
        quoted=reached.quoted,
        cited=reached.cited,
        caches=_listing(reached.made["cache"]),
        prompts=_listing(reached.made["prompt"]),
    )


def _listing(names: Sequence[str]) -> Listing:
    return Listing(len(names), tuple(names[:MOST_NAMED]))


def _chunks(home: Home, documents: Sequence[str]) -> int:
    if not documents:
        return 0
    rows = home.table("chunks").scan()
    runs = rows.select(pl.col("doc_id").rle()).unnest("doc_id")  # a document's lie together
    hits = pl.col("len").filter(pl.col("value").is_in(documents)).sum()
    return int(runs.select(hits).collect().item())


def _indexes(home: Home, documents: Sequence[str]) -> Iterator[Held]:
    """Count their passages in each index that is kept."""
    for index in home.index_store.published():
        count = count_passages(index.path, documents) if documents else 0
        if count:
            yield Held(node=f"index:{index.digest}", count=count)


def _segments(home: Home, texts: frozenset[str]) -> Iterator[Held]:
    """Count their texts in each segment of the span index."""
    if not texts:
        return
    for name, documents in home.spans.documents_by_segment().items():
        count = len(texts.intersection(documents))
        if count:
            yield Held(node=name, count=count)


def _models(home: Home, scope: Scope, reached: Reached) -> tuple[Share, ...]:
    if scope.kind == "source":
        return tuple(home.models.exposed_to(scope.value))
    return tuple(home.models.exposed(reached.documents.ids))


def _written_by(home: Home, exposed: Sequence[Share]) -> Listing:
    """Give the answers of the models; one named without version is that which was newest then."""
    if not exposed:
        return Listing(0, ())
    named = generators(home.ledger_url)
    known = home.models.list()
    spans: list[Writer] = []
    for model in (one for one in known if one.node in {share.name for share in exposed}):
        name = _name(model)
        loose = [g for g in named if name in {g, g.rpartition("@")[0]} and g != model.node]
        later = [m.recorded_at for m in known if _name(m) == name and _newer(m, model)]
        until = min(later, default="")
        spans += [Writer(g, model.recorded_at, until) for g in loose]
        if model.node in named:
            spans.append(Writer(model.node))
    return answers_by(home.ledger_url, spans, MOST_NAMED)


def _newer(one: Model, other: Model) -> bool:
    return (one.recorded_at, one.node) > (other.recorded_at, other.node)


def _name(model: Model) -> str:
    return model.node.removeprefix("model:").rpartition("@")[0]
