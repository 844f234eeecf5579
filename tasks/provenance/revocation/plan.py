"""What a revocation will remove, keep and touch: a function of what is stored, which changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from storage.digest import sha256_hex
from storage.errors import NotFoundError
from storage.home import Home
from storage.purging import affected_parts
from storage.revoked import citations_of, source_names
from tasks.provenance.revocation.scope import Scope, parse_scope
from tasks.provenance.revocation.standing import revocations_of
from tasks.provenance.revocation.words import render

Row = tuple[str, str, str]
"""Source, URI, document."""

MOST_NAMED = 1_000
"""Documents and answers that a summary names; it counts and hashes all."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A document that stays, because another active source carries it too."""

    doc_id: str
    sources: tuple[str, ...]
    licences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What goes, what stays, what has to be done again. All sequences are sorted."""

    scope: str
    rows: tuple[Row, ...]
    """Rows of the documents table that go."""
    documents: tuple[str, ...]
    """Documents that no row is left of."""
    texts: tuple[str, ...]
    """Extracted texts that no row is left of."""
    contents: tuple[tuple[str, str], ...]
    """(document, text) that no row is left of: their chunks go."""
    blobs: tuple[str, ...]
    passages: tuple[str, ...]
    """Hashes of the passages whose counts and vectors nothing else needs."""
    kept: tuple[Kept, ...]
    shared_passages: int
    """Passages that another document has word for word: their counts and vectors stay."""
    chunks: int
    n_bytes: int
    """Bytes of the blobs that go, uncompressed: originals and texts."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Parquet files to rewrite, by table."""
    indexes: tuple[str, ...] = ()
    spans: int = 0
    """Texts to take out of the span index."""
    segments: int = 0
    quoted: tuple[str, ...] = ()
    """Answers that quote what goes: they will be erased."""
    cited: tuple[str, ...] = ()
    """Answers that rest on it otherwise: they will be stale."""
    models: tuple[str, ...] = ()
    """Models that were trained on it: they will be marked as exposed."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.rows or self.blobs or self.parts)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(document, source) of the rows that go."""
        return sorted({(doc, source) for source, _, doc in self.rows})

    def keys(self) -> dict[str, pl.DataFrame]:
        """Give, for each table, the keys of the rows that go."""
        return {
            "documents": _frame(("source", "uri", "doc_id"), self.rows),
            "chunks": _frame(("doc_id", "text_id"), self.contents),
            "counts": _frame(("text_sha",), [(sha,) for sha in self.passages]),
            "vectors": _frame(("text_sha",), [(sha,) for sha in self.passages]),
            "quarantine": self._quarantine(),
        }

    def summary(self) -> dict[str, Any]:
        """Say in JSON what the plan is, without the hashes of single passages."""
        lists = {name: list(getattr(self, name)) for name in ("documents", "quoted", "cited")}
        named = {name: found[:MOST_NAMED] for name, found in lists.items()}
        counts = {f"{name}_count": len(found) for name, found in lists.items()}
        return {
            "scope": self.scope,
            **named,
            **counts,
            "documents_sha256": sha256_hex("\n".join(self.documents).encode()),
            "rows": len(self.rows),
            "kept": [asdict(kept) for kept in self.kept[:MOST_NAMED]],
            "kept_count": len(self.kept),
            "shared_passages": self.shared_passages,
            "passages": len(self.passages),
            "chunks": self.chunks,
            "blobs": len(self.blobs),
            "n_bytes": self.n_bytes,
            "parts": dict(self.parts),
            "indexes": list(self.indexes),
            "spans": self.spans,
            "segments": self.segments,
            "models": list(self.models),
        }

    def _quarantine(self) -> pl.DataFrame:
        if self.scope.startswith("source:"):
            return pl.DataFrame({"source": [self.scope.removeprefix("source:")]})
        named = {self.scope.removeprefix("doc:")} if self.scope.startswith("doc:") else set()
        return _frame(("blob_id",), [(sha,) for sha in sorted(named.union(self.documents))])


def make_plan(home: Home, scope: Scope) -> Plan:
    """Work out a revocation from the newest versions of all tables and from the ledger."""
    documents = home.table("documents").scan()
    doomed = scope.rows(documents).select(_COLUMNS).collect()
    left = (
        documents.select(_COLUMNS)
        .join(doomed.lazy(), on=["source", "uri", "doc_id"], how="anti")
        .collect()
    )
    contents = doomed.select(_CONTENT).join(left, on=_CONTENT, how="anti").unique()
    gone = _sorted(set(doomed["doc_id"]) - set(left["doc_id"]))
    chunks, passages, shared = _passages(home, contents)
    blobs = _blobs(home, scope, doomed, left)
    plan = Plan(
        scope=str(scope),
        rows=tuple(sorted(doomed.select("source", "uri", "doc_id").iter_rows())),
        documents=gone,
        texts=_sorted(set(contents["text_id"]) - set(left["text_id"]) - {""}),
        contents=tuple(sorted(contents.iter_rows())),
        blobs=blobs,
        passages=passages,
        kept=tuple(_kept(doomed, left)),
        shared_passages=shared,
        chunks=chunks,
        n_bytes=_n_bytes(doomed, gone),
    )
    return _with_consequences(home, plan)


def plan_revocation(home: Home, scope: str) -> Plan:
    """Plan the revocation of a scope as a person writes it; NotFoundError when nothing of it is stored."""
    plan = make_plan(home, parse_scope(scope))
    if plan.empty:
        raise not_stored(home, plan.scope)
    return plan


