"""An audit as figures, as Markdown and as files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from storage.errors import InputError
from storage.files import explained, write_atomic
from tasks.provenance.audit.page import html_page, json_page
from tasks.provenance.audit.records import Audit, Portion
from tasks.provenance.audit.words import Words


def write_pages(audit: Audit, page: Path, lang: str) -> tuple[Path, Path]:
    """Write the page, and the JSON beside it with the ending .json."""
    data = page.with_suffix(".json")
    if data == page:
        raise InputError(
            "the page and its JSON would be one file", item=str(page), way_out="End it in .html"
        )
    with explained(str(page)):
        write_atomic(page, html_page(audit, lang).encode())
        write_atomic(data, json_page(audit).encode())
    return page, data


def metrics_of(audit: Audit) -> dict[str, float]:
    """Give the figures of an audit by name."""
    figures = {
        "open_revocations": float(len(audit.revocations)),
        "unsigned_entries": float(audit.heads.n_unsigned),
    }
    if audit.answers is not None:
        found = audit.answers
        grades = {part.name: part.share for part in found.by_grade}
        figures |= {
            "answers": float(found.n_audited),
            "sentences": float(found.n_sentences),
            "sentences_without_source": float(found.n_unsourced),
            "stale_answers": float(found.n_stale),
            "share_quoted": grades.get("quoted", 0.0),
            "share_cited": grades.get("cited", 0.0),
        }
    if audit.model is not None:
        revoked = sum(one.n_documents for one in audit.model.revoked)
        figures |= {
            "samples": float(audit.model.n_samples),
            "revoked_documents": float(revoked),
        }
    return figures


def text_of(
    subject: str,
    figures: Mapping[str, float],
    revocations: Iterable[Mapping[str, str]],
    place: tuple[str, str],
    lang: str,
) -> str:
    """Say the figures in lines, in English or Chinese; place is where to look: a word, its value."""
    words = Words(lang)
    lines = []
    for name, value in figures.items():
        shown = f"{value:.1%}" if name.startswith("share_") else f"{value:,.0f}"
        lines.append(f"├─ {words[_WORD_OF.get(name, name)]}{words['is']}{shown}")
        if name == "open_revocations":
            lines += [
                f"│    {one['scope']}: {words.name(one['state'])} ({one['id']})"
                for one in revocations
            ]
    head = f"{words['title']}{words['is']}{words.name(subject)}"
    return "\n".join([head, *lines, f"└─ {words[place[0]]}{words['is']}{place[1]}"])


def markdown_of(audit: Audit) -> str:
    """Say in Markdown what was found."""
    rows = "\n".join(f"| {name} | {value:g} |" for name, value in metrics_of(audit).items())
    parts = [f"## Audit of {audit.subject}\n\n| | |\n|---|---|\n{rows}"]
    if audit.answers is not None:
        for title, found in (
            ("licence", audit.answers.by_licence),
            ("source", audit.answers.by_source),
        ):
            parts.append(_shares(title, found))
    return "\n\n".join(parts)


def _shares(title: str, found: tuple[Portion, ...]) -> str:
    rows = "\n".join(f"| {part.name} | {part.share:.1%} |" for part in found[:_SHOWN])
    return f"| {title} | share of bytes |\n|---|---|\n{rows}"


_SHOWN = 10
_WORD_OF = {
    "open_revocations": "revocations",
    "answers": "audited",
    "sentences_without_source": "unsourced",
}
