"""An impact as a tree for people, in English or Chinese."""

from collections.abc import Iterable, Iterator

from storage.ledger_impact import Listing
from storage.models import Share
from tasks.provenance.lineage.touched import Certain, Held, Impact, Possible

_SHOWN = 5

_LABELS: dict[str, tuple[str, str]] = {
    "impact": ("impact of", "影响范围"),
    "licences": ("matching licences", "匹配的许可证"),
    "certain": ("certain: holds its bytes, or rests on them by record", "确定：含有其字节，或有记录表明以其为据"),
    "documents": ("documents", "文档"),
    "bytes": ("bytes", "字节"),
    "chunks": ("chunks", "文本块"),
    "indexes": ("indexes", "索引"),
    "segments": ("segments of the span index", "片段索引的分段"),
    "quoted": ("answers that quote", "引用原文的回答"),
    "cited": ("answers that cite", "引证的回答"),
    "caches": ("cached answers", "缓存的回答"),
    "prompts": ("prompts", "提示词"),
    "possible": ("possible: no record says so, training may have carried it", "可能：无记录，但可能经训练带入"),
    "models": ("models trained on it", "以其训练的模型"),
    "written": ("answers that these models wrote", "这些模型写的回答"),
    "samples": ("samples", "样本"),
    "of_samples": ("of the samples", "占样本"),
    "of_bytes": ("of the bytes", "占字节"),
    "carried": ("documents that another active source carries too", "另有有效来源也提供的文档"),
    "also": ("also in", "另见于"),
    "more": ("and {n} more", "另有 {n} 项"),
    "nothing": ("none", "无"),
}  # fmt: skip


def render(impact: Impact, lang: str = "en") -> str:
    """Draw an impact as an indented tree; lang "en" or "zh"."""
    return "\n".join(_lines(impact, _Words(lang)))


class _Words:
    def __init__(self, lang: str) -> None:
        self._column = 1 if lang == "zh" else 0

    def __getitem__(self, key: str) -> str:
        return _LABELS[key][self._column]


def _lines(impact: Impact, words: _Words) -> Iterator[str]:
    yield f"{words['impact']} {impact.node}"
    if impact.licences:
        yield f"├─ {words['licences']}: {', '.join(impact.licences)}"
    yield f"├─ {words['certain']}"
    yield from (f"│  {line}" for line in _certain_lines(impact.certain, words))
    yield f"├─ {words['possible']}"
    yield from (f"│  {line}" for line in _possible_lines(impact.possible, words))
    yield f"└─ {words['carried']}: {impact.carried_count}"
    shown = [
        f"{one.doc_id[:12]} {words['also']} {', '.join(one.sources)}" for one in impact.carried
    ]
    yield from (f"   {line}" for line in _first(shown, impact.carried_count, words))


def _certain_lines(certain: Certain, words: _Words) -> Iterator[str]:
    size = f"{certain.n_bytes:,} {words['bytes']}"
    yield f"{words['documents']}: {certain.documents.count} ({size})"
    yield f"{words['chunks']}: {certain.chunks}"
    yield _held(words["indexes"], certain.indexes, words)
    yield _held(words["segments"], certain.segments, words)
    for key in ("quoted", "cited", "caches", "prompts"):
        yield from _listing_lines(words[key], getattr(certain, key), words)


def _possible_lines(possible: Possible, words: _Words) -> Iterator[str]:
    yield f"{words['models']}: {len(possible.models) or words['nothing']}"
    yield from (f"  {_share(share, words)}" for share in possible.models)
    yield from _listing_lines(words["written"], possible.answers, words)


def _share(share: Share, words: _Words) -> str:
    samples = f"{share.n_samples} {words['samples']}"
    shares = f"{share.share:.2%} {words['of_samples']}, {share.share_bytes:.2%} {words['of_bytes']}"
    return f"{share.name} · {samples} · {shares}"


def _held(label: str, things: Iterable[Held], words: _Words) -> str:
    named = ", ".join(f"{held.node[:18]} ({held.count})" for held in things)
    return f"{label}: {named or words['nothing']}"


def _listing_lines(label: str, listing: Listing, words: _Words) -> Iterator[str]:
    yield f"{label}: {listing.count or words['nothing']}"
    yield from (f"  {line}" for line in _first(listing.ids, listing.count, words))


def _first(names: Iterable[str], count: int, words: _Words) -> Iterator[str]:
    yield from list(names)[:_SHOWN]
    if count > _SHOWN:
        yield words["more"].format(n=count - _SHOWN)
