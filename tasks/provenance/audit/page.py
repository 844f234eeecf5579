"""The audit as one HTML page that loads nothing, and as JSON.

Bars are SVG drawn here; text carries every figure too, so that colour alone says nothing. The
colours keep a contrast of 4.5 : 1 and more for text, 3 : 1 for bars, in light and in dark.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from html import escape

from storage.models import Share
from tasks.provenance.audit.records import AnswersAudit, Audit, Portion
from tasks.provenance.audit.words import Words
from tasks.provenance.lineage.model_records import ModelExplanation

MOST_BARS = 20

STYLE = (
    ":root{--ink:#1b1b1b;--soft:#555;--line:#cfcfcf;--ground:#fff;--card:#f5f6f8;--bar:#1f6f8b;"
    "--none:#a3470e;--warn:#fdf0e3}"
    "@media(prefers-color-scheme:dark){:root{--ink:#ececec;--soft:#b4b4b4;--line:#444;"
    "--ground:#141517;--card:#1f2124;--bar:#5fb3cf;--none:#f0a35e;--warn:#3a2815}}"
    "*{box-sizing:border-box}"
    "body{font:16px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;color:var(--ink);"
    "background:var(--ground);margin:2rem auto;max-width:64rem;padding:0 1rem}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}"
    "p{margin:.3rem 0}.soft{color:var(--soft)}"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.6rem;"
    "margin:1rem 0;padding:0}"
    ".facts div{background:var(--card);border-radius:.5rem;padding:.6rem .8rem;display:flex;"
    "flex-direction:column;justify-content:space-between}"
    ".facts dt{color:var(--soft);font-size:.85rem}.facts dd{margin:0;font-size:1.35rem;"
    "font-variant-numeric:tabular-nums}"
    ".grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));"
    "gap:0 2.5rem}"
    "table{border-collapse:collapse;width:100%}caption{text-align:left;color:var(--soft)}"
    "td,th{border-bottom:1px solid var(--line);padding:.35rem .5rem .35rem 0;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}"
    "th{font-weight:600;font-size:.85rem;color:var(--soft)}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "table.bars{table-layout:fixed}td.bar,th.bar{width:34%}.bars .n{width:16%}svg{display:block;width:100%;height:1.1rem}"
    "rect{fill:var(--bar)}rect.none{fill:var(--none)}rect.ground{fill:var(--card)}"
    ".warn td{background:var(--warn)}dl.about{display:grid;grid-template-columns:auto 1fr;"
    "gap:.2rem 1rem}dl.about dt{color:var(--soft)}dl.about dd{margin:0;overflow-wrap:anywhere}"
    "@media(max-width:34rem){td.bar,th.bar{width:24%}.bars .n{width:21%}body{margin:1rem auto}"
    "dl.about{grid-template-columns:1fr}dl.about dd{margin-bottom:.4rem}"
    ".list thead{display:none}.list tr{display:block;border-bottom:1px solid var(--line);"
    "padding:.4rem 0}.list td{display:grid;grid-template-columns:6.5rem 1fr;border:0;"
    "padding:.1rem .5rem}.list td::before{content:attr(data-name);color:var(--soft);"
    "font-size:.85rem}.list td:empty{display:none}.list .warn{background:var(--warn)}}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def json_page(audit: Audit) -> str:
    """Give the audit as JSON for programs."""
    return json.dumps(asdict(audit), ensure_ascii=False, indent=1, default=str) + "\n"


def html_page(audit: Audit, lang: str = "en") -> str:
    """Give the audit as a page in "en" or "zh"."""
    words = Words(lang)
    subject = words["answers"] if audit.model is None else audit.subject
    title = escape(f"{words['title']}: {subject}")
    made = f"{words['made_at']} {_time(audit.made_at)} UTC"
    body = "\n".join(_sections(audit, words))
    return f"""<!doctype html>
