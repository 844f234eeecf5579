"""Read a licence policy from TOML. All of it is checked; what is wrong is named with its line.

`policy.toml` beside this file is the default table, and explains the format in its comments.
"""

import importlib.metadata
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from storage.digest import canonical_json, sha256_hex
from storage.errors import InputError, MissingError
from storage.records import UNKNOWN_LICENCE
from tasks.provenance.licences.names import spdx
from tasks.provenance.policy.table import (
    TERMS,
    UNKNOWN,
    USES,
    VERDICTS,
    WITH,
    Family,
    Policy,
    categories,
)

MAX_FILE_BYTES = 1 << 20
_FIELDS = frozenset(("name", "ids", "categories", "terms", *USES))
_HEAD = re.compile(r"\s*\[\[\s*family\s*\]\]")


@cache
def default_policy() -> Policy:
    """Load the table that is shipped."""
    text = files("tasks.provenance.policy").joinpath("policy.toml").read_text(encoding="utf-8")
    return parse_policy(text, "policy.toml")


def load_policy(path: Path | None) -> Policy:
    """Load a user's table, or the default without one."""
    if path is None or path == Path():  # SUYUAN_POLICY=""
        return default_policy()
    try:
        data = path.expanduser().read_bytes()
    except OSError as error:
        raise MissingError(
            f"the licence policy cannot be read ({error.strerror})",
            item=str(path),
            way_out="Set SUYUAN_POLICY to a TOML file, or unset it for the default",
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError("the licence policy is over one mebibyte", item=str(path))
    try:
        return parse_policy(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise InputError("the licence policy is not UTF-8", item=str(path)) from error


def parse_policy(text: str, name: str) -> Policy:
    """Read and check a table; an InputError names the line of the first thing that is wrong."""
    whole = _Place(text, name)
    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise whole.error(str(error)) from error
    if odd := sorted(table.keys() - {"name", "extends", "family"}):
        raise whole.error(f"unknown key {odd[0]!r}", odd[0])
    blocks = table.get("family", [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise whole.error("families are written as [[family]]", "family")
    own = [_read_family(_Place(text, name, number), block) for number, block in enumerate(blocks)]
    families = (*own, *_inherited(whole, table.get("extends", "")))
    _check_names(whole, [family.name for family in own], families)
    shown = str(table.get("name", Path(name).name))
    return Policy(name=shown, digest=_digest(families), families=families)


@dataclass(frozen=True)
class _Place:
    """The text of a policy file, and the number of the family that is being read."""

    text: str
    name: str
    family: int | None = None

    def error(self, cause: str, word: str = "") -> InputError:
        """Word what is wrong, with the line where the word stands."""
        line = self._line(word)
        return InputError(
            f"line {line}: {cause}" if line else cause,
            item=self.name,
            way_out="See the comments of tasks/provenance/policy/policy.toml for the format",
        )

    def _line(self, word: str) -> int:
        """Look the word up among the lines of the family; without it give the family's first."""
        lines = self.text.splitlines()
        start, end = 0, len(lines)
        if self.family is not None:
            heads = [n for n, line in enumerate(lines) if _HEAD.match(line)]
            start, end, *_ = [*heads[self.family : self.family + 2], end, end]
        whole = re.compile(rf"(?<![\w*.-]){re.escape(word)}(?![\w*.-])")
        for number in range(start, end):
            if word and whole.search(lines[number].partition("#")[0]):
                return number + 1
        return 0 if self.family is None else start + 1


def _inherited(place: _Place, extends: object) -> tuple[Family, ...]:
    if extends not in ("", "default"):
        raise place.error(f"extends is {extends!r}, but can only be 'default'", "extends")
    return default_policy().families if extends else ()


def _check_names(place: _Place, own: list[str], families: Iterable[Family]) -> None:
    """Ask for unequal names, and for a last word on everything else."""
    for number, name in enumerate(own):
        if name in own[:number]:
            here = _Place(place.text, place.name, number)
            raise here.error(f"family {name!r} is there twice", name)
    if not any(family.name == UNKNOWN for family in families):
        raise place.error(
            f"no family is called {UNKNOWN!r}; it says what holds for everything else "
            '(or write: extends = "default")'
        )


def _read_family(place: _Place, block: Mapping[str, Any]) -> Family:
    if odd := sorted(block.keys() - _FIELDS):
        raise place.error(f"unknown use or key {odd[0]!r}; uses are {', '.join(USES)}", odd[0])
    name = block.get("name")
    if not isinstance(name, str) or not name:
        raise place.error("a family needs a name")
    _check_verdicts(place, block)
    return Family(
        name=name,
        ids=_texts(place, block, "ids", _is_known_id, "is no SPDX licence id and fits none"),
        categories=_texts(
            place, block, "categories", set(categories().values()).__contains__, "is no category"
        ),
        terms=_texts(place, block, "terms", TERMS.__contains__, f"is not of {', '.join(TERMS)}"),  # type: ignore[arg-type]  # checked there
        verdicts=tuple(block[use] for use in USES),
    )


def _check_verdicts(place: _Place, block: Mapping[str, Any]) -> None:
    for use in USES:
        if use not in block:
            raise place.error(f"family {block['name']!r} does not say what holds for {use!r}")
        if block[use] not in VERDICTS:
            raise place.error(f"{use} is {block[use]!r}, not one of {', '.join(VERDICTS)}", use)


def _texts(
    place: _Place, block: Mapping[str, Any], key: str, is_good: Callable[[str], bool], blame: str
) -> tuple[str, ...]:
    values = block.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise place.error(f"{key} must be a list of texts", key)
    for value in values:
        if not is_good(value):
            raise place.error(f"{value!r} in {key} {blame}", value)
    return tuple(values)


def _is_known_id(pattern: str) -> bool:
    licence, _, exception = pattern.partition(WITH)
    if licence.startswith("LicenseRef-") or licence in ("NONE", UNKNOWN_LICENCE):
        return True
    return _fits_one(licence, exceptions=False) and (
        not exception or _fits_one(exception, exceptions=True)
    )


def _fits_one(pattern: str, *, exceptions: bool) -> bool:
    symbols = spdx().known_symbols.items()
    return any(s.is_exception == exceptions and fnmatchcase(n, pattern) for n, s in symbols)


def _digest(families: Iterable[Family]) -> str:
    """Hash the table, and the version of the index where a verdict can depend on it."""
    rows: dict[str, object] = {"families": [asdict(family) for family in families]}
    if any(family.categories for family in families):
        rows["index"] = importlib.metadata.version("license-expression")
    return sha256_hex(canonical_json(rows))
