"""The audit adds up what answers and models are made of, and its page loads nothing."""

import json
import re
from html.parser import HTMLParser

import pytest

from storage.errors import InputError, NotFoundError
from storage.records import Exposure
from tasks.provenance.audit.answers import cut_by_kind, portions
from tasks.provenance.audit.collect import collect
from tasks.provenance.audit.page import MOST_BARS, STYLE, html_page, json_page
from tasks.provenance.audit.records import Portion
from tasks.provenance.audit.summary import markdown_of, metrics_of, write_pages
from tasks.provenance.audit.words import _WORDS
from tests.stored_home import SENTENCES, fill_home

NASTY = '<script>alert("1")</script>'


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = fill_home(tmp_path_factory.mktemp("audit")).home
    home.revocations.open("source:docs", NASTY, "me", {})
    home.trust_records.override("docs", 0.2, "me", "looked at it")
    home.models.add(
        "tiny", "1", path="/m", sha256="ab", run_id="r1", trained_on="snap:documents@0",
        samples=[Exposure(doc_id="d", source="docs", licence="MIT", n_samples=2, n_bytes=9)],
    )  # fmt: skip
    return home


@pytest.fixture(scope="module")
def answers(home):
    return collect(home)


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.seen, self.attributes, self.open = set(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in {"meta", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs


def test_bytes_add_up_by_grade_licence_and_source(answers):
    found = answers.answers
    quoted = sum(len(sentence.encode()) for sentence in SENTENCES.values())
    assert found.by_grade == (
        Portion(name="quoted", n_bytes=quoted, share=quoted / found.n_bytes),
        Portion(name="none", n_bytes=5, share=5 / found.n_bytes),
    )
    for parts, name in ((found.by_licence, "CC-BY-4.0"), (found.by_source, "docs")):
        assert [(part.name, part.n_bytes) for part in parts] == [(name, quoted), ("none", 5)]


def test_a_sentence_without_source_is_named(home, answers):
    found = answers.answers
    assert [(one.answer_id, one.text) for one in found.unsourced] == [("01ANSWER", "More.")]
    assert (found.n_unsourced, found.n_sentences, found.n_audited) == (1, 5, 1)
    text = home.ledger.answer("01ANSWER").text.encode()
    assert text[found.unsourced[0].start : found.unsourced[0].end] == b"More."


def test_open_revocations_trust_and_heads_are_told(answers):
    assert [(one.scope, one.state) for one in answers.revocations] == [("source:docs", "planned")]
    assert [(one.source, one.trust, one.by, one.who) for one in answers.trust] == [
        ("docs", 0.2, "override", "me")
    ]
    assert (answers.heads.n_heads, answers.heads.n_unsigned) == (0, answers.heads.n_entries)


@pytest.mark.parametrize(
    ("spans", "parts"),
    [
        ([], {"not_sensitive": 10}),
        ([(0, 12, "EMAIL")], {"not_sensitive": 8, "EMAIL": 2}),
        (
            [(12, 15, "EMAIL"), (14, 18, "NAME"), (40, 50, "URL")],
            {"not_sensitive": 4, "EMAIL": 3, "NAME": 3},
        ),
    ],
)
def test_cited_bytes_are_parted_by_what_is_sensitive(spans, parts):
    found = {part.name: part.n_bytes for part in portions(cut_by_kind(10, 20, spans))}
    assert found == parts


def test_a_refused_or_erased_answer_has_no_sentences(tmp_path):
    stored = fill_home(tmp_path)
    stored.home.ledger.erase_answers([stored.answer_id], "gone")
    found = collect(stored.home).answers
    assert (found.n_erased, found.n_sentences, found.by_grade) == (1, 0, ())


def test_a_model_is_audited_by_its_training_set(home):
    found = collect(home, "model:tiny@1")
    assert found.answers is None
    assert [(one.name, one.share) for one in found.model.sources] == [("docs", 1.0)]
    assert metrics_of(found)["samples"] == 2
    with pytest.raises(NotFoundError, match="model:zz@1"):
        collect(home, "model:zz@1")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("model", ["", "model:tiny@1"])
def test_the_page_is_whole_and_loads_nothing(home, lang, model):
    page = html_page(collect(home, model), lang)
    tags = Tags(page)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe", "object"}
    assert not [name for name, _ in tags.attributes if name in {"src", "href"} or name[:2] == "on"]
    assert "url(" not in page
    assert "default-src 'none'" in page
    assert NASTY not in page


def test_a_bar_is_as_long_as_its_share(answers):
    page = html_page(answers)
    widths = re.findall(r'<rect(?: class="none")? width="([\d.]+)"', page)
    assert sum(map(float, widths[:2])) == pytest.approx(100, abs=0.01)


def test_more_bars_than_fit_are_counted(answers):
    from dataclasses import replace

    many = tuple(Portion(name=f"s{n}", n_bytes=1, share=0.01) for n in range(MOST_BARS + 3))
    page = html_page(replace(answers, answers=replace(answers.answers, by_source=many)))
    assert f"The first {MOST_BARS} of {MOST_BARS + 3}." in page


def luminance(colour):
    digits = colour.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_have_the_contrast_of_wcag_aa(scheme):
    blocks = re.findall(r":root\{([^}]*)\}", STYLE)
    colours = dict(re.findall(r"--(\w+):(#\w+)", blocks[scheme]))

    def contrast(one, other):
        both = sorted((luminance(colours[one]), luminance(colours[other])))
        return (both[1] + 0.05) / (both[0] + 0.05)

    for ground in ("ground", "card", "warn"):
        assert min(contrast("ink", ground), contrast("soft", ground)) >= 4.5
    assert min(contrast(bar, g) for bar in ("bar", "none") for g in ("ground", "card")) >= 3


def test_every_word_is_there_in_both_languages():
    assert [key for key, pair in _WORDS.items() if not all(pair)] == []


def test_page_and_json_are_written_side_by_side(answers, tmp_path):
    page, data = write_pages(answers, tmp_path / "deep" / "report.html", "zh")
    assert 'lang="zh-CN"' in page.read_text("utf-8")
    assert json.loads(data.read_text("utf-8")) == json.loads(json_page(answers))
    assert json.loads(json_page(answers))["answers"]["n_unsourced"] == 1
    with pytest.raises(InputError, match=r"\.html"):
        write_pages(answers, tmp_path / "report.json", "en")


def test_the_figures_are_said_in_lines_in_both_languages(home, answers):
    from flows.audit import AuditReport

    def said(audit, lang, **fields):
        figures = {"figures": metrics_of(audit), "subject": audit.subject}
        fields = {"page": "/o/audit.html", "data": "/o/audit.json", "revocations": [], **fields}
        return AuditReport(run_id="01RUN", **figures, **fields).text(lang).splitlines()

    english = said(answers, "en")
    assert english[0] == "Provenance audit: stored answers"
    assert {"├─ sentences: 5", "├─ Sentences without source: 1"} <= set(english)
    assert f"├─ bytes quoted: {metrics_of(answers)['share_quoted']:.1%}" in english
    assert english[-1] == "└─ page: /o/audit.html, /o/audit.json"
    open_one = {"id": "01R", "scope": "source:docs", "state": "planned"}
    assert "│    source:docs: 已计划 (01R)" in said(answers, "zh", revocations=[open_one])
    kept = said(collect(home, "model:tiny@1"), "zh", page="", data="")
    assert (kept[0], kept[-1]) == ("溯源审计：model:tiny@1", "└─ 运行：01RUN")
    assert "├─ 样本：2" in kept


def test_the_summary_names_licences_and_figures(answers):
    text = markdown_of(answers)
    assert "| sentences_without_source | 1 |" in text
    assert "| CC-BY-4.0 | 9" in text
