"""The notices that an answer owes: who is to be named, under which licence, on which terms."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from storage.home import Home
from storage.records import UNKNOWN_LICENCE, Answer, Citation
from tasks.provenance.policy.decisions import Decision, Policy, combine, decide

_NAMES = {
    "MIT": "MIT License",
    "ISC": "ISC License",
    "PSF-2.0": "Python Software Foundation License 2.0",
    "Python-2.0": "Python License 2.0",
    "PostgreSQL": "PostgreSQL License",
    "BSD-2-Clause": 'BSD 2-Clause "Simplified" License',
    "BSD-3-Clause": 'BSD 3-Clause "New" License',
    "Zlib": "zlib License",
    "OFL-1.1": "SIL Open Font License 1.1",
    "CC0-1.0": "Creative Commons Zero 1.0",
    UNKNOWN_LICENCE: "licence unknown",
}
_PATTERNS = (
    (r"(A|L|)GPL-([\d.]+)-(only|or-later)", "GNU {0} General Public License {1}{2}"),
    (r"GFDL-([\d.]+)-(?:\w+-)*?(only|or-later)", "GNU Free Documentation License {0}{1}"),
    (r"Apache-([\d.]+)", "Apache License {0}"),
    (r"MPL-([\d.]+)", "Mozilla Public License {0}"),
    (r"EPL-([\d.]+)", "Eclipse Public License {0}"),
    (r"MulanPSL-([\d.]+)", "Mulan Permissive Software License {0}"),
    (r"CC-((?:BY|NC|ND|SA)(?:-(?:BY|NC|ND|SA))*)-([\d.]+)(?:-(\w+))?", "Creative Commons {0} {1} {2}"),
)  # fmt: skip
_WORDS = {
    "A": "Affero",
    "L": "Lesser",
    "only": "",
    "or-later": " or later",
    "BY": "Attribution",
    "NC": "NonCommercial",
    "ND": "NoDerivatives",
    "SA": "ShareAlike",
}
_COMMONS = re.compile(r"CC-((?:BY|SA)[A-Z-]*)-(\d\.\d)(?:-([A-Z]{2,3}))?\Z")
_HINTS = {
    "share-alike": (
        "What you make from it must be shared under the same licence.",
        "由此改编的内容须以相同许可证发布。",
    ),
    "non-commercial": ("For non-commercial use only.", "仅限非商业使用。"),
    "no-derivatives": ("Not to be changed.", "不得改编。"),
    "network-source": (
        "Over a network, its source must be offered too.",
        "通过网络提供时须同时提供源代码。",
    ),
}
_UNKNOWN_HINT = ("Ask its owner before you use it further.", "再次使用前请征得权利人同意。")


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is owed to one document that an answer rests on."""

    doc_id: str
    source: str
    uri: str
    title: str
    author: str
    publisher: str
    licence: str
    """The expression of the document."""
    chosen: str
    """The licences that bind: of an OR the arm that the policy takes."""
    names: tuple[str, ...]
    urls: tuple[str, ...]
    obligations: tuple[str, ...]
    text: str
    text_zh: str


@dataclass(frozen=True, kw_only=True)
class Owed:
    """The notices of an answer, and the verdict on it as a whole."""

    notices: tuple[Notice, ...]
    verdict: str
    """Strictest verdict on quoting among what is cited."""
    conflicts: tuple[str, ...]
    """Share-alike licences that cannot cover one text: keep their quotations apart."""


def owed_notices(home: Home, answer: Answer, policy: Policy) -> Owed:
    """Gather the notices that an answer owes for what it cites, one a document."""
    cited: dict[tuple[str, str, str], list[Citation]] = {}
    for citation in answer.citations:
        cited.setdefault((citation.doc_id, citation.source, citation.uri), []).append(citation)
    facts = _facts(home, [key[0] for key in cited]) if cited else {}
    found = [_notice(home, group, facts.get(key, {}), policy) for key, group in cited.items()]
    whole = combine((citation.licence for citation in answer.citations), "quote", policy)
    return Owed(
        notices=tuple(notice for notice in found if notice.obligations),
        verdict=whole.verdict,
        conflicts=whole.conflicts,
    )


