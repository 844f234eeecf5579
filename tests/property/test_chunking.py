"""Laws of chunking: tiling, offsets, sizes, order, equality of repeated runs."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Heading
from tasks.features.blocks import cut_evenly, find_blocks, split_block
from tasks.features.chunking import ChunkOptions, chunk_text
from tasks.shared.text import byte_offsets

PIECES = st.sampled_from(
    [
        "Word ",
        "a",
        "。",
        "中文",
        ". ",
        "\n",
        "\n\n",
        "    code",
        "- item",
        "```\n",
        "~~~",
        "| a | b",
        "1. ",
        "😀",
        "👩\u200d👩\u200d👧",
        "e\u0301",
        "🇨🇳",
        "\u0301" * 5,
        "\u3000",
        "\t",
        "#",
        "x" * 40,
    ]
)
TEXT = st.one_of(
    st.lists(PIECES, max_size=60).map("".join),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=120),
)
OPTIONS = st.sampled_from(
    [
        ChunkOptions(target_tokens=4, max_tokens=6, min_tokens=1, max_chars=40),
        ChunkOptions(target_tokens=1, max_tokens=1, min_tokens=0, max_chars=3),
        ChunkOptions(target_tokens=20, max_tokens=30, min_tokens=5, max_chars=400),
    ]
)


def count_words(texts: list[str]) -> list[int]:
    """Count words and CJK characters, as a tokenizer would."""
    return [len(re.findall(r"[\u4e00-\u9fff]|[a-zA-Z0-9]{1,8}|[^\s\w]", text)) for text in texts]


@st.composite
def documents(draw) -> tuple[str, list[Heading]]:
    """Draw a text with an outline whose headings start at characters of it."""
    text = draw(TEXT)
    offsets = byte_offsets(text)
    places = draw(st.lists(st.integers(0, len(text)), max_size=4, unique=True))
    outline = [
        Heading(start=int(offsets[at]), level=draw(st.integers(1, 3)), title=f"h{at}")
        for at in sorted(places)
    ]
    return text, outline


@given(documents(), OPTIONS)
def test_every_visible_byte_lies_in_exactly_one_chunk(document, options):
    text, outline = document
    data = text.encode()
    chunks = chunk_text(text, outline, count_words, options)
    assert all(left[1] <= right[0] for left, right in pairwise(chunks))
    outside = [0, *(edge for start, end, *_ in chunks for edge in (start, end)), len(data)]
    assert (
        not b"".join(data[a:b] for a, b in zip(outside[::2], outside[1::2], strict=True))
        .decode()
        .strip()
    )


@given(documents(), OPTIONS)
def test_chunks_are_whole_characters_without_white_space_at_the_edges(document, options):
    text, outline = document
    data = text.encode()
    for start, end, *_ in chunk_text(text, outline, count_words, options):
        piece = data[start:end].decode()
        assert piece
        assert piece == piece.strip()


@given(documents(), OPTIONS)
def test_chunks_keep_the_limits_unless_they_cannot_be_cut(document, options):
    text, outline = document
    data = text.encode()
    for start, end, _, num_tokens in chunk_text(text, outline, count_words, options):
        piece = data[start:end].decode()
        fits = num_tokens <= options.max_tokens and len(piece) <= options.max_chars
        assert fits or cut_evenly(piece, (0, len(piece)), 2) == [(0, len(piece))]


@given(documents(), OPTIONS)
def test_chunking_twice_gives_the_same(document, options):
    assert chunk_text(*document, count_words, options) == chunk_text(
        *document, count_words, options
    )


@given(documents(), OPTIONS)
def test_heading_paths_hold_only_titles_of_headings_at_or_before_the_end(document, options):
    text, outline = document
    for _, end, path, _ in chunk_text(text, outline, count_words, options):
        assert set(path) <= {heading.title for heading in outline if heading.start < end}


@given(TEXT)
def test_blocks_and_their_parts_hold_all_that_is_visible(text):
    blocks = list(find_blocks(text, 0, len(text)))
    parts = [span for block in blocks for span in split_block(text, block)]
    assert all(left[1] <= right[0] for left, right in pairwise(parts))
    assert "".join("".join(text[a:b] for a, b in parts).split()) == "".join(text.split())


@given(TEXT.filter(lambda text: len(text.strip()) > 1), st.integers(2, 9))
def test_cutting_loses_nothing_and_makes_progress(text, num_pieces):
    text = text.strip()
    pieces = cut_evenly(text, (0, len(text)), num_pieces)
    assert "".join("".join(text[a:b] for a, b in pieces).split()) == "".join(text.split())
    assert all(b - a < len(text) for a, b in pieces) or len(pieces) == 1


@given(st.integers(3, 200), st.integers(2, 5))
def test_a_family_emoji_or_an_accent_is_never_torn(repeats, num_pieces):
    for grapheme in ("e\u0301", "👩\u200d👩\u200d👧", "👍🏽"):
        text = grapheme * repeats
        pieces = cut_evenly(text, (0, len(text)), num_pieces)
        assert len(pieces) > 1
        assert all((b - a) % len(grapheme) == 0 for a, b in pieces)


def test_a_heading_starts_a_chunk_and_names_it():
    text = "# A\n" + "one two three. " * 10 + "\n\n## B\n" + "four five six. " * 10
    outline = [
        Heading(start=0, level=1, title="A"),
        Heading(start=text.index("##"), level=2, title="B"),
    ]
    chunks = chunk_text(text, outline, count_words, ChunkOptions())
    assert [(text[a:b][:4].strip(), path) for a, b, path, _ in chunks] == [
        ("# A", ("A",)),
        ("## B", ("A", "B")),
    ]


def test_a_heading_with_nothing_under_it_goes_with_its_first_child():
    text = "# A\n\n## B\n" + "four five six. " * 10
    outline = [Heading(start=0, level=1, title="A"), Heading(start=5, level=2, title="B")]
    chunks = chunk_text(text, outline, count_words)
    assert [(a, path) for a, _, path, _ in chunks] == [(0, ("A", "B"))]


def test_a_sentence_that_fits_is_never_split():
    sentence = "The quick brown fox jumps over the lazy dog again. "
    options = ChunkOptions(target_tokens=20, max_tokens=25, min_tokens=0)
    chunks = chunk_text(sentence * 40, (), count_words, options)
    assert {(sentence * 40)[a:b][-6:] for a, b, *_ in chunks} == {"again."}


def test_a_short_tail_of_a_section_joins_the_chunk_before_it():
    text = "one two three four five six seven eight nine ten. " * 16 + "The end."
    chunks = chunk_text(text, (), count_words)
    assert [num_tokens for *_, num_tokens in chunks] == [179]


def test_a_short_paragraph_does_not_push_its_neighbour_over_the_limit():
    text = "Just a few words.\n\n" + "word " * 28
    options = ChunkOptions(target_tokens=20, max_tokens=30, min_tokens=0)
    assert [n for *_, n in chunk_text(text, (), count_words, options)] == [5, 28]


def test_a_code_block_that_fits_stays_in_one_chunk():
    code = "```python\ndef f(x):\n\n    return x\n```"
    text = f"{'Some words here. ' * 30}\n\n{code}\n\n{'More words here. ' * 30}"
    chunks = chunk_text(text, (), count_words)
    assert sum(code in text[a:b] for a, b, *_ in chunks) == 1


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["x", "x ", "中", "\n", ".", "```\n", "~~~ a\n", "- \n", "\u0301", "a\n\n", "    b\n"]
)
def test_long_monotonous_texts_take_linear_time(piece):
    text = piece * 50_000
    chunks = chunk_text(text, (), count_words)
    assert sum(b - a for a, b, *_ in chunks) <= len(text.encode())


def test_contradictory_sizes_are_refused():
    with pytest.raises(ValueError, match="min <= target <= max"):
        ChunkOptions(target_tokens=300)
