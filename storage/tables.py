"""Versioned tables: Parquet parts under a Delta Lake log.

Workers write parts; a part that no commit names is garbage and harmless. One commit makes many
parts one new version. Everything works on local paths and on s3:// URLs (AWS_* variables).
"""

import io
import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from storage import table_log
from storage.digest import rows_root, sha256_hex
from storage.errors import ConflictError, CorruptError, NotFoundError
from storage.files import Files, explained
from storage.records import Part
from storage.schemas import TableSpec
from storage.table_log import Purges

_COMMIT_TRIES = 20
_COMMIT_PAUSE_S = 0.05
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_ROW_GROUP_ROWS = 1 << 16

T = TypeVar("T")
_Action: TypeAlias = AddAction | RemoveAction


@dataclass(frozen=True)
class Table:
    """One table: its folder or URL and its schema. Holds no connection, so it pickles."""

    root_url: str
    spec: TableSpec

    def exists(self) -> bool:
        """Say whether the table was ever created."""
        return self.version() >= 0

    def version(self) -> int:
        """Give the number of the newest version; -1 when the table is absent."""
        table = self._open()
        return -1 if table is None else int(table.version())

    def scan(self, version: int | None = None) -> pl.LazyFrame:
        """Read lazily, with the columns and types of the schema; no rows when the table is absent."""
        return self.scan_files([part.path for part in self.live(version)])

    def scan_files(self, paths: Sequence[str]) -> pl.LazyFrame:
        """Read the rows of some files of the table, as scan does."""
        schema = pl.Schema(self.spec.schema)
        if not paths:
            return pl.LazyFrame(schema=schema)
        frame = pl.scan_parquet(
            [self.files.name(path) for path in sorted(paths)],
            hive_partitioning=bool(self.spec.partition_by),
            hive_schema=dict.fromkeys(self.spec.partition_by, pl.String) or None,
            storage_options=storage_options(self.root_url) or None,
        )
        return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())

    def write_part(
        self, name: str, table: pa.Table, partition: Mapping[str, str] | None = None
    ) -> Part:
        """Write rows as one Parquet file; no version is made. Called in workers.

        Equal rows in equal order give equal bytes. Derive the name from the content and the
        settings of the computation: a name must never stand for two different sets of rows.
        """
        values = dict(partition or {})
        path = self._part_path(name, values)
        data = _parquet_bytes(table, self._file_schema())
        self.files.write(path, data)
        return Part(
            path=path,
            n_bytes=len(data),
            n_rows=table.num_rows,
            sha256=sha256_hex(data),
            partition=values,
        )

    def find_part(self, name: str, partition: Mapping[str, str] | None = None) -> Part | None:
        """Find a complete part that a killed run left; None when absent or not readable."""
        values = dict(partition or {})
        path = self._part_path(name, values)
        try:
            data = self.files.read(path)
        except NotFoundError:
            return None
        try:
            rows = pq.read_table(pa.BufferReader(data), page_checksum_verification=True).num_rows
        except (pa.ArrowException, OSError):
            return None
        sha = sha256_hex(data)
        return Part(path=path, n_bytes=len(data), n_rows=rows, sha256=sha, partition=values)

    def commit(self, parts: Sequence[Part], *, run_id: str, root: str = "") -> int:
        """Make one version of many parts; parts that the table has already are left out.

        No version is made when nothing is left; the table is created when it is absent. Gives
        the newest version, which holds all the parts.
        """
        metadata = {"run_id": run_id, **({"merkle_root": root} if root else {})}

        def attempt(table: DeltaTable) -> int:
            live = set(_live(table))
            actions = [_add_action(part) for part in parts if part.path not in live]
            if actions:
                self._write(table, actions, metadata)
            return int(table.version())

        return self._retried(attempt, run_id)

    def replace(self, changes: Mapping[str, Part | None], *, run_id: str, by: str = "") -> int:
        """Take parts out of the table and put others in their place, in one version.

        `changes` maps the path of a live part to the part that replaces it, or to None. Parts
        that are live no longer are left out: another writer rewrote them. The commit carries no
        value of any row.
        """
        metadata = {"run_id": run_id, **({"by": by} if by else {})}

        def attempt(table: DeltaTable) -> int:
            live = _live(table)
            todo = {path: new for path, new in changes.items() if path in live}
            added = [_add_action(new) for new in todo.values() if new and new.path not in live]
            if todo:
                gone = [_remove_action(self._part_of(live[path])) for path in todo]
                self._write(table, [*gone, *added], metadata)
            return int(table.version())

        return self._retried(attempt, run_id)

    def _write(self, table: DeltaTable, actions: list[_Action], metadata: dict[str, str]) -> None:
        table.create_write_transaction(
            actions,
            mode="append",
            schema=table.schema(),
            partition_by=list(self.spec.partition_by),
            commit_properties=CommitProperties(custom_metadata=metadata),
        )
        table.update_incremental()

    def read_part(self, path: str) -> pa.Table:
        """Read one Parquet file of the table with the columns that it holds."""
        return pq.read_table(pa.BufferReader(self.files.read(path)))

    def purges(self) -> Purges:
        """Say which versions were purged, and by what."""
        return table_log.read_purges(self.files)

    def checkpoint(self) -> int:
        """Write the newest version's list of files as a checkpoint, and give the version."""
        table = self._open()
        if table is None:
            return -1
        table.create_checkpoint()
        return int(table.version())

    def merge(self, rows: pa.Table, *, run_id: str) -> int:
        """Insert or replace rows by their key in one version; no version when nothing changes."""
        new = pl.DataFrame(pl.from_arrow(rows.select(self.spec.schema.names)))
        new = new.cast(pl.Schema(self.spec.schema))
        self._check_keys(new)
        matches = " AND ".join(f't."{column}" = s."{column}"' for column in self.spec.key)

        def attempt(table: DeltaTable) -> int:
            changed = self._changed(new, int(table.version()))
            if not changed.is_empty():
                merger = table.merge(
                    changed.to_arrow().cast(self.spec.schema),
                    predicate=matches,
                    source_alias="s",
                    target_alias="t",
                    writer_properties=WriterProperties(compression="ZSTD"),
                    commit_properties=CommitProperties(custom_metadata={"run_id": run_id}),
                )
                merger.when_matched_update_all().when_not_matched_insert_all().execute()
            return int(table.version())

        return self._retried(attempt, run_id)

    def live(self, version: int | None = None) -> list[Part]:
        """Give the files that make up a version, sorted by path, without reading them."""
        table = self._open(version)
        try:
            actions = {} if table is None else _live(table)
        except DeltaError as error:
            raise _corrupt(self.spec.name, error) from error
        return [self._part_of(action) for _, action in sorted(actions.items())]

    def parts(
        self, version: int | None = None, known: Mapping[str, str] | None = None
    ) -> list[Part]:
        """Give the live files with the SHA-256 of their bytes; `known` maps paths not to re-read."""
        given = known or {}
        return [
            replace(part, sha256=given.get(part.path) or sha256_hex(self.files.read(part.path)))
            for part in self.live(version)
        ]

    def replayed(self, version: int) -> set[str]:
        """Give the paths of a version from the commits alone, from the last purge on."""
        return table_log.replay(self.files, version)[0]

    def root(self, version: int | None = None) -> str:
        """Digest the rows over the stable columns, independent of their order and of the files."""
        stable = list(self.spec.stable or self.spec.schema.names)
        return rows_root(self.scan(version).select(stable).collect(), stable)

    def history(self) -> list[dict[str, Any]]:
        """Give what each version was made by, newest first."""
        table = self._open()
        try:
            return [] if table is None else table.history()
        except DeltaError as error:
            raise _corrupt(self.spec.name, error) from error

    def log_files(self, version: int) -> list[Part]:
        """Give the commits of the Delta log up to a version; a commit is never written again."""
        return table_log.log_files(self.files, version)

    @property
    def files(self) -> Files:
        """Folder of the parts and of the log."""
        return Files(self.root_url)

    def _file_schema(self) -> pa.Schema:
        inside = [f for f in self.spec.schema if f.name not in self.spec.partition_by]
        return pa.schema(inside)

    def _part_path(self, name: str, values: Mapping[str, str]) -> str:
        if set(values) != set(self.spec.partition_by):
            raise ValueError(f"{self.spec.name} is partitioned by {self.spec.partition_by}")
        for word in (name, *values.values()):
            if not _SAFE_NAME.fullmatch(word):
                raise ValueError(f"{word!r} cannot be part of a file name")
        folders = "".join(f"{column}={values[column]}/" for column in self.spec.partition_by)
        return f"{folders}{name}.parquet"

    def _open(self, version: int | None = None) -> DeltaTable | None:
        if version is not None:
            self._refuse_purged(version)
        options = storage_options(self.root_url)
        try:
            return DeltaTable(self.root_url, version=version, storage_options=options or None)
        except TableNotFoundError:
            return None
        except DeltaError as error:
            if version is None:
                raise _corrupt(self.spec.name, error) from error
            raise NotFoundError(
                f"version {version} does not exist",
                item=f"snap:{self.spec.name}@{version}",
                way_out=f"The newest is {self.version()}",
            ) from error

    def _refuse_purged(self, version: int) -> None:
        by = self.purges().purged_by(version)
        if by:
            raise NotFoundError(
                f"version {version} was purged by {by}",
                item=f"snap:{self.spec.name}@{version}",
                way_out=f"The oldest version that is left is {self.purges().base}",
            )

    def _create(self, run_id: str) -> DeltaTable:
        with explained(self.root_url):
            return DeltaTable.create(
                self.root_url,
                self.spec.schema,
                mode="ignore",
                configuration={"delta.enableExpiredLogCleanup": "false"},  # history is evidence
                name=self.spec.name,
                partition_by=list(self.spec.partition_by),
                storage_options=storage_options(self.root_url) or None,
                commit_properties=CommitProperties(custom_metadata={"run_id": run_id}),
            )

    def _retried(self, attempt: Callable[[DeltaTable], T], run_id: str) -> T:
        """Run a transaction on the newest version again until no other writer was faster."""
        for tried in range(_COMMIT_TRIES):
            try:
                return attempt(self._open() or self._create(run_id))
            except CommitFailedError as error:
                last = error
                time.sleep(random.uniform(0, _COMMIT_PAUSE_S * (tried + 1)))  # noqa: S311  jitter
        raise ConflictError(
            f"{_COMMIT_TRIES} attempts to commit lost to other writers",
            item=self.spec.name,
            way_out="Run it again",
        ) from last

    def _check_keys(self, rows: pl.DataFrame) -> None:
        keys = rows.select(self.spec.key)
        if any(keys.null_count().row(0)) if keys.height else False:
            raise ValueError(f"a key column of {self.spec.name} is null")
        double = keys.filter(keys.is_duplicated())
        if not double.is_empty():
            raise ValueError(f"two rows of {self.spec.name} have the key {double.row(0)}")

    def _changed(self, rows: pl.DataFrame, version: int) -> pl.DataFrame:
        """Keep the rows that are new or differ from the stored row of the same key."""
        key = list(self.spec.key)
        others = [name for name in rows.columns if name not in self.spec.key]
        stored = self.scan(version).join(rows.select(key).lazy(), on=key, how="semi").collect()
        marked = stored.with_columns(pl.lit(True).alias("_stored"))
        both = rows.join(marked, on=key, how="left", suffix="_old", maintain_order="left")
        same = pl.all_horizontal(
            pl.col("_stored").fill_null(False),
            *(pl.col(name).eq_missing(pl.col(f"{name}_old")) for name in others),
        )
        return rows.filter(~both.select(same).to_series())

    def _part_of(self, action: Mapping[str, Any]) -> Part:
        return Part(
            path=str(action["path"]),
            n_bytes=int(action["size_bytes"]),
            n_rows=int(action["num_records"] or 0),
            sha256="",
            partition={c: str(action[f"partition.{c}"]) for c in self.spec.partition_by},
        )


