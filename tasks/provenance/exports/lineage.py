"""What an export is about: one node with all that it came from, and the documents behind it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from storage.errors import InputError, NotFoundError
from storage.home import Home
from storage.ledger import Edge
from storage.schemas import TABLES
from storage.snapshots import REVISION, newest_only

TABLE_OF_KIND = {"answer": "answer", "model": "model", "run": "run", "doc": "document"}
TABLE_OF_KIND |= {"source": "source"}
KINDS = ("answer", "model", "snap", "index", "run", "source")


@dataclass(frozen=True, kw_only=True)
class Used:
    """A document behind a node, at one place of one source."""

    doc_id: str
    source: str
    uri: str
    title: str
    version: int
    licence: str


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """A node, the edges by which it came to be, and the row of each node among them."""

    node: str
    edges: tuple[Edge, ...]
    rows: Mapping[str, Mapping[str, Any]]

    @cached_property
    def made_from(self) -> Mapping[str, list[str]]:
        """What each node was made from, sorted; neither runs nor older versions of itself."""
        found: dict[str, set[str]] = defaultdict(set)
        for edge in self.edges:
            if kind_of(edge.src) != "run" and edge.rel != REVISION:
                found[edge.dst].add(edge.src)
        return {node: sorted(sources) for node, sources in found.items()}

    @cached_property
    def made_by(self) -> Mapping[str, list[str]]:
        """What each run made, sorted."""
        found: dict[str, set[str]] = defaultdict(set)
        for edge in self.edges:
            if edge.rel == "generated":
                found[edge.src].add(edge.dst)
        return {run: sorted(made) for run, made in found.items()}


def kind_of(node: str) -> str:
    """Give what comes before the first colon of a node."""
    return node.split(":", 1)[0]


def lineage_of(home: Home, node: str) -> Lineage:
    """Gather the lineage of a node; NotFoundError when the ledger does not know it."""
    if kind_of(node) not in KINDS or ":" not in node:
        wanted = ", ".join(f"{kind}:…" for kind in KINDS)
        raise InputError("is no node that can be exported", item=node, way_out=f"Give {wanted}")
    if row_of(home, node) is None:
        way_out = "`suyuan status` lists what there is"
        raise NotFoundError("is not in the ledger", item=node, way_out=way_out)
    edges = tuple(edge for edge in home.ledger.up(node) if edge.dst != edge.src)
    if kind_of(node) == "answer":  # of the runs before, those that fetched what it cites
        edges = tuple(newest_only(node, edges))
        own = {edge.src for edge in edges if edge.dst == node}
        fetched = dict.fromkeys(_fetched(home, node))
        edges += tuple(edge for edge in fetched if edge.src not in own)
    nodes = dict.fromkeys([node, *(end for edge in edges for end in (edge.dst, edge.src))])
    return Lineage(node=node, edges=edges, rows={name: row_of(home, name) or {} for name in nodes})


def row_of(home: Home, node: str) -> Mapping[str, Any] | None:
    """Read the row of the ledger about a node; None without one."""
    kind, _, name = node.partition(":")
    if kind in TABLE_OF_KIND:
        key = node if kind == "model" else name
        return home.ledger.get(TABLE_OF_KIND[kind], key.replace("|", "%7C"))
    return home.ledger.get("artifact", node.replace("|", "%7C"))


def used_documents(home: Home, node: str) -> Iterator[Used]:
    """Give the documents behind an answer, a model, a snapshot or an index, each place once."""
    kind = kind_of(node)
    if kind == "answer":
        yield from _of_answer(home, node)
    elif kind == "model":
        yield from _of_model(home, node)
    elif kind == "snap":
        yield from _of_snapshot(home, node)
    elif kind == "index":
        found = {edge.src for edge in newest_only(node, home.ledger.up(node))}
        documents = [name for name in found if name.startswith("snap:documents@")]
        if documents:  # its features may rest on an older version than itself
            yield from _of_snapshot(home, max(documents, key=split_snapshot))
    else:
        way_out = "Give an answer, a model, a snapshot or an index"
        raise InputError("has no documents behind it", item=node, way_out=way_out)


def split_snapshot(node: str) -> tuple[str, int]:
    """Give table and version of a snapshot; InputError when it is not written like one."""
    name, _, version = node.removeprefix("snap:").partition("@")
    if not node.startswith("snap:") or name not in TABLES or not version.isascii():
        raise InputError("is no snapshot", item=node, way_out="Give snap:TABLE@VERSION")
    if not version.isdigit():
        raise InputError("is no snapshot", item=node, way_out="Give snap:TABLE@VERSION")
    return name, int(version)


def _fetched(home: Home, node: str) -> Iterator[Edge]:
    """Give the run that fetched each cited document: the index may rest on later runs only."""
    for one in home.ledger.answer(node).citations:
        key = "|".join(part.replace("|", "%7C") for part in (one.doc_id, one.source, one.uri))
        run_id = (home.ledger.get("doc_source", key) or {}).get("run_id")
        if run_id:
            yield Edge(dst=f"doc:{one.doc_id}", src=f"run:{run_id}", rel="generated")


def _of_answer(home: Home, node: str) -> Iterator[Used]:
    answer = home.ledger.answer(node)
    seen = dict.fromkeys((c.doc_id, c.source, c.uri, c.licence) for c in answer.citations)
    for doc_id, source, uri, licence in seen:
        key = "|".join(part.replace("|", "%7C") for part in (doc_id, source, uri))
        row = home.ledger.get("doc_source", key) or {}
        yield Used(
            doc_id=doc_id,
            source=source,
            uri=uri,
            licence=licence,
            title=str(row.get("title", "")),
            version=int(row.get("version", 1)),  # type: ignore[call-overload]
        )


def _of_model(home: Home, node: str) -> Iterator[Used]:
    from storage.models import ModelRecords

    for one in ModelRecords(home.ledger_url).exposures(node):
        yield Used(
            doc_id=one.doc_id, source=one.source, uri="", title="", version=1, licence=one.licence
        )


def _of_snapshot(home: Home, node: str) -> Iterator[Used]:
    name, version = split_snapshot(node)
    table = home.table(name)
    names = table.spec.schema.names
    documents = home.table("documents").scan(version if name == "documents" else None)
    if name != "documents":
        if "doc_id" not in names:
            way_out = "Give a snapshot of documents or chunks"
            raise InputError("its rows name no documents", item=node, way_out=way_out)
        ids = table.scan(version).select("doc_id").unique()
        documents = documents.join(ids, on="doc_id", how="semi")
    columns = ("doc_id", "source", "uri", "title", "version", "licence")
    rows = documents.filter(pl.col("status") != "gone").select(columns).collect()
    for row in rows.sort("source", "uri", "doc_id").iter_rows(named=True):
        facts = {key: value or "" for key, value in row.items() if key != "version"}
        yield Used(**facts, version=row["version"] or 1)
