"""An explanation as a tree for people, in English or Chinese."""

from collections.abc import Iterator

from storage.ledger import Edge
from tasks.provenance.lineage.explanation import Evidence, Explanation, Sentence
from tasks.provenance.lineage.grades import GradedEvidence

_PASSAGE_CHARS = 160

_LABELS: dict[str, tuple[str, str]] = {
    "answer": ("answer", "回答"),
    "question": ("question", "问题"),
    "generator": ("generator", "生成器"),
    "at": ("at", "时间"),
    "refused": ("refused: nothing relevant was found", "拒绝回答：未找到相关内容"),
    "sentence": ("sentence", "句子"),
    "no_source": ("no source found", "未找到来源"),
    "score": ("score", "得分"),
    "chunk": ("chunk", "文本块"),
    "document": ("document", "文档"),
    "source": ("source", "来源"),
    "licence": ("licence", "许可证"),
    "evidence": ("evidence", "依据"),
    "version": ("version", "版本"),
    "fetched": ("fetched", "采集于"),
    "trust": ("trust", "可信度"),
    "computed": ("computed", "由证据计算"),
    "override": ("set by a person", "人工设定"),
    "text_bytes": ("bytes of the text", "文本字节"),
    "original_bytes": ("bytes of the original", "原文字节"),
    "no_map": ("no byte map to the original", "与原文无字节映射"),
    "made_by": ("made from", "由来"),
    "run": ("run", "运行"),
    "quoted": ("quoted", "引用原文"),
    "cited": ("cited", "引证"),
    "exposed": ("exposed", "训练中出现过"),
    "influenced": ("influenced", "受其影响"),
    "none": ("no evidence", "无依据"),
    "stale": ("stale", "已过期"),
    "erased": ("erased", "已删除"),
    "grade": ("grade", "等级"),
    "found": ("found by tracing", "经溯源找到"),
    "share": ("share of the model's samples", "占模型样本"),
    "influence": ("influence", "影响力"),
    "not_live": ("the cited document is no longer live", "所引文档已失效"),
    "changed": ("the cited bytes have changed", "所引字节已改变"),
    "not_equal": ("recorded as quoted, but the bytes differ", "记为引用原文，但字节不同"),
    "unreadable": ("the cited bytes cannot be read", "所引字节无法读取"),
    "similar": ("much the same stands in", "大致相同的文字见于"),
    "no_span_index": (
        "not traced: there is no span index; run `suyuan index`",
        "未溯源：没有片段索引，请运行 `suyuan index`",
    ),
}


def render(explanation: Explanation, lang: str = "en") -> str:
    """Draw an explanation as an indented tree; lang "en" or "zh"."""
    return "\n".join(_lines(explanation, _Words(lang)))


class _Words:
    def __init__(self, lang: str) -> None:
        self._column = 1 if lang == "zh" else 0

    def __getitem__(self, key: str) -> str:
        return _LABELS[key][self._column]


def _lines(explanation: Explanation, words: _Words) -> Iterator[str]:
    yield f"{words['answer']} {explanation.answer_id}"
    if explanation.question:
        yield f"├─ {words['question']}: {explanation.question}"
    yield f"├─ {words['generator']}: {explanation.generator} · {words['at']} {explanation.created_at}"
    if explanation.status == "refused":
        yield f"├─ {words['refused']}"
    if explanation.state != "live":
        yield f"├─ {words[explanation.state]}: {explanation.stale_reason}"
    if not explanation.sentences and explanation.state != "erased":
        yield f"├─ {words['no_source']}"
    for number, sentence in enumerate(explanation.sentences, 1):
        grade = words["no_source" if sentence.grade == "none" else sentence.grade]
        yield f"├─ {words['sentence']} {number} [{grade}]: {_short(sentence.text)}"
        yield from (f"│  {line}" for line in _sentence_lines(sentence, words))
    yield f"└─ {words['made_by']}"
    root = f"answer:{explanation.answer_id}"
    names = {
        node: ", MLflow ".join(filter(None, (flow, mlflow)))
        for node, flow, mlflow in explanation.runs
    }
    yield from (f"   {line}" for line in _edge_lines(root, explanation.made_by, names, {root}))


