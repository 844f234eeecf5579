"""Models in the ledger: what each was trained on, document by document."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from storage import ledger_schema as schema
from storage.errors import ConflictError, InputError, NotFoundError
from storage.ledger_engine import reading, writing
from storage.ledger_log import record
from storage.ledger_rows import batches, edge_rows, json_text, now
from storage.ledger_schema import Row
from storage.records import Exposure

ModelStatus = Literal["live", "exposed", "stale", "purged"]
"""exposed: trained on what was revoked since; stale: to be trained again; purged: its weights are gone."""

_LOOKUP_KEYS = 1_000


@dataclass(frozen=True, kw_only=True)
class Model:
    """A recorded model."""

    node: str
    """`model:<name>@<version>`."""
    path: str
    sha256: str
    trained_on: str
    """Node of the exact snapshot or sample set."""
    n_samples: int
    n_bytes: int
    """Of its samples."""
    status: ModelStatus
    run_id: str
    recorded_at: str


@dataclass(frozen=True, kw_only=True)
class Share:
    """How much of a model's training set one thing makes up: a model, a source or a licence."""

    name: str
    n_documents: int
    n_samples: int
    n_bytes: int
    share: float
    """Of the model's samples."""
    share_bytes: float
    """Of the bytes of the model's samples."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """A model's training set by source and by licence, largest first."""

    by_source: tuple[Share, ...]
    by_licence: tuple[Share, ...]


@dataclass(frozen=True)
class ModelRecords:
    """The models in the ledger behind a SQLAlchemy URL."""

    url: str

    def add(  # noqa: PLR0913  one argument per recorded column
        self,
        name: str,
        version: str,
        *,
        path: str,
        sha256: str,
        run_id: str,
        trained_on: str,
        samples: Iterable[Exposure],
        base: str = "",
    ) -> str:
        """Record a model with its training documents and give its node.

        `samples` says for each document of each source how many samples and bytes of it the model
        saw; what is given twice adds up. `base` is the node of the model that training began from.
        The model itself is written last, so that one that is found is complete. The same facts
        again change nothing; other weights under the same name are a ConflictError.
        """
        node = f"model:{name}@{version}"
        self._refuse_other(node, sha256, trained_on)
        exposures = _merged(node, samples)
        for batch in batches(exposures.values()):
            with writing(self.url) as connection:
                record(connection, schema.exposure, [_exposure_row(node, one) for one in batch])
        count = sum(one.n_samples for one in exposures.values())
        row: Row = {"node": node, "path": path, "sha256": sha256, "trained_on": trained_on}
        row |= {"n_bytes": sum(one.n_bytes for one in exposures.values()), "n_samples": count}
        row |= {"status": "live", "run_id": run_id, "recorded_at": now()}
        artifact: Row = {"node": node, "kind": "model", "path": path, "sha256": sha256}
        artifact |= {"run_id": run_id, "params": json_text({"samples": count}), "status": "live"}
        edges = [(node, trained_on, "trainedOn"), (node, base, "wasDerivedFrom")]
        edges.append((node, f"run:{run_id}" if run_id else "", "generated"))
        with writing(self.url) as connection:
            record(connection, schema.artifact, [{**artifact, "created_at": now()}])
            record(connection, schema.derived, edge_rows(edge for edge in edges if edge[1]))
            record(connection, schema.model, [row])
        return node

    def get(self, node: str) -> Model:
        """Read a model by its node; NotFoundError names the ones there are."""
        with reading(self.url) as connection:
            row = _read(connection, node)
        if row is None:
            names = ", ".join(model.node for model in self.list())
            raise NotFoundError(
                "no such model", item=node, way_out=f"There are: {names or 'none; train one first'}"
            )
        return _model(row)

    def list(self) -> Sequence[Model]:
        """Give all models, sorted by node."""
        query = sa.select(schema.model).order_by(schema.model.c.node)
        with reading(self.url) as connection:
            return [_model(row._asdict()) for row in connection.execute(query)]

    def exposures(self, node: str) -> Sequence[Exposure]:
        """Give what a model was trained on, sorted by source and document."""
        table = schema.exposure
        query = sa.select(table).where(table.c.model == node)
        with reading(self.url) as connection:
            rows = connection.execute(query.order_by(table.c.source, table.c.doc_id)).all()
        return [Exposure(**{k: getattr(row, k) for k in _FIELDS}) for row in rows]

    def exposed(self, doc_ids: Iterable[str], source: str = "") -> Sequence[Share]:
        """Give the models trained on any of the documents, with their share; of one source if named."""
        table, ids = schema.exposure, sorted(set(doc_ids))
        found: dict[str, Sequence[int]] = {}
        for start in range(0, len(ids), _LOOKUP_KEYS):
            which = table.c.doc_id.in_(ids[start : start + _LOOKUP_KEYS])
            for row in self._sums(table.c.model, which, source):
                sums = found.setdefault(row[0], [0, 0, 0])
                found[row[0]] = [a + int(b) for a, b in zip(sums, row[1:], strict=True)]
        return self._shares_of_models(found)

    def exposed_to(self, source: str) -> Sequence[Share]:
        """Give the models trained on any document of a source, with their share."""
        table = schema.exposure
        rows = self._sums(table.c.model, sa.true(), source)
        return self._shares_of_models({row[0]: [int(n) for n in row[1:]] for row in rows})

    def shares(self, node: str) -> Shares:
        """Give the training set of a model by source and by licence; NotFoundError without the model."""
        total, table = _total(self.get(node)), schema.exposure
        mine = table.c.model == node
        groups = (
            tuple(
                _share(row[0], [int(n) for n in row[1:]], total) for row in self._sums(column, mine)
            )
            for column in (table.c.source, table.c.licence)
        )
        by_source, by_licence = (tuple(sorted(group, key=_largest)) for group in groups)
        return Shares(by_source=by_source, by_licence=by_licence)

    def mark(self, node: str, status: ModelStatus) -> None:
        """Set the status of a model; NotFoundError without it."""
        self.get(node)
        with writing(self.url) as connection:
            row = _read(connection, node)
            record(connection, schema.model, [{**(row or {}), "status": status}])

    def _refuse_other(self, node: str, sha256: str, trained_on: str) -> None:
        with reading(self.url) as connection:
            row = _read(connection, node)
        if row is not None and (row["sha256"], row["trained_on"]) != (sha256, trained_on):
            raise ConflictError(
                "is recorded with other weights or another training set",
                item=node,
                way_out="Give this one a new version",
            )

    def _sums(
        self, column: sa.Column[Any], which: sa.ColumnElement[bool], source: str = ""
    ) -> Sequence[Any]:
        """Sum exposures by a column: its value, documents, samples, bytes."""
        table = schema.exposure
        once = source and column is table.c.model  # the key: a document of a source, once a model
        documents = sa.func.count() if once else sa.func.count(sa.distinct(table.c.doc_id))
        sums = [sa.func.coalesce(sa.func.sum(table.c[name]), 0) for name in _SUMMED]
        query = sa.select(column, documents, *sums).where(which).group_by(column)
        if source:
            query = query.where(table.c.source == source)
        with reading(self.url) as connection:
            return list(connection.execute(query).all())

    def _shares_of_models(self, found: Mapping[str, Sequence[int]]) -> Sequence[Share]:
        if not found:
            return []
        totals = {model.node: _total(model) for model in self.list()}
        shares = [_share(n, sums, totals[n]) for n, sums in found.items() if n in totals]
        return sorted(shares, key=_largest)


