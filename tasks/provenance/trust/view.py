"""Trust for people: sentences of evidence, the list for a terminal, a table, a chart."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.provenance.trust.score import Decided, Fact, ShownComponent, SourceTrust

_NAMES = {
    "duplicates": ("own content", "原创内容"),
    "contradictions": ("agreement", "一致性"),
    "age": ("freshness", "时效"),
    "licences": ("licence clarity", "许可证明确度"),
    "quarantine": ("usable items", "可用条目"),
    "helpfulness": ("helpfulness", "有用性"),
}
_EVIDENCE = {
    "duplicates": (
        "{hits} of {n} documents resemble earlier ones of other sources",
        "{n} 篇文档中有 {hits} 篇与其他来源更早的文档近似重复",
    ),
    "contradictions": (
        "{hits} of {n} statements that other sources make too differ from theirs",
        "与其他来源共有的 {n} 条陈述中有 {hits} 条不一致",
    ),
    "age": (
        "the median age is {age}; {dated} of {n} documents have a date of publication, "
        "the others count from when they were fetched",
        "年龄中位数{age}；{n} 篇文档中有 {dated} 篇有发布日期，其余自采集时计",
    ),
    "licences": (
        "{hits} of {n} documents state their licence in a header, a file or their metadata",
        "{n} 篇文档中有 {hits} 篇在文件头、许可证文件或元数据中声明了许可证",
    ),
    "quarantine": (
        "{hits} of {n} items could not be used",
        "{n} 个条目中有 {hits} 个无法使用",
    ),
    "helpfulness": (
        "{hits} of {n} judged answers that cite it were accepted",
        "引用它且被评价的 {n} 个回答中有 {hits} 个被采纳",
    ),
}
_EXAMPLE = (": “{example}”, but {other_source}: “{other}”", "：“{example}”，而 {other_source}：“{other}”")  # fmt: skip
_AGE = ("{years} years", "为 {years} 年")
_YOUNG = ("under a month", "不到一个月")
_NO_EVIDENCE = ("no evidence, not counted", "无证据，不计入")
_BY = {
    "declared": ("as stated at ingestion", "采集时声明"),
    "computed": ("computed", "由证据计算"),
    "override": ("set by a person", "人工设定"),
}
_TEXTS = {
    "stated": ("stated at ingestion", "采集时声明"),
    "computed": ("computed", "计算值"),
    "never": ("never computed: run `suyuan trust --refresh`", "尚未计算：请运行 `suyuan trust --refresh`"),
    "weight": ("weight", "权重"),
    "set": ("set to {trust:.2f} by {who}: {why}", "由 {who} 设为 {trust:.2f}：{why}"),
    "lift": ("override lifted by {who}: {why}", "由 {who} 撤销人工设定：{why}"),
    "none": ("No source was ingested yet.", "尚未采集任何来源。"),
}  # fmt: skip
_COLOURS = {"declared": "#8a8a8a", "computed": "#31708f", "override": "#8a6d3b"}


def say_evidence(name: str, facts: Mapping[str, Fact], lang: str) -> str:
    """Word the evidence of a component in one sentence."""
    if not facts:
        return _pick(_NO_EVIDENCE, lang)
    sentence = _pick(_EVIDENCE[name], lang)
    if facts.get("example"):
        sentence += _pick(_EXAMPLE, lang)
    age = _pick(_AGE if facts.get("years") else _YOUNG, lang).format_map(facts)
    return _printable(sentence.format_map({**facts, "age": age}))


def render_trust(found: Mapping[str, SourceTrust], lang: str = "en") -> str:
    """Show sources with their evidence; lang "en" or "zh"."""
    lines = [line for view in found.values() for line in _lines(view, lang)]
    return "\n".join(lines) or _pick(_TEXTS["none"], lang)


def trust_rows(found: Mapping[str, SourceTrust]) -> list[dict[str, object]]:
    """Give one row a source, for a table."""
    return [
        {
            "source": view.source,
            "trust": round(view.trust, 3),
            "by": view.by,
            "stated": view.declared,
            "computed": "" if view.score is None else round(view.score, 3),
            **{_NAMES[name][0]: _cell(part) for name, part in view.components.items()},
            "override": f"{view.override.who}: {view.override.why}" if view.override else "",
        }
        for view in found.values()
    ]


def trust_metrics(found: Mapping[str, SourceTrust]) -> dict[str, float]:
    """Give trust and components by source, for a tracker."""
    values = {"sources": float(len(found))}
    for view in found.values():
        name = "".join(char if char.isalnum() or char in "-_. " else "_" for char in view.source)
        values[f"trust/{name}"] = view.trust
        for part, shown in view.components.items():
            if shown.value is not None:
                values[f"{part}/{name}"] = shown.value
    return values


def write_trust_chart(found: Mapping[str, SourceTrust], folder: Path) -> Path:
    """Draw a bar a source, coloured by who says so, with a tick at what was stated at first."""
    from matplotlib.figure import Figure

    views = sorted(found.values(), key=lambda view: view.trust)
    figure = Figure(figsize=(7, 1 + 0.35 * max(1, len(views))), layout="constrained")
    axes = figure.subplots()
    places = range(len(views))
    bars = axes.barh(places, [v.trust for v in views], color=[_COLOURS[v.by] for v in views])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.plot([v.declared for v in views], places, "|", color="black", markersize=14)
    axes.set_yticks(places, [v.source[:40] for v in views])
    axes.set_xlim(0, 1.08)
    axes.set_xlabel("trust (tick: as stated; grey stated, blue computed, brown set by a person)")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120)
    path = folder / "trust.png"
    path.write_bytes(stream.getvalue())
    return path


def _lines(view: SourceTrust, lang: str) -> Iterator[str]:
    yield f"{view.source}  {view.trust:.2f}  ({_pick(_BY[view.by], lang)})"
    computed = (
        _say("never", lang)
        if view.score is None
        else f"{_say('computed', lang)} {view.score:.2f} ({view.computed_at[:19]})"
    )
    yield f"  {_say('stated', lang)} {view.declared:.2f} · {computed}"
    for name, part in view.components.items():
        value = "  – " if part.value is None else f"{part.value:.2f}"
        title = _pick(_NAMES[name], lang)
        weight = f"{_say('weight', lang)} {part.weight:g}, n {part.n}"
        yield f"    {value}  {title} ({weight}): {say_evidence(name, part.facts, lang)}"
    for decided in view.decisions:
        yield f"  {decided.decided_at[:19]}  {_decision(decided, lang)}"


def _decision(decided: Decided, lang: str) -> str:
    values = {"trust": decided.trust, "who": decided.who, "why": decided.why}
    return _printable(_say(decided.action, lang).format_map(values))


def _cell(part: ShownComponent) -> str:
    return "no evidence" if part.value is None else f"{part.value:.2f} (n {part.n})"


def _printable(text: str) -> str:
    """Put what people or documents wrote on one line, without control characters."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


def _say(key: str, lang: str) -> str:
    return _pick(_TEXTS[key], lang)


def _pick(words: tuple[str, str], lang: str) -> str:
    return words[lang == "zh"]
