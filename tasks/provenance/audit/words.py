"""The words of the audit page, in English and Chinese."""

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Provenance audit", "溯源审计"),
    "answers": ("stored answers", "已存回答"),
    "made_at": ("Made at", "生成时间"),
    "facts": ("At a glance", "概览"),
    "audited": ("answers audited", "已审计回答"),
    "of_stored": ("of {n} stored", "共 {n} 条"),
    "sentences": ("sentences", "句子"),
    "unsourced_count": ("without source", "无来源"),
    "refused": ("refused", "拒绝回答"),
    "stale": ("stale", "过期"),
    "erased": ("erased", "已抹除"),
    "open_count": ("open revocations", "未完成的撤销"),
    "by_grade": ("Answer bytes by grade", "按证据等级划分的回答字节"),
    "by_licence": ("Answer bytes by licence", "按许可证划分的回答字节"),
    "by_source": ("Answer bytes by source", "按来源划分的回答字节"),
    "by_sensitivity": ("Cited document bytes by sensitivity", "按敏感类别划分的被引文档字节"),
    "each_once": (
        "Each sentence counts for its strongest evidence, proven again now.",
        "每个句子按当前重新验证过的最强证据计一次。",
    ),
    "unsourced": ("Sentences without source", "无来源的句子"),
    "all_sourced": ("Every sentence has a source.", "每个句子都有来源。"),
    "first_of": ("The first {shown} of {n}.", "共 {n} 条，显示前 {shown} 条。"),
    "answer": ("answer", "回答"),
    "bytes": ("bytes", "字节"),
    "text": ("text", "文本"),
    "model": ("Model", "模型"),
    "status": ("status", "状态"),
    "trained_on": ("trained on", "训练数据"),
    "root": ("root of the rows", "数据行根摘要"),
    "weights": ("weights (SHA-256)", "权重 (SHA-256)"),
    "base": ("began from", "起始模型"),
    "run": ("run", "运行"),
    "samples": ("samples", "样本"),
    "model_by_source": ("Training samples by source", "按来源划分的训练样本"),
    "model_by_licence": ("Training samples by licence", "按许可证划分的训练样本"),
    "trained_on_revoked": ("Trained on what was revoked since", "训练数据中此后被撤销的部分"),
    "none_revoked": (
        "Nothing that it was trained on has been revoked.",
        "其训练数据没有任何部分被撤销。",
    ),
    "documents": ("documents", "文档"),
    "extent": ("extent", "范围"),
    "whole": ("whole source", "整个来源"),
    "revocations": ("Open revocations", "未完成的撤销"),
    "no_revocations": ("None is open.", "没有未完成的撤销。"),
    "scope": ("scope", "范围"),
    "state": ("state", "状态"),
    "reason": ("reason", "原因"),
    "who": ("who", "何人"),
    "since": ("since", "起始"),
    "trust": ("Trust of sources", "来源可信度"),
    "source": ("source", "来源"),
    "value": ("trust", "可信度"),
    "by": ("from", "依据"),
    "why": ("why", "理由"),
    "heads": ("Signed heads of the log", "日志的签名头"),
    "heads_kept": ("heads kept", "保留的签名头"),
    "first_head": ("first signed", "首次签名"),
    "last_head": ("last signed", "最近签名"),
    "entries": ("entries of the log", "日志条目"),
    "unsigned": ("not signed yet", "尚未签名"),
    "nothing": ("nothing", "无"),
    "none": ("no source found", "未找到来源"),
    "not_sensitive": ("not sensitive", "非敏感"),
    "quoted": ("quoted", "引用原文"),
    "cited": ("cited", "引证"),
    "exposed": ("exposed", "训练中出现过"),
    "influenced": ("influenced", "受其影响"),
    "active": ("active", "有效"),
    "revoked": ("revoked", "已撤销"),
    "declared": ("declared", "声明"),
    "computed": ("computed", "计算"),
    "override": ("override", "人工设定"),
    "planned": ("planned", "已计划"),
    "running": ("running", "进行中"),
    "failed": ("failed", "失败"),
    "live": ("live", "有效"),
    "stale_answers": ("stale answers", "过期回答"),
    "share_quoted": ("bytes quoted", "引用原文的字节"),
    "share_cited": ("bytes cited", "引证的字节"),
    "revoked_documents": ("documents revoked since", "此后被撤销的文档"),
    "unsigned_entries": ("log entries not signed yet", "尚未签名的日志条目"),
    "page": ("page", "页面"),
    "is": (": ", "："),
    "purged": ("purged", "已清除"),
}


class Words:
    """Looks words up in one language; a name that is no word is given back as it is."""

    def __init__(self, lang: str) -> None:
        self._column = 1 if lang == "zh" else 0

    def __getitem__(self, key: str) -> str:
        return _WORDS[key][self._column]

    def name(self, key: str) -> str:
        """Translate a grade or a state; other names stay."""
        return _WORDS[key][self._column] if key in _WORDS else key
