"""Laws of sensitive spans: inside the text, on character borders, disjoint, and not missed."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tasks.provenance.sensitivity.detection import KINDS, find_sensitive
from tasks.provenance.sensitivity.spans import Found, digit_places, settle, token_places

ITEMS = st.sampled_from(
    [
        "anna.b@mail.example.org",
        "+1 650-253-0000",
        "4111 1111 1111 1111",
        "GB82WEST12345698765432",
        "460-89-9847",
        "11010519491231002X",
        "86.121.97.248",
        "90:e2:ba:0a:56:b4",
        "https://www.artistmovie.se/",
        "AKIAIOSFODNN7EXAMPLE",
        "password=s3cr3t-Pw!",
    ]
)
NEAR = st.text(alphabet="0123456789 .-+()/:@ab#\n电话x", max_size=60)
TEXTS = st.lists(st.one_of(st.text(max_size=40), NEAR, ITEMS), max_size=8).map("".join)
SPANS = st.builds(
    lambda rank, start, size: Found(rank, start, start + size, "A"),
    st.integers(0, 3),
    st.integers(0, 60),
    st.integers(1, 12),
)


@given(TEXTS)
def test_spans_are_disjoint_in_order_inside_the_text_and_on_character_borders(text):
    data = text.encode("utf-8", "surrogatepass")
    at = 0
    for span in find_sensitive(text):
        assert at <= span.start < span.end <= len(data)
        assert span.kind in KINDS
        data[span.start : span.end].decode("utf-8", "surrogatepass")
        at = span.end


@given(st.text(max_size=80), ITEMS, st.text(max_size=80))
def test_an_item_on_a_line_of_its_own_is_found_in_any_text(before, item, after):
    text = f"{before}\n{item}\n{after}"
    start = len(f"{before}\n".encode("utf-8", "surrogatepass"))
    spans = find_sensitive(text)
    assert any(start <= span.start and span.end <= start + len(item) for span in spans)


@given(st.lists(SPANS, max_size=20))
def test_settled_spans_are_disjoint_and_every_loser_meets_a_stronger_one(spans):
    kept = settle(spans)
    assert all(left.end <= right.start for left, right in pairwise(kept))
    for lost in set(spans) - set(kept):
        assert any(
            won.start < lost.end and lost.start < won.end and won.rank <= lost.rank for won in kept
        )


@given(st.binary(max_size=200))
def test_places_are_where_digits_and_long_words_begin(data):
    word = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"
    assert all(chr(data[at]).isdigit() for at in digit_places(data))
    runs = [at for at in range(len(data)) if at == 0 or data[at - 1] not in word]
    long = [
        at for at in runs if len(data) - at >= 20 and all(b in word for b in data[at : at + 20])
    ]
    assert token_places(data).tolist() == long
