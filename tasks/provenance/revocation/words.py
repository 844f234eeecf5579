"""A plan or a result of a revocation for people, in English or Chinese."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SHOWN = 10
_SHORT = 16

_WORDS: dict[str, tuple[str, str]] = {
    "head": ("Revocation of {scope}", "撤销 {scope}"),
    "nothing": ("nothing to remove", "没有需要删除的内容"),
    "remove": (
        "removed: {documents_count} documents ({rows} places, {n_bytes} bytes, {blobs} blobs)",
        "删除：{documents_count} 个文档（{rows} 处，{n_bytes} 字节，{blobs} 个数据块）",
    ),
    "passages": (
        "passages: {chunks} chunks, of which {passages} texts lose counts and vectors; "
        "{shared_passages} texts stay because another document has them word for word",
        "段落：{chunks} 个文本块，其中 {passages} 个文本的词频与向量被删除；"
        "{shared_passages} 个文本因其他文档含有相同内容而保留",
    ),
    "kept": (
        "kept, because another active source carries them too: {kept_count}",
        "保留（另一个有效来源也含有）：{kept_count}",
    ),
    "parts": ("tables to rewrite: {parts}", "需要重写的数据表：{parts}"),
    "indexes": (
        "search indexes to delete: {indexes}; span index: {spans} texts in {segments} segments",
        "需要删除的检索索引：{indexes}；原文索引：{segments} 段中的 {spans} 个文本",
    ),
    "quoted": (
        "answers that quote it, to be erased: {quoted_count}",
        "引用原文的回答，将被清除：{quoted_count}",
    ),
    "cited": (
        "answers that rest on it otherwise, to be marked stale: {cited_count}",
        "以其他方式依据它的回答，将标记为过期：{cited_count}",
    ),
    "models": (
        "models trained on it, to be marked as exposed: {models}",
        "用它训练过的模型，将标记为已暴露：{models}",
    ),
    "done": ("Revoked and proven gone: {scope}", "已撤销并证明不存在：{scope}"),
    "done_removed": (
        "removed {documents_count} documents ({n_bytes} bytes); "
        "{kept_count} stay, which another active source carries too",
        "删除 {documents_count} 个文档（{n_bytes} 字节）；另有有效来源也含有的 {kept_count} 个保留",
    ),
    "done_answers": (
        "answers: {erased} erased, {stale} marked stale",
        "回答：清除 {erased} 条，标记过期 {stale} 条",
    ),
    "done_search": (
        "searched {files} files ({megabytes:.1f} MB) for {windows} fingerprints: none left",
        "在 {files} 个文件（{megabytes:.1f} MB）中查找 {windows} 个指纹：无残留",
    ),
    "done_not": ("not searched: {places}", "未搜索：{places}"),
    "certificate": (
        "certificate: suyuan export certificate {id}",
        "证书：suyuan export certificate {id}",
    ),
    "more": ("and {n} more", "另有 {n} 个"),
}


def render(summary: Mapping[str, Any], lang: str = "en") -> str:
    """Say the summary of a plan in lines; lang "en" or "zh"."""
    column = 1 if lang == "zh" else 0
    return "\n".join(_lines(summary, {key: words[column] for key, words in _WORDS.items()}))


def render_done(said: Mapping[str, Any], proof: Mapping[str, Any], lang: str = "en") -> str:
    """Say what a certificate says, with the detail of its proof, in lines."""
    words = {key: both[1 if lang == "zh" else 0] for key, both in _WORDS.items()}
    facts = {**said["plan"], **_answers_of(said), **proof}
    facts["megabytes"] = proof["n_bytes"] / 1e6
    facts["n_bytes"] = said["plan"]["n_bytes"]
    facts["places"] = ", ".join((*proof["not_searched"], *proof["out_of_reach"])) or "-"
    facts["id"] = said["revocation"].removeprefix("revocation:")
    lines = [
        words[f"done_{key}"].format(**facts) for key in ("removed", "answers", "search", "not")
    ]
    marks = [f"├─ {line}" for line in lines]
    last = f"└─ {words['certificate'].format(**facts)}"
    return "\n".join([words["done"].format(scope=said["scope"]), *marks, last])


def _answers_of(said: Mapping[str, Any]) -> dict[str, Any]:
    return next(dict(step["detail"]) for step in said["steps"] if step["step"] == "answers")


def _lines(summary: Mapping[str, Any], words: Mapping[str, str]) -> Iterator[str]:
    facts = dict(summary)
    facts["parts"] = ", ".join(f"{k} ({n})" for k, n in summary["parts"].items()) or "-"
    facts["indexes"] = ", ".join(name[:_SHORT] for name in summary["indexes"]) or "-"
    facts["models"] = ", ".join(summary["models"]) or "-"
    yield words["head"].format(**facts)
    if not (summary["rows"] or summary["blobs"] or summary["parts"]):
        yield f"└─ {words['nothing']}"
        return
    yield f"├─ {words['remove'].format(**facts)}"
    yield from _named(summary["documents"], summary["documents_count"], words)
    yield f"├─ {words['passages'].format(**facts)}"
    yield f"├─ {words['kept'].format(**facts)}"
    kept = [f"{one['doc_id'][:_SHORT]} ({', '.join(one['sources'])})" for one in summary["kept"]]
    yield from _named(kept, summary["kept_count"], words, _SHORT * 8)
    yield f"├─ {words['parts'].format(**facts)}"
    yield f"├─ {words['indexes'].format(**facts)}"
    for key in ("quoted", "cited"):
        yield f"├─ {words[key].format(**facts)}"
        yield from _named(summary[key], summary[f"{key}_count"], words, _SHORT * 2)
    yield f"└─ {words['models'].format(**facts)}"


def _named(
    names: Sequence[str], count: int, words: Mapping[str, str], width: int = _SHORT
) -> Iterator[str]:
    for name in names[:_SHOWN]:
        yield f"│    {name[:width]}"
    if count > _SHOWN:
        yield f"│    {words['more'].format(n=count - _SHOWN)}"
