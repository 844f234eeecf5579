"""Units: exact byte ranges, and the same unit for every way of writing a word."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.spans.layout import BLOCK
from storage.spans.segment import layout_of
from storage.spans.units import MARKUP, current_rule, scanner

WORDS = st.text(alphabet="abcXYZ019éßжΩ", min_size=1, max_size=8)
BREAKS = st.text(alphabet=" \n\t.,;(){}<>/=+#-", min_size=1, max_size=4)


@pytest.fixture(scope="module")
def cut():
    return scanner(current_rule()).units


@settings(max_examples=60)
@given(st.lists(st.tuples(BREAKS, WORDS), max_size=12))
def test_each_word_is_one_unit_with_its_exact_bytes(cut, parts):
    text = "".join(gap + word for gap, word in parts).encode()
    units = cut(text)
    found = [text[a:b].decode() for a, b in zip(units.starts, units.ends, strict=True)]
    assert found == [word for _, word in parts]


@settings(max_examples=80)
@given(st.binary(max_size=60))
def test_any_bytes_are_cut_in_order_and_within_bounds(cut, data):
    units = cut(data)
    edges = np.column_stack([units.starts, units.ends]).ravel()
    assert (np.diff(edges) >= 0).all()
    assert (units.starts < units.ends).all()
    assert edges.size == 0 or (edges[0] >= 0 and edges[-1] <= len(data))
    assert (units.hashes > 0).all()
    assert (units.hashes < 2**48).all()


@settings(max_examples=60)
@given(st.lists(WORDS, min_size=1, max_size=8), st.data())
def test_case_form_and_markup_make_no_difference(cut, words, data):
    plain = " ".join(words)
    marked = []
    for word in words:
        at = data.draw(st.integers(0, len(word)))
        mark = data.draw(st.sampled_from(["", *MARKUP, "\u00ad", "\u200d"]))
        marked.append(word[:at] + mark + word[at:])
    written = "\n\t".join(marked)
    form = data.draw(st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
    for other in (written, written.upper(), written.lower(), unicodedata.normalize(form, written)):
        assert cut(other.encode()).hashes.tolist() == cut(plain.encode()).hashes.tolist()


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 300)), max_size=60), min_size=1)
)
def test_the_layout_gives_every_unit_its_bytes(documents):
    from storage.spans.layout import locate, write_units

    units, wide, firsts, bases, truth = [], [], [0], [0], []
    for number, gaps in enumerate(documents):
        steps = np.array(gaps, np.int64).reshape(-1, 2)
        ends = np.cumsum(steps.sum(axis=1))
        starts = ends - steps[:, 1]
        own, extra = np.zeros(len(gaps) + 1, np.uint8), np.zeros(10 * len(gaps) + 10, np.uint8)
        used = write_units(starts, ends, own, extra, 0)
        truth += [(number, firsts[-1] + 1 + k, starts[k], ends[k]) for k in range(len(gaps))]
        units.append(own)
        wide.append(extra[:used])
        firsts.append(firsts[-1] + own.size)
        bases.append(bases[-1] + (int(ends[-1]) if gaps else 0) + 7)
    tables = np.array(firsts, np.uint32), np.array(bases, np.uint32)
    layout = layout_of(np.concatenate(units), np.concatenate(wide), *tables)
    assert all(locate(layout, number, at) == (a, b) for number, at, a, b in truth)
    assert layout.samples.shape == (-(-firsts[-1] // BLOCK), 2)
