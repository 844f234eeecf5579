"""Text, outline and title of each format."""

import io

import pypdf
import pytest

from storage.records import RawDocument
from tasks.ingest.extract import extract
from tasks.ingest.extract_code import extract_docstrings
from tasks.ingest.extract_html import extract_html
from tasks.ingest.extract_pdf import extract_pdf
from tasks.ingest.extract_text import outline_of
from tasks.ingest.failures import ExtractError
from tasks.ingest.formats import MARKDOWN, PDF, PYTHON, REST, TEXT
from tests.pdf_file import pdf_file


def outline(text: str, mime: str) -> list[tuple[int, str]]:
    found = outline_of(text, mime)
    for heading in found:
        rest = text.encode()[heading.start :].decode()
        assert heading.title[:3] in rest[: len(heading.title) * 4 + 20]
    return [(heading.level, heading.title) for heading in found]


def test_markdown_headings_are_found_outside_code_and_front_matter():
    text = (
        "---\ntitle: no\n---\n# One #\ntext\n\n```sh\n# no\n```\n~~~\nno\n---\n~~~\n"
        "Two\n===\n\nlong\nthree\n---\n\n- item\n---\n\n| a |\n|---|\n\n    # no\n\n#no\n### 四 章\n"
    )
    assert outline(text, MARKDOWN) == [(1, "One"), (1, "Two"), (2, "long three"), (3, "四 章")]


def test_an_unclosed_fence_hides_the_rest():
    assert outline("# a\n```\n# no\n", MARKDOWN) == [(1, "a")]


def test_rest_titles_take_levels_in_the_order_of_their_styles():
    text = "====\nTop\n====\n\nPart\n====\n\nSub\n---\n\ntext\n\nPart 二\n=======\n\n::\n\n    no\n    --\n"
    assert outline(text, REST) == [(1, "Top"), (2, "Part"), (3, "Sub"), (2, "Part 二")]


def test_a_rest_table_or_transition_is_no_title():
    assert outline("a\n\n----\n\nb\n\n=== ===\nx   y\n=== ===\n", REST) == []


def test_plain_text_has_no_outline():
    assert outline_of("# a\nTitle\n=====\n", TEXT) == ()


def test_html_blocks_are_separated_and_hidden_parts_left_out():
    page = (
        b"<html><head><title>A &amp; B</title><style>p{}</style></head><body><nav>menu</nav>"
        b"<h1>Head <em>line</em></h1><p>one  two\n   three</p><ul><li>a<li>b</ul>"
        b"<table><tr><td>x<td>y</table><pre>  keep\n   this</pre><noscript>no</noscript>end"
    )
    extraction = extract_html(page)
    assert extraction.title == "A & B"
    assert extraction.text == (
        "Head line\n\none two\nthree\n\na\nb\n\nx\ty\n\n  keep\n   this\n\nend"
    )
    assert [(h.start, h.level, h.title) for h in extraction.outline] == [(0, 1, "Head line")]


def test_html_references_are_decoded_as_entities_of_the_map():
    extraction = extract_html(b"<p>&lt;b&gt; &copy 2024 &#20013; &unknown; R&D</p>")
    assert extraction.text == "<b> © 2024 中 &unknown; R&D"
    assert [run.kind for run in extraction.runs].count("entity") == 4


def test_html_in_a_declared_encoding_is_mapped_to_its_own_bytes():
    data = '<meta charset="gb2312"><p>中文&nbsp;网页</p>'.encode("gb18030")
    extraction = extract_html(data)
    assert (extraction.text, extraction.origin) == ("中文\xa0网页", "mapped")
    run = extraction.runs[0]
    assert data[run.src_start : run.src_end].decode("gb18030") == "中文"


def test_a_navigation_by_role_is_hidden_and_an_unclosed_one_is_not():
    assert extract_html(b'<div role="navigation"><div>x</div>y</div>z').text == "z"
    assert extract_html(b"<nav>shown<p>z").text == "shown\n\nz"


def test_a_page_with_too_many_tags_is_refused_before_it_takes_memory():
    with pytest.raises(ExtractError) as caught:
        extract_html(b"<" * 1_500_001)
    assert caught.value.reason == "html.too_many_tags"


def test_docstrings_come_with_their_definitions_and_qualified_names():
    source = (
        b"\"\"\"Module.\"\"\"\nimport os\n\nclass A(B):\n    '''Class A.\n\n    More.\n    '''\n"
        b'    @deco\n    def run(self,\n            x=1) -> int:\n        r"""Run \\d."""\n'
        b'    def _no(self):\n        """Hidden."""\ndef bare(): "Short"\ndef none(): pass\n'
    )
    extraction = extract_docstrings(source, "m")
    assert extraction.text == (
        "Module.\n\nclass A(B):\n\nClass A.\n\nMore.\n\ndef run(self,\n            x=1) -> int:"
        "\n\nRun \\d.\n\ndef bare():\n\nShort"
    )
    assert [(h.level, h.title) for h in extraction.outline] == [
        (1, "m"), (2, "m.A"), (3, "m.A.run"), (2, "m.bare"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "source", [b"x = 1\n", b"def f(: pass", b"\xff\xfe", b"", b"def _f():\n  'x'"]
)
def test_code_without_public_docstrings_gives_no_text(source):
    raw = RawDocument(uri="u", data=source, mime=PYTHON, title="m")
    assert extract(raw).text == ""


def test_pdf_pages_are_joined_with_their_offsets():
    extraction = extract_pdf(pdf_file(["First page.", "Second page."], title="Notes"), 60)
    assert extraction.text == "First page.\n\nSecond page."
    assert (extraction.origin, extraction.pages) == ("extracted", (0, 13))
    assert (extraction.title, extraction.author) == ("Notes", "Ada")


def encrypted() -> bytes:
    writer = pypdf.PdfWriter(io.BytesIO(pdf_file(["secret"])))
    writer.encrypt("password", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encrypted(), "pdf.encrypted"),
        (pdf_file([""]), "pdf.no_text"),
        (pdf_file(["text"])[:40], "pdf.broken"),
        (b"not a pdf at all", "pdf.broken"),
    ],
)
def test_an_unusable_pdf_says_why(data, reason):
    with pytest.raises(ExtractError) as caught:
        extract(RawDocument(uri="u", data=data, mime=PDF))
    assert caught.value.reason == reason


def test_a_pdf_that_takes_too_long_is_given_up():
    with pytest.raises(ExtractError) as caught:
        extract_pdf(pdf_file(["text"]), 0.01)
    assert caught.value.reason == "pdf.too_slow"
