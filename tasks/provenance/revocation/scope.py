"""What a revocation is about: a source, a document or a licence."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import polars as pl

from storage.errors import InputError

Kind = Literal["source", "doc", "licence"]
_KINDS: dict[str, Kind] = {
    "source": "source", "doc": "doc", "licence": "licence", "license": "licence",
}  # fmt: skip
_SHA = re.compile(r"[0-9a-f]{64}")
_OPERATORS = frozenset({"AND", "OR", "WITH"})
_WORD = re.compile(r"[^\s()]+")


@dataclass(frozen=True)
class Scope:
    """One source, one document, or all documents under a licence."""

    kind: Kind
    value: str

    def __str__(self) -> str:
        """Give the scope as the ledger names it."""
        return f"{self.kind}:{self.value}"

    def rows(self, documents: pl.LazyFrame) -> pl.LazyFrame:
        """Select the rows of the documents table that the scope names."""
        if self.kind == "licence":
            named = documents.select("licence").unique().collect()["licence"].drop_nulls()
            wanted = [licence for licence in named if licence_matches(licence, self.value)]
            return documents.filter(pl.col("licence").is_in(wanted))
        return documents.filter(
            pl.col("source" if self.kind == "source" else "doc_id") == self.value
        )


def parse_scope(text: str) -> Scope:
    """Read `source:NAME`, `doc:SHA`, `licence:EXPR`, a bare SHA-256 or a bare name of a source."""
    text = text.strip()
    head, colon, rest = text.partition(":")
    kind = _KINDS.get(head) if colon else None
    value = rest.strip() if kind else text
    kind = kind or ("doc" if _SHA.fullmatch(text) else "source")
    if not value or (kind == "doc" and not _SHA.fullmatch(value)):
        raise InputError(
            "names no source, document or licence",
            item=text or "scope",
            way_out="Give source:NAME, doc:SHA256 in full, or licence:EXPR such as licence:GPL-*",
        )
    return Scope(kind, value)


def licence_matches(expression: str, pattern: str) -> bool:
    """Say whether a licence expression, or one licence named in it, fits a pattern with * and ?.

    One that is merely offered (OR) counts: leaving out too much is mended, too little is not.
    """
    wanted = " ".join(pattern.split()).lower()
    names = [word for word in _WORD.findall(expression) if word not in _OPERATORS]
    candidates = [" ".join(expression.split()), *names]
    return any(fnmatchcase(candidate.lower(), wanted) for candidate in candidates)
