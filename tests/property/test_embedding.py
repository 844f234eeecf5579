"""Laws of batching and of token offsets."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.shared.embedding import TOKEN_BUDGET, pack, trim

LENGTHS = st.lists(st.integers(1, 3000), max_size=60)


@given(LENGTHS)
def test_every_text_is_in_exactly_one_batch(lengths):
    assert sorted(number for batch in pack(lengths) for number in batch) == [*range(len(lengths))]


@given(LENGTHS)
def test_a_padded_batch_stays_within_the_budget_unless_it_is_one_text(lengths):
    for batch in pack(lengths):
        padded = len(batch) * max(lengths[number] for number in batch)
        assert padded <= TOKEN_BUDGET or len(batch) == 1


@given(st.text(max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_trimming_keeps_all_visible_characters_and_nothing_else(text, start, end):
    span = trim(text, start, end)
    kept = text[slice(*span)] if span else ""
    assert kept == text[start : max(start, end)].strip()
    assert span is None or span[0] < span[1]
