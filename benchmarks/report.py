"""What all benchmarks share: the result record, the environment block, a table, the JSON file."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "bm25s", "dask", "deltalake", "distributed", "faiss-cpu", "numpy", "openvino", "polars",
    "prefect", "pyarrow", "sentence-transformers", "tokenizers", "torch", "transformers",
)  # fmt: skip
COLUMNS = ("name", "ours", "peer", "peer_name", "ratio", "unit", "n", "bar", "passes")
_GIT_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Result:
    """One compared figure. `passes` says whether the bar holds; None where there is no bar."""

    name: str
    ours: float
    unit: str
    n: int
    peer: float | None = None
    peer_name: str = ""
    bar: str = ""
    passes: bool | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Intervals and settings that a reader may want; not shown in the table."""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        return self.ours / self.peer if self.peer else None

    def record(self) -> dict[str, Any]:
        """Give the JSON form: the columns in their order, then the details if any."""
        known = asdict(self) | {"ratio": self.ratio}
        row = {name: _rounded(known[name]) for name in COLUMNS}
        return row | ({"detail": _rounded(dict(self.detail))} if self.detail else {})


def environment(**settings: Any) -> dict[str, Any]:
    """Describe this machine and run: versions, CPU, load, command, and the benchmark's settings."""
    return {
        "command": " ".join(
            ["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]]
        ),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "system": platform.system(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "settings": settings,
    }


def publish(noun: str, env: Mapping[str, Any], results: Sequence[Result], *, quick: bool) -> Path:
    """Print the table and write benchmarks/results/<noun>.json in one rename."""
    rows = [result.record() for result in results]
    print(table(rows))
    path = RESULTS / f"{noun}.json"
    path.parent.mkdir(exist_ok=True)
    body = {"env": {**env, "quick": quick, "load_after": os.getloadavg()[0]}, "results": rows}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(_rounded(body), indent=1, ensure_ascii=False) + "\n", "utf-8")
    temporary.replace(path)
    print(f"wrote {path.relative_to(RESULTS.parent.parent)}", file=sys.stderr)
    return path


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay rows out as a Markdown table of the result columns."""
    cells = [list(COLUMNS), *([shown(row.get(name)) for name in COLUMNS] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def shown(value: object) -> str:
    """Write a value for a reader: "-" for none, yes or no, three significant decimals."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
    return str(value)


@dataclass
class Spent:
    """CPU seconds of this process and all its children, and wall seconds."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def measured() -> Iterator[Spent]:
    """Measure a block; children that live on or die inside it are both counted."""
    import time

    spent = Spent()
    cpu, wall = _cpu_seconds(), time.perf_counter()
    yield spent
    spent.cpu, spent.wall = _cpu_seconds() - cpu, time.perf_counter() - wall


def _cpu_seconds() -> float:
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it died since the listing; its parent's children_* have it
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip()
