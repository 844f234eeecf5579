"""What a verification found: counts, speed and every problem by name."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from storage.errors import SuyuanError
from storage.records import Problem


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """Result of a verification; `dataclasses.asdict` gives JSON."""

    subject: str
    """`answer:<ulid>` or "all"."""
    ok: bool
    problems: tuple[Problem, ...]
    citations_checked: int
    citations_ok: int
    chunks_checked: int
    chunks_ok: int
    chunks_mapped: int
    """Chunks proven down to the original bytes; the others have no byte map, only a stored text."""
    blobs_checked: int
    parts_checked: int
    counts: Mapping[str, int]
    """Everything else that was counted, such as rows of the ledger or commits not recorded yet."""
    n_bytes: int
    seconds: float
    cpu_seconds: float
    mb_per_s: float
    """Millions of bytes read and proven per second of wall time."""


@dataclass
class Tally:
    """Collects the findings of one verification."""

    subject: str
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _clock: float = field(default_factory=time.perf_counter)
    _cpu: float = field(default_factory=time.process_time)

    def add(self, name: str, number: int = 1) -> None:
        """Count something."""
        self.counts[name] += number

    def problem(self, node: str, reason: str) -> None:
        """Keep one problem."""
        self.problems.append(Problem(node=node, reason=reason))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Keep problems that a store found by itself."""
        self.problems.extend(problems)

    def error(self, error: SuyuanError, node: str) -> None:
        """Keep an error as a problem of the thing that it names, else of the node."""
        self.problem(error.item or node, error.cause)

    def report(self) -> VerifyReport:
        """Close the books."""
        named = Counter(self.counts)
        fields = {
            name: named.pop(name, 0)
            for name in VerifyReport.__dataclass_fields__
            if name.startswith(("citations_", "chunks_")) or name.endswith(("_checked", "n_bytes"))
        }
        seconds = time.perf_counter() - self._clock
        unique = tuple(dict.fromkeys(self.problems))
        return VerifyReport(
            subject=self.subject,
            ok=not unique,
            problems=unique,
            counts=dict(sorted(named.items())),
            seconds=round(seconds, 3),
            cpu_seconds=round(time.process_time() - self._cpu, 3),
            mb_per_s=round(fields["n_bytes"] / 1e6 / max(seconds, 1e-9), 1),
            **fields,
        )