def not_stored(home: Home, scope: str) -> NotFoundError:
    """Make the error that says what could be revoked instead."""
    revoked = [one for one in revocations_of(home, scope) if one.state == "done"]
    if revoked:
        last = revoked[-1]
        return NotFoundError(
            f"nothing of it is stored, revocation:{last.revocation_id} took it out",
            item=scope,
            way_out=f"Its certificate: `suyuan export certificate {last.revocation_id}`",
        )
    names = ", ".join(source_names(home.ledger_url)) or "none"
    way_out = f"The sources are: {names}"
    return NotFoundError("nothing of it is stored", item=scope, way_out=way_out)


def merged(old: Plan, new: Plan) -> Plan:
    """Join the plan of an attempt that was cut off with what is found now."""
    values = asdict(new)
    for name in ("rows", "documents", "texts", "contents", "blobs", "passages", "quoted", "cited"):
        values[name] = tuple(sorted({*getattr(old, name), *getattr(new, name)}))
    values["models"] = tuple(sorted({*old.models, *new.models}))
    values["indexes"] = old.indexes or new.indexes
    for name in ("shared_passages", "chunks", "n_bytes", "spans", "segments"):
        values[name] = max(getattr(old, name), getattr(new, name))
    values["kept"] = old.kept or new.kept
    values["parts"] = {**new.parts, **{name: n for name, n in old.parts.items() if n}}
    return Plan(**values)


def plan_json(plan: Plan) -> dict[str, Any]:
    """Give the whole plan as JSON."""
    return asdict(plan)


def read_plan(values: Mapping[str, Any]) -> Plan:
    """Read what plan_json gave."""
    tuples = {k: tuple(map(_tuple, v)) for k, v in values.items() if isinstance(v, list)}
    kept = tuple(
        Kept(doc_id=k["doc_id"], sources=tuple(k["sources"]), licences=tuple(k["licences"]))
        for k in values["kept"]
    )
    return Plan(**{**values, **tuples, "kept": kept})


_COLUMNS = ("source", "uri", "doc_id", "text_id", "layout_id", "licence", "n_bytes", "text_bytes")
_CONTENT = ["doc_id", "text_id"]


def render_plan(plan: Plan, lang: str = "en") -> str:
    """Say the plan in lines for a terminal, in English or Chinese."""
    return render(plan.summary(), lang)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _passages(home: Home, contents: pl.DataFrame) -> tuple[int, tuple[str, ...], int]:
    """Count the chunks that go; give the passages that only they have, and count the others."""
    chunks = home.table("chunks").scan().select(*_CONTENT, "text_sha")
    going = chunks.join(contents.lazy(), on=_CONTENT, how="semi").collect()
    staying = chunks.join(contents.lazy(), on=_CONTENT, how="anti").select("text_sha").collect()
    mine, others = set(going["text_sha"]), set(staying["text_sha"])
    return going.height, _sorted(mine - others), len(mine & others)


def _blobs(home: Home, scope: Scope, doomed: pl.DataFrame, left: pl.DataFrame) -> tuple[str, ...]:
    quarantine = home.table("quarantine").scan().select("source", "blob_id").collect()
    mine = set(_named(doomed)) | ({scope.value} if scope.kind == "doc" else set())
    if scope.kind == "source":
        rejected = quarantine["source"] == scope.value
        mine |= set(quarantine.filter(rejected)["blob_id"])
        quarantine = quarantine.filter(~rejected)
    else:
        quarantine = quarantine.filter(~pl.col("blob_id").is_in(sorted(mine)))
    gone = mine - set(_named(left)) - set(quarantine["blob_id"]) - {"", None}
    return _sorted(sha for sha in gone if home.blobs.has(sha))


def _named(rows: pl.DataFrame) -> Iterable[str]:
    for column in ("doc_id", "text_id", "layout_id"):
        yield from rows[column].drop_nulls()


def _kept(doomed: pl.DataFrame, left: pl.DataFrame) -> list[Kept]:
    both = left.join(doomed.select("doc_id").unique(), on="doc_id", how="semi")
    grouped = both.group_by("doc_id").agg(
        pl.col("source").unique().sort(), pl.col("licence").fill_null("").unique().sort()
    )
    return [
        Kept(doc_id=doc_id, sources=tuple(sources), licences=tuple(licences))
        for doc_id, sources, licences in grouped.sort("doc_id").iter_rows()
    ]


def _n_bytes(doomed: pl.DataFrame, gone: tuple[str, ...]) -> int:
    rows = doomed.filter(pl.col("doc_id").is_in(list(gone))).unique(_CONTENT)
    other = rows.filter(pl.col("doc_id") != pl.col("text_id"))
    sizes = [*rows.unique("doc_id")["n_bytes"], *other["text_bytes"]]
    return sum(size or 0 for size in sizes)


def _with_consequences(home: Home, plan: Plan) -> Plan:
    """Add what follows from it: parts, indexes, segments, answers, models."""
    keys = plan.keys()
    parts = {name: len(affected_parts(home.table(name), rows)) for name, rows in keys.items()}
    gone, pairs = set(plan.documents), set(plan.pairs)
    found = [
        one
        for one in citations_of(home.ledger_url, sorted({doc for doc, _ in pairs}))
        if one.doc_id in gone or (one.doc_id, one.source) in pairs
    ]
    quoted = {one.answer_id for one in found if one.grade == "quoted" and one.doc_id in gone}
    values = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    spans = home.spans
    values |= {
        "parts": {name: count for name, count in parts.items() if count},
        "indexes": tuple(home.index_store.names()) if plan.rows else (),
        "spans": len(spans.live() & set(plan.texts)),
        "segments": len(spans.segments()),
        "quoted": _sorted(quoted),
        "cited": _sorted({one.answer_id for one in found} - quoted),
        "models": _sorted({share.name for share in home.models.exposed(plan.documents)}),
    }
    return Plan(**values)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _frame(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(columns, pl.String), orient="row")
