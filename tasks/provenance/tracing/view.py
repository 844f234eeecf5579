"""A trace for people, in English or Chinese."""

from collections.abc import Iterator

from tasks.provenance.tracing.records import StitchedSpan, Trace, TracedDocument, TracedSpan

_PASSAGE_CHARS = 100

_LABELS: dict[str, tuple[str, str]] = {
    "traced": ("traced", "溯源"),
    "bytes": ("bytes", "字节"),
    "covered": ("found word for word", "逐字找到"),
    "near": ("with near-verbatim passages", "含近似片段"),
    "none": ("no source found", "没有找到来源"),
    "times": ("×", "×"),
    "exact": ("same bytes", "字节相同"),
    "folded": (
        "same but for white space, case, markup or script",
        "仅空白、大小写、标记或繁简不同",
    ),
    "text_bytes": ("bytes of the text", "文本字节"),
    "original": ("of the original", "原文字节"),
    "more": ("more passages", "更多片段"),
    "near_span": ("near-verbatim", "近似"),
    "replaced": ("replaced", "替换"),
    "inserted": ("inserted", "插入"),
    "deleted": ("deleted", "删除"),
    "hidden": (
        "occurrences in documents that are no longer live are not shown; run `suyuan index`",
        "处出现于已失效的文档，未显示；请运行 `suyuan index`",
    ),
    "problem": ("problem", "问题"),
}


def render(trace: Trace, text: bytes, lang: str = "en") -> str:
    """Write a trace as lines; lang "en" or "zh"."""
    return "\n".join(_lines(trace, text, _Words(lang)))


class _Words:
    def __init__(self, lang: str) -> None:
        self._column = 1 if lang == "zh" else 0

    def __getitem__(self, key: str) -> str:
        return _LABELS[key][self._column]


def _lines(trace: Trace, text: bytes, words: _Words) -> Iterator[str]:
    near = ""
    if trace.coverage_stitched > trace.coverage:
        near = f" · {words['near']} {trace.coverage_stitched:.1%}"
    size = f"{trace.n_bytes} {words['bytes']}"
    yield f"{words['traced']} {size} · {words['covered']} {trace.coverage:.1%}{near}"
    if not trace.spans:
        yield f"└─ {words['none']}"
    for span in trace.spans:
        yield from _span_lines(span, words)
    for stitched in trace.stitched:
        yield from _stitched_lines(stitched, text, words)
    if trace.hidden:
        yield f"({trace.hidden} {words['hidden']})"
    for problem in trace.problems:
        yield f"{words['problem']}: {problem.node}: {problem.reason}"


def _span_lines(span: TracedSpan, words: _Words) -> Iterator[str]:
    count = f"{span.count} {words['times']}"
    yield f"├─ [{span.start}–{span.end}) {count} “{_short(span.text)}”"
    for document in span.documents:
        same = words["exact" if document.exact else "folded"]
        yield f"│  ├─ {_name(document)} · {same}"
        yield f"│  │  {_where(document, words)}"
    if span.count > len(span.documents):
        yield f"│  └─ … {words['more']}"


def _stitched_lines(span: StitchedSpan, text: bytes, words: _Words) -> Iterator[str]:
    passage = text[span.start : span.end].decode("utf-8", "replace")
    yield f"├─ {words['near_span']} [{span.start}–{span.end}) “{_short(passage)}”"
    for document in span.documents:
        yield f"│  ├─ {_name(document)} · {_where(document, words)}"
    for edit in span.edits:
        if edit.kind != "kept":
            change = f"“{_short(edit.doc_text)}” → “{_short(edit.text)}”"
            yield f"│  └─ {words[edit.kind]} [{edit.start}–{edit.end}) {change}"


def _name(document: TracedDocument) -> str:
    title = document.title or document.uri
    by = f" · {document.author}" if document.author else ""
    return f"{title}{by} · {document.source} · {document.licence}"


def _where(document: TracedDocument, words: _Words) -> str:
    place = f"{words['text_bytes']} {document.start}–{document.end}"
    if document.src_start is not None:
        place += f" · {words['original']} {document.src_start}–{document.src_end}"
    return f"{document.uri} · {place}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _PASSAGE_CHARS else f"{line[: _PASSAGE_CHARS - 1]}…"