def storage_options(url: str) -> dict[str, str]:
    """Options of the object store behind a URL; empty for a local path."""
    if not url.startswith("s3"):
        return {}
    options = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    if options.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options.setdefault("AWS_ALLOW_HTTP", "true")
    options.setdefault("AWS_CONDITIONAL_PUT", "etag")
    return options


def _live(table: DeltaTable) -> dict[str, dict[str, Any]]:
    frame = pl.DataFrame(table.get_add_actions(flatten=True))
    return {unquote(row["path"]): {**row, "path": unquote(row["path"])} for row in frame.to_dicts()}


def _add_action(part: Part) -> AddAction:
    return AddAction(
        path=part.path,
        size=part.n_bytes,
        partition_values=dict(part.partition),
        modification_time=time.time_ns() // 1_000_000,
        data_change=True,
        stats=json.dumps({"numRecords": part.n_rows}),
    )


def _remove_action(part: Part) -> RemoveAction:
    return RemoveAction(
        path=part.path,
        data_change=True,
        deletion_timestamp=time.time_ns() // 1_000_000,
        size=part.n_bytes,
        partition_values=dict(part.partition),
    )


def _parquet_bytes(table: pa.Table, schema: pa.Schema) -> bytes:
    """Write with fixed options: no Arrow or pandas metadata, page checksums, zstd."""
    buffer = io.BytesIO()
    words = [f.name for f in schema if not pa.types.is_fixed_size_list(f.type)]
    pq.write_table(
        table.select(schema.names).cast(schema).replace_schema_metadata(None).combine_chunks(),
        buffer,
        compression="zstd",
        compression_level=3,
        use_dictionary=words,
        row_group_size=_ROW_GROUP_ROWS,
        write_page_checksum=True,
        store_schema=False,
    )
    return buffer.getvalue()


def _corrupt(name: str, error: Exception) -> CorruptError:
    return CorruptError(
        f"the Delta log cannot be read ({str(error).splitlines()[0]})",
        item=f"table:{name}",
        way_out="Run `suyuan verify --all` and restore the named file from a copy",
    )