_FIELDS = tuple(Exposure.__dataclass_fields__)
_SUMMED = ("n_samples", "n_bytes")


def _merged(node: str, samples: Iterable[Exposure]) -> dict[tuple[str, str], Exposure]:
    found: dict[tuple[str, str], Exposure] = {}
    for one in samples:
        key = (one.doc_id, one.source)
        old = found.get(key)
        if old is not None and old.licence != one.licence:
            raise InputError(
                f"document {one.doc_id} of {one.source} has two licences: "
                f"{old.licence}, {one.licence}",
                item=node,
                way_out="Give each document of a source one licence",
            )
        found[key] = one if old is None else _sum(old, one)
    return found


def _sum(one: Exposure, other: Exposure) -> Exposure:
    return Exposure(
        doc_id=one.doc_id,
        source=one.source,
        licence=one.licence,
        n_samples=one.n_samples + other.n_samples,
        n_bytes=one.n_bytes + other.n_bytes,
    )


def _exposure_row(node: str, one: Exposure) -> Row:
    return {"model": node, **{name: getattr(one, name) for name in _FIELDS}}


def _read(connection: sa.Connection, node: str) -> Row | None:
    query = sa.select(schema.model).where(schema.model.c.node == node)
    row = connection.execute(query).mappings().first()
    return None if row is None else {k: v for k, v in row.items() if k != "row_hash"}


def _model(row: Any) -> Model:
    return Model(**{name: row[name] for name in Model.__dataclass_fields__})


def _share(name: str, sums: Sequence[int], total: Sequence[int]) -> Share:
    return Share(
        name=name,
        n_documents=sums[0],
        n_samples=sums[1],
        n_bytes=sums[2],
        share=sums[1] / total[1] if total[1] else 0.0,
        share_bytes=sums[2] / total[2] if total[2] else 0.0,
    )


def _total(model: Model) -> tuple[int, int, int]:
    return (0, model.n_samples, model.n_bytes)


def _largest(share: Share) -> tuple[int, int, str]:
    return (-share.n_samples, -share.n_bytes, share.name)
