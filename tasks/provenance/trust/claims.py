"""Contradictions between sources: the same sentence with another number, or with a negation.

A sentence is reduced to its frame: lower case, letters only, numbers as "#", negations dropped.
What was taken out is its claim. A frame is a statement of a source when the source gives it one
claim only; one with several is a template or a list and is left out. Statements of two or more
sources are compared: where claims differ, the plurality stands and the others contradict it; in a
tie all do. Sentences with neither number nor negation anywhere say nothing here. A document that
two sources hold byte for byte is no second voice and is left out.

It finds editions that differ as well as errors, and it finds no contradiction in other words.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

MIN_FRAME_BYTES = 40
"""Shorter frames are headings and fragments that agree by accident."""
MAX_STATEMENTS = 400_000
"""Sentences kept at a time; beyond it every second frame is dropped, the same in all sources."""
_SHOWN_CHARS = 120
_END = "\x1e"
_NUMBER = (
    r"\d+(?:[.,:/-]\d+)*|[〇零一二三四五六七八九十百千万萬亿億两兩]+"
    r"|\b(?:january|february|march|april|june|july|august|september|october|november|december)\b"
)
_NEGATION = r"\b(?:not|no|never|none|neither|nor|without)\b|n['’]t\b"
_NEGATION_CJK = "[不没沒無无未非勿]"
_SCHEMA = {
    "source": pl.String,
    "frame": pl.UInt64,
    "claim": pl.String,
    "said": pl.Boolean,
    "text": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How many statements of a source others make too, and how many of these differ."""

    n: int
    differ: int
    example: str
    """One of its sentences that differs."""
    other: str
    """The same sentence in another source."""
    other_source: str


def compare_claims(passages: Iterable[pl.DataFrame]) -> dict[str, Comparison]:
    """Compare the statements of sources; frames of (source, text) come piece by piece."""
    kept, keep_one_in = pl.DataFrame(schema=_SCHEMA), 1
    for piece in passages:
        found = _sample(_statements(piece), keep_one_in)
        kept = pl.concat([kept, found]).unique(["source", "frame", "claim"], maintain_order=True)
        while kept.height > MAX_STATEMENTS:
            keep_one_in *= 2
            kept = _sample(kept, keep_one_in)
    shared = _shared(kept)
    return {name: _comparison(shared, name) for name in shared["source"].unique().sort()}


def _statements(passages: pl.DataFrame) -> pl.DataFrame:
    """Cut passages into sentences, and these into frame and claim."""
    sentences = passages.select("source", text=_cut(pl.col("text"))).explode("text").drop_nulls()
    lower = pl.col("text").str.to_lowercase().str.replace_all(r"\bcannot\b", "can not")
    parts = sentences.with_columns(
        numbers=lower.str.extract_all(_NUMBER).list.join(" "),
        negations=lower.str.count_matches(f"{_NEGATION}|{_NEGATION_CJK}"),
        frame=lower.str.replace_all(_NUMBER, "#")
        .str.replace_all(_NEGATION, " ")
        .str.replace_all(_NEGATION_CJK, "")
        .str.replace_all(r"[^\p{L}#]+", " ")
        .str.strip_chars(),
    ).filter(pl.col("frame").str.len_bytes() >= MIN_FRAME_BYTES)
    negated = pl.col("negations") % 2 == 1
    return parts.select(
        "source",
        frame=pl.col("frame").hash(seed=0),
        claim=pl.col("numbers") + pl.when(negated).then(pl.lit(" not")).otherwise(pl.lit("")),
        said=(pl.col("numbers") != "") | negated,
        text=pl.col("text").str.strip_chars().str.slice(0, _SHOWN_CHARS),
    )


def _cut(text: pl.Expr) -> pl.Expr:
    marked = text.str.replace_all(r"([.!?])\s+", "${1}" + _END)
    marked = marked.str.replace_all(r"([。！？；])", "${1}" + _END)
    return marked.str.replace_all(r"\n\s*\n", _END).str.split(_END)


def _sample(statements: pl.DataFrame, keep_one_in: int) -> pl.DataFrame:
    return statements.filter(pl.col("frame") % keep_one_in == 0)


def _shared(kept: pl.DataFrame) -> pl.DataFrame:
    """Give what two or more sources state, with how many sources make each claim."""
    single = kept.filter(pl.len().over("source", "frame") == 1)
    shared = single.filter(
        (pl.col("source").n_unique().over("frame") > 1) & pl.col("said").any().over("frame")
    )
    votes = shared.with_columns(votes=pl.len().over("frame", "claim"))
    top = votes.with_columns(top=pl.col("votes").max().over("frame"))
    winners = pl.col("claim").filter(pl.col("votes") == pl.col("top")).n_unique().over("frame")
    differs = (pl.col("votes") < pl.col("top")) | (winners > 1)
    return top.with_columns(differs=differs).sort("frame", "source")


def _comparison(shared: pl.DataFrame, source: str) -> Comparison:
    own = shared.filter(pl.col("source") == source)
    differing = own.filter("differs")
    example, other, other_source = "", "", ""
    if differing.height:
        first = differing.row(0, named=True)
        theirs = shared.filter(
            (pl.col("frame") == first["frame"]) & (pl.col("claim") != first["claim"])
        ).row(0, named=True)
        example, other, other_source = first["text"], theirs["text"], theirs["source"]
    return Comparison(
        n=own.height,
        differ=differing.height,
        example=example,
        other=other,
        other_source=other_source,
    )