<html lang="{"zh-CN" if lang == "zh" else "en"}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{title}</h1><p class="soft">{escape(made)}</p></header>
<main>
{body}
</main>
</body>
</html>
"""


def _sections(audit: Audit, words: Words) -> Iterator[str]:
    if audit.answers is not None:
        yield _answer_facts(audit.answers, len(audit.revocations), words)
        yield from _answer_sections(audit.answers, words)
    if audit.model is not None:
        yield from _model_sections(audit.model, words)
    yield _revocations(audit, words)
    yield _trust(audit, words)
    yield _heads(audit, words)


def _answer_facts(found: AnswersAudit, open_revocations: int, words: Words) -> str:
    audited = f"{words['audited']} ({words['of_stored'].format(n=found.n_stored)})"
    facts = {
        audited: found.n_audited,
        words["sentences"]: found.n_sentences,
        words["unsourced_count"]: found.n_unsourced,
        words["refused"]: found.n_refused,
        words["stale"]: found.n_stale,
        words["erased"]: found.n_erased,
        words["open_count"]: open_revocations,
    }
    cards = "".join(f"<div><dt>{escape(k)}</dt><dd>{v:,}</dd></div>" for k, v in facts.items())
    return f'<section><h2>{escape(words["facts"])}</h2><dl class="facts">{cards}</dl></section>'


def _answer_sections(found: AnswersAudit, words: Words) -> Iterator[str]:
    yield f'<p class="soft">{escape(words["each_once"])}</p><div class="grid">'
    for key in ("by_grade", "by_licence", "by_source", "by_sensitivity"):
        yield _bars(words[key], _bars_of(getattr(found, key)), words["bytes"], words)
    yield "</div>"
    head = f"<section><h2>{escape(words['unsourced'])}</h2>"
    if not found.unsourced:
        yield f"{head}<p>{escape(words['all_sourced'])}</p></section>"
        return
    shown = {"shown": len(found.unsourced), "n": found.n_unsourced}
    note = words["first_of"].format(**shown) if shown["shown"] < shown["n"] else ""
    rows = [(one.answer_id, f"{one.start}–{one.end}", one.text) for one in found.unsourced]
    names = [words[key] for key in ("answer", "bytes", "text")]
    yield f"{head}<p class='soft'>{escape(note)}</p>{_table(names, rows)}</section>"


def _model_sections(model: ModelExplanation, words: Words) -> Iterator[str]:
    data = model.trained_on
    mlflow = f"MLflow {model.mlflow_run_id}" if model.mlflow_run_id else ""
    run = " · ".join(filter(None, (model.run_id, model.flow, mlflow)))
    facts = {
        "status": words.name(model.status),
        "trained_on": data.node,
        "root": data.root or words["nothing"],
        "weights": model.sha256,
        "base": model.base or words["nothing"],
        "run": run or words["nothing"],
        "samples": f"{model.n_samples:,}",
    }
    lines = "".join(f"<dt>{escape(words[k])}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    yield f'<section><h2>{escape(words["model"])}</h2><dl class="about">{lines}</dl></section>'
    yield '<div class="grid">'
    for key, shares in (("model_by_source", model.sources), ("model_by_licence", model.licences)):
        yield _bars(words[key], _bars_of_shares(shares), words["samples"], words)
    yield "</div>"
    head = f"<section><h2>{escape(words['trained_on_revoked'])}</h2>"
    if not model.revoked:
        yield f"{head}<p>{escape(words['none_revoked'])}</p></section>"
        return
    rows = [
        (r.source, f"{r.n_documents:,}", words["whole"] if r.whole else "") for r in model.revoked
    ]
    names = [words["source"], words["documents"], words["extent"]]
    yield f"{head}{_table(names, rows, warn=True)}</section>"


def _revocations(audit: Audit, words: Words) -> str:
    head = f"<section><h2>{escape(words['revocations'])}</h2>"
    if not audit.revocations:
        return f"{head}<p>{escape(words['no_revocations'])}</p></section>"
    names = [words[key] for key in ("scope", "state", "reason", "who", "since")]
    rows = [
        (
            r.scope,
            _state(r.state, r.failure, words),
            r.reason,
            r.requested_by,
            _time(r.requested_at),
        )
        for r in audit.revocations
    ]
    return f"{head}{_table(names, rows, warn=True)}</section>"


def _state(state: str, failure: str, words: Words) -> str:
    return f"{words.name(state)}: {failure}" if failure else words.name(state)


def _trust(audit: Audit, words: Words) -> str:
    names = [words[key] for key in ("source", "status", "value", "by", "who", "why")]
    rows = [
        (t.source, words.name(t.status), f"{t.trust:.2f}", words.name(t.by), t.who, t.why)
        for t in audit.trust
    ]
    return f"<section><h2>{escape(words['trust'])}</h2>{_table(names, rows)}</section>"


def _heads(audit: Audit, words: Words) -> str:
    heads = audit.heads
    facts = {
        "heads_kept": f"{heads.n_heads:,}",
        "first_head": _time(heads.first_signed_at) or words["nothing"],
        "last_head": _time(heads.last_signed_at) or words["nothing"],
        "entries": f"{heads.n_entries:,}",
        "unsigned": f"{heads.n_unsigned:,}",
    }
    lines = "".join(f"<dt>{escape(words[k])}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<section><h2>{escape(words["heads"])}</h2><dl class="about">{lines}</dl></section>'


Bar = tuple[str, int, float]
"""Name, amount and share."""


def _bars_of(parts: Iterable[Portion]) -> list[Bar]:
    return [(part.name, part.n_bytes, part.share) for part in parts]


def _bars_of_shares(shares: Iterable[Share]) -> list[Bar]:
    return [(share.name, share.n_samples, share.share) for share in shares]


def _bars(title: str, bars: Sequence[Bar], unit: str, words: Words) -> str:
    """Draw shares as a table with a bar a row; beyond the first some, the table says how many more."""
    rows = "".join(_bar(bar, words) for bar in bars[:MOST_BARS]) or (
        f'<tr><td colspan="4">{escape(words["nothing"])}</td></tr>'
    )
    note = words["first_of"].format(shown=MOST_BARS, n=len(bars)) if len(bars) > MOST_BARS else ""
    more = f'<p class="soft">{escape(note)}</p>' if note else ""
    head = f'<th></th><th class="bar"></th><th class="n">%</th><th class="n">{escape(unit)}</th>'
    return (
        f'<section><h2>{escape(title)}</h2><table class="bars"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{more}</section>"
    )


def _bar(bar: Bar, words: Words) -> str:
    name, amount, share = bar
    kind = ' class="none"' if name == "none" else ""
    drawing = (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="ground" width="100" height="10"/>'
        f'<rect{kind} width="{100 * share:.3f}" height="10"/></svg>'
    )
    return (
        f'<tr><td>{escape(words.name(name))}</td><td class="bar">{drawing}</td>'
        f'<td class="n">{share:.1%}</td><td class="n">{amount:,}</td></tr>'
    )


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], *, warn: bool = False) -> str:
    """Lay rows out; on a phone each cell stands on its own line after its name."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    mark = ' class="warn"' if warn else ""
    lines = "".join(f"<tr{mark}>{_cells(names, row)}</tr>" for row in rows)
    return f'<table class="list"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def _cells(names: Sequence[str], row: Sequence[str]) -> str:
    pairs = zip(names, row, strict=True)
    return "".join(f'<td data-name="{escape(name)}">{escape(cell)}</td>' for name, cell in pairs)


def _time(text: str) -> str:
    """Give an ISO time to the second, in words."""
    return text[:19].replace("T", " ")