def licence_name(licence: str) -> str:
    """Give the name of a licence that people know; the id itself where none is known here."""
    base, _, exception = licence.partition(" WITH ")
    name = _NAMES.get(base) or next(_matched(base), base)
    return f"{name} with {exception}" if exception else name


def licence_url(licence: str) -> str:
    """Give the address of a licence's text; "" for one that is on no list."""
    base = licence.partition(" WITH ")[0]
    if base.startswith("LicenseRef-") or base in (UNKNOWN_LICENCE, "NONE"):
        return ""
    commons = _COMMONS.match(base)
    if commons:
        place = f"{commons[3].lower()}/" if commons[3] else ""
        return f"https://creativecommons.org/licenses/{commons[1].lower()}/{commons[2]}/{place}"
    return f"https://spdx.org/licenses/{base}.html"


def _matched(base: str) -> Iterator[str]:
    for pattern, template in _PATTERNS:
        match = re.fullmatch(pattern, base)
        if match:
            parts = ("-".join(_WORDS.get(w, w) for w in _split(part)) for part in match.groups(""))
            yield " ".join(template.format(*parts).split())


def _split(part: str) -> list[str]:
    return part.split("-") if part.startswith(("BY", "NC", "ND", "SA")) else [part]


def _facts(home: Home, doc_ids: Iterable[str]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Read title and author of documents at their places, the live version before others."""
    columns = ("doc_id", "source", "uri", "title", "author", "status")
    frame = home.table("documents").scan().filter(pl.col("doc_id").is_in(list(doc_ids)))
    rows = frame.select(columns).collect().to_dicts()
    rows.sort(key=lambda row: row["status"] == "live")
    return {(row["doc_id"], row["source"], row["uri"]): row for row in rows}


def _notice(home: Home, group: list[Citation], facts: Mapping[str, Any], policy: Policy) -> Notice:
    first = group[0]
    decision = decide(first.licence, "quote", policy)
    licences = decision.chosen.split(" AND ")
    row = home.ledger.get("source", first.source.replace("|", "%7C")) or {}
    fields = {
        "title": str(facts.get("title") or ""),
        "author": str(facts.get("author") or ""),
        "publisher": str(row.get("publisher") or ""),
    }
    reworded = any(citation.grade != "quoted" for citation in group)
    return Notice(
        doc_id=first.doc_id,
        source=first.source,
        uri=first.uri,
        licence=first.licence,
        chosen=decision.chosen,
        names=tuple(map(licence_name, licences)),
        urls=tuple(filter(None, map(licence_url, licences))),
        obligations=tuple(dict.fromkeys(o.kind for o in decision.obligations)),
        text=_text(fields, first, decision, 0, reworded=reworded),
        text_zh=_text(fields, first, decision, 1, reworded=reworded),
        **fields,
    )


def _text(
    fields: Mapping[str, str], cited: Citation, decision: Decision, lang: int, *, reworded: bool
) -> str:
    """Word the notice; lang 0 is English, 1 Chinese."""
    title = fields["title"] or cited.uri.rpartition("/")[2]
    head = f"“{title}”" if lang == 0 else f"《{title}》"
    who = ", ".join(dict.fromkeys(filter(None, (fields["author"], fields["publisher"]))))
    by = (f" by {who}", f"，{who}")[lang] if who else ""
    licences = "; ".join(map(_licence_words, decision.chosen.split(" AND ")))
    how = (
        ("Quoted, in part in other words.", "部分为转述。")
        if reworded
        else ("Quoted verbatim.", "原文引用。")
    )[lang]
    return " ".join((f"{head}{by}, {cited.uri}. {licences}.", how, *_hints(decision, lang)))


def _licence_words(licence: str) -> str:
    name, url = licence_name(licence), licence_url(licence)
    inside = ", ".join(filter(None, (licence if licence != name else "", url)))
    return f"{name} ({inside})" if inside else name


def _hints(decision: Decision, lang: int) -> Iterator[str]:
    kinds = {obligation.kind for obligation in decision.obligations}
    yield from (hint[lang] for kind, hint in _HINTS.items() if kind in kinds)
    if UNKNOWN_LICENCE in decision.chosen.split(" AND "):
        yield _UNKNOWN_HINT[lang]