def _sentence_lines(sentence: Sentence, words: _Words) -> Iterator[str]:
    blocks = [
        (_evidence_head(evidence, words), tuple(_evidence_lines(evidence, words, sentence.text)))
        for evidence in sentence.evidence
    ]
    blocks += [_found_block(one, words) for one in sentence.found]
    blocks += [(f"{words[note.code]} ({note.node[:16]})", ()) for note in sentence.notes]
    if sentence.grade == "none":
        blocks.append((words["no_source"], ()))
    for index, (head, lines) in enumerate(blocks):
        last = index == len(blocks) - 1
        yield f"{'└─' if last else '├─'} {head}"
        yield from (f"{'   ' if last else '│  '}{line}" for line in lines)


def _evidence_head(evidence: Evidence, words: _Words) -> str:
    return f"[{evidence.number}] {words[evidence.grade]} ({words['score']} {evidence.score:.2f})"


def _found_block(one: GradedEvidence, words: _Words) -> tuple[str, tuple[str, ...]]:
    """Show a tie that the answer does not cite itself."""
    document = f"{words['document']} {one.doc_id[:12]} · {one.uri or one.source}"
    if one.method == "trace":
        place = f"{words['text_bytes']} {one.start}–{one.end}"
        licence = f"{words['licence']} {one.licence}"
        return f"{words[one.grade]} ({words['found']})", (f"{document} · {place}", licence)
    if one.lds is not None:
        value, low, high = one.lds
        known = f"{words['influence']} {one.score:.2f}, LDS {value:.2f} [{low:.2f}, {high:.2f}]"
    else:
        known = f"{words['share']} {one.score:.2%}"
    return f"{words[one.grade]} · {one.node} · {known}", (document,)


def _evidence_lines(evidence: Evidence, words: _Words, sentence: str) -> Iterator[str]:
    document, source = evidence.document, evidence.source
    if evidence.passage.strip() != sentence:
        yield f"“{_short(evidence.passage)}”"
    heading = " › ".join(evidence.heading)
    yield f"{words['chunk']} {evidence.chunk_id[:12]} · {_offsets(evidence, words)}"
    if heading:
        yield f"  § {heading}"
    yield f"{words['document']} {document.doc_id[:12]} · {document.title or document.uri}"
    fetched = document.fetched_at[:19] + (f" · run:{document.run_id}" if document.run_id else "")
    yield f"  {document.uri} · {words['version']} {document.version} · {words['fetched']} {fetched}"
    trust = f"{words['trust']} {source.trust:g}"
    if source.trust_by != "declared":
        decided = f" ({source.trust_why})" if source.trust_why else ""
        trust += f" {words[source.trust_by]}{decided}"
    yield f"{words['source']} {source.name} · {source.publisher or source.uri} · {trust}"
    kind = f"{words['evidence']}: {document.licence_evidence}"
    yield f"{words['licence']} {document.licence} ({kind})"


def _offsets(evidence: Evidence, words: _Words) -> str:
    text = f"{words['text_bytes']} {evidence.start}–{evidence.end}"
    if evidence.src_start is None:
        return f"{text} · {words['no_map']}"
    return f"{text} · {words['original_bytes']} {evidence.src_start}–{evidence.src_end}"


def _edge_lines(
    node: str, edges: tuple[Edge, ...], names: dict[str, str], seen: set[str]
) -> Iterator[str]:
    """Draw what a node came from, each node once."""
    for edge in (edge for edge in edges if edge.dst == node):
        label = f" ({names[edge.src]})" if edge.src in names else ""
        yield f"{edge.rel} ← {edge.src}{label}"
        if edge.src not in seen:
            seen.add(edge.src)
            yield from (f"  {line}" for line in _edge_lines(edge.src, edges, names, seen))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _PASSAGE_CHARS else f"{line[: _PASSAGE_CHARS - 1]}…"
