"""How a bad input travels: an error inside a reader or extractor, a value in a batch."""

from dataclasses import dataclass

from storage.errors import InputError


class ExtractError(InputError):
    """An item, row or document cannot be used: machine reason and a sentence with the way out."""

    code = "SY110"

    def __init__(self, reason: str, detail: str) -> None:
        """Keep the reason apart from the sentence."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with both parts."""
        return (ExtractError, (self.reason, self.detail))


@dataclass(frozen=True, kw_only=True, slots=True)
class BadInput:
    """One thing that could not be read, with its bytes when they are at hand."""

    uri: str
    reason: str
    detail: str
    data: bytes = b""
