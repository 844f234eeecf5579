"""The errors that Suyuan raises on purpose.

    SuyuanError
    ├── InputError          the caller's input cannot be used          exit 2
    ├── MissingError        something that must exist is absent        exit 3
    │   └── NotFoundError   a named record is not in the store
    ├── GateError           a quality or policy gate said no           exit 4
    ├── ConflictError       somebody else changed it first             exit 5
    ├── CorruptError        stored bytes are not what was written      exit 1
    └── UnavailableError    a service did not answer in time           exit 1

Each carries the item it is about, the cause, and the next step.
"""

from typing import ClassVar


class SuyuanError(Exception):
    """Base of all deliberate errors: what happened to which item, and the way out."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "SY000"

    def __init__(self, cause: str, *, item: str = "", way_out: str = "") -> None:
        """Keep the parts apart, so that a caller can show or log them separately."""
        super().__init__(cause, item, way_out)
        self.cause = cause
        self.item = item
        self.way_out = way_out

    def __str__(self) -> str:
        """Give one line: code, item, cause, next step."""
        head = (
            f"[{self.code}] {self.item}: {self.cause}"
            if self.item
            else f"[{self.code}] {self.cause}"
        )
        return f"{head}. {self.way_out}" if self.way_out else head

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip through a Dask worker with item and way out intact."""
        return (_rebuild, (type(self), self.cause, self.item, self.way_out))


def _rebuild(kind: type[SuyuanError], cause: str, item: str, way_out: str) -> SuyuanError:
    return kind(cause, item=item, way_out=way_out)


class InputError(SuyuanError):
    """The caller's input cannot be used as it is."""

    exit_code: ClassVar[int] = 2
    code: ClassVar[str] = "SY100"


class MissingError(SuyuanError):
    """A precondition does not hold: a file, table, index or program is absent."""

    exit_code: ClassVar[int] = 3
    code: ClassVar[str] = "SY200"


class NotFoundError(MissingError):
    """A record with this name is not in the store."""

    code: ClassVar[str] = "SY201"


class GateError(SuyuanError):
    """A quality, licence or policy gate refused."""

    exit_code: ClassVar[int] = 4
    code: ClassVar[str] = "SY300"


class ConflictError(SuyuanError):
    """Another writer changed the same thing first; read again and retry."""

    exit_code: ClassVar[int] = 5
    code: ClassVar[str] = "SY400"


class CorruptError(SuyuanError):
    """Stored bytes differ from what was written."""

    code: ClassVar[str] = "SY500"


class UnavailableError(SuyuanError):
    """A service did not answer within its time limit."""

    code: ClassVar[str] = "SY600"
