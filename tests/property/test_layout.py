"""Laws of the byte map: it survives storage, it finds every change, it never points outside."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.decode import is_exact
from tasks.ingest.extract_html import extract_html
from tasks.ingest.extract_text import extract_text
from tasks.ingest.failures import ExtractError
from tasks.ingest.formats import TEXT
from tasks.shared.layout import check_range, dump_layout, load_layout, source_range, tiles

WORDS = st.text("abc xyz.\u4e2d\u6587\u00e9\U0001f600\n\t ", max_size=40)
TAGS = st.sampled_from([
    "<p>", "</p>", "<div class='a>b'>", "</div>", "<b>", "</b>", "<br/>", "<h1>", "</h1>", "<h2 id=x>",
    "</h2>", "<pre>", "</pre>", "<td>", "<li>", "<nav>", "</nav>", "<script>if (a<b) x='</p>';</script>",
    "<style>p{}</style>", "<!-- no --> ", "<!-->", "<!doctype html>", "<title>T &amp; t</title>", "<a href=\"x>y",
    "<", ">", "</", "<3", "<svg>", "<template>", "</template>", "\"", "'",
])  # fmt: skip
REFERENCES = st.sampled_from(
    ["&amp;", "&lt;", "&nbsp;", "&eacute", "&#20013;", "&#x4e2d;", "&#0;", "&bogus;", "&", "&acE;"]
)
MARKUP = st.lists(st.one_of(WORDS, TAGS, REFERENCES), max_size=30).map("".join)
ENCODINGS = st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-8-sig"])


def page(markup: str, encoding: str = "utf-8") -> bytes:
    charset = "" if encoding.startswith("utf") else f"<meta charset={encoding}>"
    return (charset + markup).encode(encoding)


def stored(extraction):
    return load_layout(dump_layout(extraction))


@given(MARKUP, ENCODINGS)
def test_the_runs_of_a_page_tile_its_text_and_are_proven_byte_for_byte(markup, encoding):
    data = page(markup, encoding)
    extraction = extract_html(data)
    text, layout = extraction.text.encode(), stored(extraction)
    assert extraction.origin == "mapped"
    assert layout.runs == extraction.runs
    assert tiles(layout.runs, len(text))
    assert check_range(data, text, layout, 0, len(text)) == ""


@given(MARKUP, st.data())
def test_any_part_of_a_page_is_proven_and_found_in_the_source(markup, data):
    source = page(markup)
    extraction = extract_html(source)
    text, layout = extraction.text, stored(extraction)
    first, last = sorted(data.draw(st.integers(0, len(text))) for _ in range(2))
    start, end = len(text[:first].encode()), len(text[:last].encode())
    assert check_range(source, text.encode(), layout, start, end) == ""
    src_start, src_end = source_range(text.encode(), layout, start, end)
    assert 0 <= src_start <= src_end <= len(source)


@given(MARKUP, st.data())
def test_a_changed_byte_of_the_original_is_found(markup, data):
    source = page(markup + "word")
    extraction = extract_html(source)
    text, layout = extraction.text.encode(), stored(extraction)
    run = data.draw(
        st.sampled_from([run for run in extraction.runs if run.kind == "copy"] or [None])
    )
    if run is None:
        return
    at = data.draw(st.integers(run.src_start, run.src_end - 1))
    changed = bytearray(source)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert check_range(bytes(changed), text, layout, 0, len(text)) != ""


@given(MARKUP, st.data())
def test_a_changed_byte_of_the_text_is_found(markup, data):
    source = page(markup + "word")
    extraction = extract_html(source)
    text, layout = bytearray(extraction.text.encode()), stored(extraction)
    if not text:
        return
    at = data.draw(st.integers(0, len(text) - 1))
    was_blank = not bytes(text[at : at + 1]).strip()
    text[at] ^= data.draw(st.integers(1, 255))
    if not (was_blank and not bytes(text[at : at + 1]).strip()):
        assert check_range(source, bytes(text), layout, 0, len(text)) != ""


@given(MARKUP)
def test_headings_start_where_their_words_are(markup):
    extraction = extract_html(page(markup))
    text = extraction.text.encode()
    for heading in extraction.outline:
        assert text[heading.start :].decode().lstrip()[:1] == heading.title[:1]


@given(st.text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"]))
def test_decoded_text_is_exact_or_says_that_it_is_not(text, encoding):
    data = ("word " * 20 + text).encode(encoding, "ignore")
    try:
        extraction = extract_text(data, TEXT)
    except ExtractError:
        return
    if extraction.origin == "identity":
        assert extraction.text.encode() == data
    elif extraction.origin == "recoded":
        assert is_exact(data, extraction.text, extraction.encoding)


@given(
    st.text("ab \n\u4e2d\u6587", min_size=1, max_size=200),
    st.sampled_from(["utf-8-sig", "utf-16", "gb18030"]),
    st.data(),
)
def test_any_part_of_a_recoded_text_is_proven_and_a_change_is_found(piece, encoding, data):
    text = "\u4e2d\u6587\u8fd9\u662f\u4e00\u6bb5\u8bdd\u3002" * 5 + piece
    source = text.encode(encoding)
    extraction = extract_text(source, TEXT)
    layout, stored_text = stored(extraction), extraction.text.encode()
    assert (extraction.text, extraction.origin) == (text, "recoded")
    first, last = sorted(data.draw(st.integers(0, len(text))) for _ in range(2))
    start, end = len(text[:first].encode()), len(text[:last].encode())
    assert check_range(source, stored_text, layout, start, end) == ""
    src_start, src_end = source_range(stored_text, layout, start, end)
    if src_start < src_end:
        changed = bytearray(source)
        changed[data.draw(st.integers(src_start, src_end - 1))] ^= 1
        assert check_range(bytes(changed), stored_text, layout, start, end) != ""
