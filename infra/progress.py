"""Progress for people: a bar or sparse lines on stderr, and an artifact in the Prefect UI."""

import contextvars
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO
from uuid import UUID

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from infra.artifacts import artifact_key, attempt

Report = Callable[[str, int, int], None]
"""Takes label, done, total."""

LINE_STEP_PERCENT = 10
ARTIFACT_INTERVAL_S = 1.0
CLOSE_TIMEOUT_S = 6.0


def silent(label: str, done: int, total: int) -> None:
    """Show nothing."""
    del label, done, total


class Lines:
    """Writes one line per ten per cent: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: dict[str, int] = {}

    def __call__(self, label: str, done: int, total: int) -> None:
        """Write a line when a new tenth of the label's work is reached."""
        tenth = done * 100 // max(total, 1) // LINE_STEP_PERCENT
        if tenth > self._shown.get(label, 0):
            self._stream.write(f"{label}: {done}/{total}\n")
            self._stream.flush()
        self._shown[label] = tenth

    def close(self) -> None:
        """Keep nothing open."""


class Bar:
    """Draws one moving bar per label: for terminals."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(file=stream),
        )
        self._bars: dict[str, TaskID] = {}

    def __call__(self, label: str, done: int, total: int) -> None:
        """Move the label's bar; the first call draws it."""
        if not self._bars:
            self._progress.start()
        if label not in self._bars:
            self._bars[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._bars[label], completed=done, total=total)

    def close(self) -> None:
        """Leave the bars in their last state."""
        self._progress.stop()


class PrefectProgress:
    """Shows the latest progress in one Prefect artifact per label, from a thread of its own.

    The work never waits for the server: a report only replaces the pending one, and the thread
    gives up for good at the first failure.
    """

    def __init__(self, flow: str, interval_s: float = ARTIFACT_INTERVAL_S) -> None:
        self._flow = flow
        self._interval_s = interval_s
        self._pending: dict[str, float] = {}
        self._artifacts: dict[str, UUID] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def __call__(self, label: str, done: int, total: int) -> None:
        """Note the progress; the thread sends it within a second."""
        with self._wake:
            self._pending[label] = 100.0 * done / max(total, 1)
            self._wake.notify()
        if self._thread is None:
            context = contextvars.copy_context()  # it names the flow run
            self._thread = threading.Thread(
                target=context.run, args=(self._send_all,), name="suyuan-progress", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Send what is pending, within a time limit."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _send_all(self) -> None:
        while attempt(self._send_pending, False):
            with self._wake:
                self._wake.wait_for(lambda: self._closed, self._interval_s)

    def _send_pending(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: bool(self._pending) or self._closed)
            pending, self._pending = self._pending, {}
            last = self._closed
        for label, percent in pending.items():
            self._send(label, percent)
        return not last

    def _send(self, label: str, percent: float) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        if label in self._artifacts:
            update_progress_artifact(self._artifacts[label], progress=percent)
            return
        self._artifacts[label] = create_progress_artifact(  # type: ignore[assignment]  # sync here
            percent, key=artifact_key(self._flow, label), description=label
        )


class Reporter:
    """Hands each report to every sink."""

    def __init__(self, *sinks: "Bar | Lines | PrefectProgress") -> None:
        self._sinks = sinks

    def __call__(self, label: str, done: int, total: int) -> None:
        """Show that done of total jobs of this label are finished."""
        for sink in self._sinks:
            sink(label, done, total)

    def __enter__(self) -> Self:
        """Show progress until the block ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every sink."""
        for sink in self._sinks:
            sink.close()


def reporter(flow: str, *, in_prefect: bool, stream: TextIO | None = None) -> Reporter:
    """Pick the sinks that fit the place this process runs in."""
    stream = stream or sys.stderr
    terminal = Bar(stream) if stream.isatty() else Lines(stream)
    return Reporter(terminal, PrefectProgress(flow)) if in_prefect else Reporter(terminal)
