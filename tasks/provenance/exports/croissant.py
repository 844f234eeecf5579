"""Croissant 1.1 metadata of a snapshot: its Parquet files with their hashes, its licences, its columns."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from storage.errors import CorruptError, InputError
from storage.home import Home
from storage.records import Part
from storage.tables import Table
from tasks.provenance.exports.lineage import lineage_of, split_snapshot, used_documents

if TYPE_CHECKING:
    from mlcroissant import Field, FileObject, FileSet, Metadata

PARQUET = "application/vnd.apache.parquet"

_FILES = "files"
_SPDX_LICENCE = "https://spdx.org/licenses/{}.html"


def export_croissant(home: Home, node: str) -> dict[str, Any]:
    """Give the Croissant metadata of a snapshot; mlcroissant finds no error in it."""
    import json

    metadata = croissant_metadata(home, node)
    issues = metadata.ctx.issues
    if issues.errors or issues.warnings:
        raise CorruptError(issues.report().strip(), item=node)
    return json.loads(json.dumps(metadata.to_json(), default=str))


def croissant_metadata(home: Home, node: str) -> "Metadata":
    """Build the metadata of a snapshot."""
    row = lineage_of(home, node).rows[node]
    name, version = split_snapshot(node)
    table = home.table(name)
    known = {part.path: part.sha256 for part in home.ledger.parts(name)}
    parts = table.parts(version, known)
    if not parts:
        raise InputError("has no rows", item=node, way_out="Give a snapshot of another version")
    import mlcroissant as mlc

    return mlc.Metadata(
        name=name,
        description=f"Version {version} of the table {name}: {sum(p.n_rows for p in parts)} rows.",
        version=f"{version}.0.0",
        url=f"urn:suyuan:{node}",
        cite_as=f"{node}, rows {row['sha256']}",
        date_published=datetime.fromisoformat(str(row["created_at"])),
        license=_licences(home, node) or None,
        conforms_to=["http://mlcommons.org/croissant/1.1"],
        distribution=list(_distribution(table, parts)),
        record_sets=[
            mlc.RecordSet(
                id="rows",
                name="rows",
                key=[f"rows/{column}" for column in table.spec.key],
                fields=list(_fields(table)),
            )
        ],
    )


def _licences(home: Home, node: str) -> list[str]:
    """Give the licence expressions of the documents, sorted; one identifier as its SPDX address."""
    if split_snapshot(node)[0] not in {"documents", "chunks"}:
        return []
    found = sorted({one.licence for one in used_documents(home, node) if one.licence})
    return [_SPDX_LICENCE.format(name) if _is_identifier(name) else name for name in found]


def _is_identifier(expression: str) -> bool:
    other = expression in {"NOASSERTION", "NONE"} or expression.startswith("LicenseRef-")
    return not other and " " not in expression


def _distribution(table: Table, parts: list[Part]) -> Iterator["FileObject | FileSet"]:
    import mlcroissant as mlc

    for part in parts:
        yield mlc.FileObject(
            id=part.path,
            name=part.path.rsplit("/", 1)[-1],
            content_url=table.files.name(part.path),
            content_size=f"{part.n_bytes} B",
            encoding_formats=[PARQUET],
            sha256=part.sha256,
        )
    yield mlc.FileSet(
        id=_FILES,
        name=_FILES,
        contained_in=[part.path for part in parts],
        encoding_formats=[PARQUET],
        includes=["*.parquet"],
    )


def _fields(table: Table) -> Iterator["Field"]:
    """Describe the columns that lie in the files; partition columns lie in their paths."""
    import mlcroissant as mlc

    for column in table.spec.schema:
        kind, repeated = _data_type(column.type)
        if column.name not in table.spec.partition_by and kind is not None:
            yield mlc.Field(
                id=f"rows/{column.name}",
                name=column.name,
                data_types=[kind],
                is_array=True if repeated else None,
                array_shape="-1" if repeated else None,
                source=mlc.Source(file_set=_FILES, extract=mlc.Extract(column=column.name)),
            )


def _data_type(kind: pa.DataType) -> tuple[Any, bool]:
    import mlcroissant as mlc

    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _data_type(kind.value_type)[0], True
    if pa.types.is_struct(kind) or pa.types.is_binary(kind):
        return None, False  # Croissant has no type for them
    if pa.types.is_integer(kind):
        return mlc.DataType.INTEGER, False
    if pa.types.is_floating(kind):
        return mlc.DataType.FLOAT, False
    if pa.types.is_timestamp(kind):
        return mlc.DataType.DATETIME, False
    return mlc.DataType.TEXT, False
