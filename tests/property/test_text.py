"""Laws of sentence splitting, term analysis and byte offsets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.shared.text import analyse, byte_offsets, sentences

MIXED = st.text(
    st.one_of(
        st.sampled_from(" \n\t.!?。！？…，；:#-*|=`'\"”)）1aB"),
        st.sampled_from("中文句子気은é😀\u0301\u3000\x0b"),
        st.characters(exclude_categories=("Cs",)),
    ),
    max_size=300,
)


@given(MIXED)
def test_every_visible_character_lies_in_exactly_one_sentence(text):
    spans = sentences(text)
    assert _bare("".join(text[a:b] for a, b in spans)) == _bare(text)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))


@given(MIXED)
def test_sentences_have_no_white_space_at_their_edges(text):
    assert all(text[a:b] and text[a:b] == text[a:b].strip() for a, b in sentences(text))


@given(MIXED)
def test_byte_offsets_agree_with_encoding_each_prefix(text):
    offsets = byte_offsets(text)
    assert [len(text[:i].encode()) for i in range(len(text) + 1)] == offsets.tolist()


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_terms_do_not_depend_on_ascii_case(text):
    assert analyse(text.upper()) == analyse(text.lower())


@given(MIXED)
def test_terms_hold_no_white_space_and_are_never_empty(text):
    assert all(term and not any(map(str.isspace, term)) for term in analyse(text))


@given(st.text("中文句子测试", min_size=1, max_size=30))
def test_a_chinese_run_gives_each_character_and_each_pair(run):
    assert sorted(analyse(run)) == sorted([*run, *(a + b for a, b in pairwise(run))])


@given(st.lists(st.sampled_from(["Alpha beta", "中文分析", "v1.2", "x"]), max_size=6))
def test_terms_of_lines_are_the_sum_of_the_terms_of_each_line(lines):
    together = sorted(analyse("\n".join(lines)))
    assert together == sorted(term for line in lines for term in analyse(line))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith paid. He left.", ["Dr. Smith paid.", "He left."]),
        ("See e.g. this one. Next", ["See e.g. this one.", "Next"]),
        ("今天好。你呢？“去！”走", ["今天好。", "你呢？", "“去！”", "走"]),
        ("# Title\nBody text", ["# Title", "Body text"]),
        ("Title\n=====\nBody", ["Title\n=====", "Body"]),
        ("1. one\n2. two\n- three", ["1. one", "2. two", "- three"]),
        ("soft\nwrapped line\n\nnext", ["soft\nwrapped line", "next"]),
        ("Python 3.11 很快.对", ["Python 3.11 很快.", "对"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    assert [text[a:b] for a, b in sentences(text)] == expected


def test_words_are_stemmed_numbers_kept_and_full_width_forms_folded():
    assert analyse("Running ＡＰＩ v1.2.3, ３ dogs") == ["run", "api", "v1.2.3", "3", "dog"]


@pytest.mark.parametrize("piece", [".", "\n", "\n ", ".)", "。", "\n# ", "\n===", "a.", "中"])
def test_a_hundred_thousand_repeats_take_linear_time(piece):
    text = piece * 100_000
    assert sum(b - a for a, b in sentences(text)) <= len(text)


def _bare(text: str) -> str:
    return "".join(text.split())
