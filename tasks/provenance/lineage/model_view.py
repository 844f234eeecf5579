"""The explanation of a model as a tree for people, in English or Chinese."""

from collections.abc import Iterator

from storage.models import Share
from tasks.provenance.lineage.model_records import ModelExplanation, RevokedSource

_LABELS: dict[str, tuple[str, str]] = {
    "model": ("model", "模型"),
    "status": ("status", "状态"),
    "weights": ("weights", "权重"),
    "recorded": ("recorded", "登记于"),
    "trained_on": ("trained on", "训练数据"),
    "version": ("version", "版本"),
    "rows": ("rows", "行"),
    "root": ("root", "根摘要"),
    "samples": ("samples", "样本"),
    "documents": ("documents", "文档"),
    "bytes": ("bytes", "字节"),
    "base": ("began from", "起始模型"),
    "run": ("run", "运行"),
    "sources": ("sources", "来源"),
    "licences": ("licences", "许可证"),
    "of_samples": ("of the samples", "占样本"),
    "revoked": ("revoked since", "此后被撤销"),
    "whole": ("the whole source", "整个来源"),
    "nothing": ("none", "无"),
    "live": ("live", "有效"),
    "exposed": ("exposed to what was revoked", "接触过已撤销内容"),
    "stale": ("stale", "过期"),
    "purged": ("purged", "已清除"),
}


def render_model(model: ModelExplanation, lang: str = "en") -> str:
    """Draw a model as an indented tree; lang "en" or "zh"."""
    return "\n".join(_lines(model, _Words(lang)))


class _Words:
    def __init__(self, lang: str) -> None:
        self._column = 1 if lang == "zh" else 0

    def __getitem__(self, key: str) -> str:
        return _LABELS[key][self._column]


def _lines(model: ModelExplanation, words: _Words) -> Iterator[str]:
    data = model.trained_on
    yield f"{words['model']} {model.node}"
    yield f"├─ {words['status']}: {words[model.status]} · {words['recorded']} {model.recorded_at[:19]}"
    yield f"├─ {words['weights']}: sha256 {model.sha256} · {model.path}"
    table = f" · {words['version']} {data.version} · {data.rows} {words['rows']}"
    yield f"├─ {words['trained_on']} {data.node}{table if data.version >= 0 else ''}"
    if data.root:
        yield f"│  {words['root']} {data.root}"
    yield f"│  {model.n_samples} {words['samples']}, {model.n_bytes} {words['bytes']}"
    yield f"├─ {words['base']}: {model.base or words['nothing']}"
    run = " · ".join(filter(None, (model.run_id, model.flow)))
    mlflow = f" · MLflow {model.mlflow_run_id}" if model.mlflow_run_id else ""
    yield f"├─ {words['run']}: {run or words['nothing']}{mlflow}"
    for key in ("sources", "licences"):
        yield f"├─ {words[key]}"
        yield from (f"│  {_share(share, words)}" for share in getattr(model, key))
    yield f"└─ {words['revoked']}: {'' if model.revoked else words['nothing']}".rstrip()
    yield from (f"   {_revoked(one, words)}" for one in model.revoked)


def _share(share: Share, words: _Words) -> str:
    counts = f"{share.n_documents} {words['documents']}, {share.n_samples} {words['samples']}"
    return f"{share.name} · {share.share:.2%} {words['of_samples']} · {counts}"


def _revoked(one: RevokedSource, words: _Words) -> str:
    whole = f" ({words['whole']})" if one.whole else ""
    return f"{one.source} · {one.n_documents} {words['documents']}{whole}"
