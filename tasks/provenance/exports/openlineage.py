"""OpenLineage run events of what the ledger recorded, through the client's own classes.

`export_openlineage` only builds events. They leave this machine when `send` is called with a URL, and
never through the client's configuration files or variables.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.errors import InputError, UnavailableError
from storage.files import explained, write_atomic
from storage.home import Home
from storage.schemas import TABLES
from tasks.provenance.exports.lineage import Lineage, kind_of, lineage_of

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

NAMESPACE = "suyuan"
PRODUCER = "urn:suyuan:exports"
TIMEOUT_S = 10.0

_STATES = {"finished": "COMPLETE", "failed": "FAIL", "crashed": "ABORT"}
_COLUMNS = {
    "chunks": {
        "documents": {"doc_id": "doc_id", "text_id": "text_id", "text": "text_id"},
    },
    "counts": {"chunks": {"text_sha": "text_sha", "terms": "text", "frequencies": "text"}},
    "vectors": {"chunks": {"text_sha": "text_sha", "vector": "text"}},
}
"""Which column of a table is computed from which column of the table before it."""


def export_openlineage(home: Home, node: str) -> list[dict[str, Any]]:
    """Give the events of all runs behind a node, or of one run, as JSON values in order of time."""
    import json

    from openlineage.client.serde import Serde

    return [json.loads(Serde.to_json(event)) for event in run_events(home, node)]


def run_events(home: Home, node: str) -> list["RunEvent"]:
    """Build the events: START, and how the run ended once it did, with inputs and outputs."""
    lineage = lineage_of(home, node)
    if kind_of(node) == "run":
        made = home.ledger.down(node, limit=1)
        edges = [*made, *(edge for one in made for edge in home.ledger.up(one.dst, limit=1))]
        rows = {end: _row(home, end) for edge in edges for end in (edge.dst, edge.src)}
        lineage = Lineage(node=node, edges=tuple(edges), rows={**lineage.rows, **rows})
    runs = sorted(name for name in lineage.rows if kind_of(name) == "run")
    events = [event for run in runs for event in _events_of(run, lineage)]
    return sorted(events, key=lambda event: event.eventTime)


def write_events(events: Sequence["RunEvent"], path: Path) -> int:
    """Write events as JSON lines through the client's file transport; the file appears whole."""
    from openlineage.client.transport.file import FileConfig, FileTransport

    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    with explained(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        try:
            transport = FileTransport(FileConfig(log_file_path=str(part), append=True))
            for event in events:
                transport.emit(event)
            write_atomic(path, part.read_bytes())
        finally:
            part.unlink(missing_ok=True)
    return len(events)


def send(events: Sequence["RunEvent"], url: str, api_key: str = "") -> int:
    """Send events to an OpenLineage server (Marquez and others); UnavailableError names the event."""
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    if not url.startswith(("http://", "https://")):
        raise InputError("is no http URL", item=url, way_out="Give the address of the server")
    config = HttpConfig(url=url, timeout=TIMEOUT_S, retry={"total": 2, "backoff_factor": 0.1})
    if api_key:
        config.auth = ApiKeyTokenProvider({"apiKey": api_key})
    transport = HttpTransport(config)
    for number, event in enumerate(events):
        try:
            transport.emit(event)
        except Exception as error:  # the client raises what requests and urllib3 raise
            cause = f"did not take event {number + 1} of {len(events)} ({type(error).__name__})"
            way_out = "Check the server and send again: events are idempotent by run and time"
            raise UnavailableError(cause, item=url, way_out=way_out) from error
    return len(events)


def _events_of(node: str, lineage: Lineage) -> Iterable["RunEvent"]:
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    row = lineage.rows[node]
    job = Job(namespace=NAMESPACE, name=str(row.get("flow") or "unknown"))
    run = Run(runId=run_uuid(node.removeprefix("run:")))
    common: dict[str, Any] = {"run": run, "job": job, "producer": PRODUCER}
    if row.get("started_at"):
        yield RunEvent(eventType=RunState.START, eventTime=row["started_at"], **common)
    state = _STATES.get(str(row.get("state")))
    if state and row.get("finished_at"):
        outputs = lineage.made_by.get(node, [])
        inputs = sorted({name for made in outputs for name in lineage.made_from.get(made, [])})
        read = [name for name in inputs if name not in outputs]
        yield RunEvent(
            eventType=RunState[state],
            eventTime=row["finished_at"],
            inputs=[_input(name, lineage.rows[name]) for name in read],
            outputs=[_output(name, lineage) for name in outputs],
            **common,
        )


def _input(node: str, row: Mapping[str, Any]) -> Any:
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(namespace=NAMESPACE, name=dataset_name(node), facets=_version(node, row))


def _output(node: str, lineage: Lineage) -> Any:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.generated.lineage import LineageDatasetFacet, LineageDatasetInput

    facets = _version(node, lineage.rows[node])
    sources = lineage.made_from.get(node, [])
    inputs = [
        LineageDatasetInput(namespace=NAMESPACE, name=dataset_name(name), type="DATASET")
        for name in sources
    ]
    facets["lineage"] = LineageDatasetFacet(inputs=inputs, producer=PRODUCER)
    columns = _columns(node, sources)
    if columns is not None:
        facets["columnLineage"] = columns
    return OutputDataset(namespace=NAMESPACE, name=dataset_name(node), facets=facets)


def _version(node: str, row: Mapping[str, Any]) -> dict[str, Any]:
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet

    name = node.partition(":")[2]
    number = name.partition("@")[2]
    digest = str(row.get("sha256") or ("" if number else name))
    version = "-".join(part for part in (number, digest) if part)
    return {"version": DatasetVersionDatasetFacet(datasetVersion=version, producer=PRODUCER)}


def _columns(node: str, sources: Sequence[str]) -> Any:
    """Give the column lineage of a table; None for what has no columns."""
    from openlineage.client.generated.column_lineage_dataset import (
        ColumnLineageDatasetFacet,
        Fields,
        InputField,
    )

    known = _COLUMNS.get(dataset_name(node), {})
    pairs: dict[str, list[Any]] = {}
    for source in sources:
        for column, origin in known.get(dataset_name(source), {}).items():
            field = InputField(namespace=NAMESPACE, name=dataset_name(source), field=origin)
            pairs.setdefault(column, []).append(field)
    if not pairs:
        return None
    fields = {column: Fields(inputFields=found) for column, found in sorted(pairs.items())}
    return ColumnLineageDatasetFacet(fields=fields, producer=PRODUCER)


def dataset_name(node: str) -> str:
    """Name the dataset that a node is a version of: a table, or `<kind>/<name>`."""
    kind, _, name = node.partition(":")
    plain = name.partition("@")[0]
    if kind == "snap" and plain in TABLES:
        return plain
    return f"{kind}/{plain if kind in {'model', 'snap'} else name}"


def run_uuid(run_id: str) -> str:
    """Give the run's UUID; an id that is none gets one that is always the same."""
    try:
        return str(uuid.UUID(run_id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:suyuan:run:{run_id}"))


def _row(home: Home, node: str) -> Mapping[str, Any]:
    from tasks.provenance.exports.lineage import row_of

    return row_of(home, node) or {}
