"""Laws of signatures and clusters: blind to layout, reflexive, and true to the order of calls."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.duplicates import SIGNATURE_BYTES, THRESHOLD, Clusters, signature, similarity

WORDS = st.lists(
    st.sampled_from(["alpha", "beta", "gamma", "delta", "春", "眠", "不", "觉", "晓", "été", "x1"]),
    max_size=60,
)
TEXTS = st.one_of(st.text(max_size=400), WORDS.map(" ".join))
SIGNED = st.lists(TEXTS, max_size=12).map(
    lambda texts: [(f"doc{at}", signature(text)) for at, text in enumerate(texts)]
)


@given(TEXTS)
def test_a_signature_has_one_of_three_sizes_and_is_like_itself(text):
    signed = signature(text)
    assert len(signed) in {0, 16, SIGNATURE_BYTES}
    assert signed == signature(text)
    assert similarity(signed, signed) == (1.0 if signed else 0.0)


@given(WORDS)
def test_layout_does_not_matter(words):
    assert signature(" ".join(words)) == signature("\n".join(words) + "。!")


@given(TEXTS, TEXTS)
def test_similarity_is_symmetric_and_bounded(left, right):
    one, other = signature(left), signature(right)
    assert similarity(one, other) == similarity(other, one)
    assert 0.0 <= similarity(one, other) <= 1.0


@given(SIGNED)
def test_a_cluster_is_named_by_its_first_document_and_its_members_are_like_it(documents):
    clusters = Clusters()
    homes = {doc: clusters.assign(doc, signed) for doc, signed in documents}
    signatures = dict(documents)
    for doc, home in homes.items():
        assert homes[home] == home
        assert doc == home or similarity(signatures[doc], signatures[home]) >= THRESHOLD
        assert list(signatures).index(home) <= list(signatures).index(doc)


@given(SIGNED, st.integers(0, 12))
def test_assigning_again_or_going_on_from_stored_rows_changes_nothing(documents, cut):
    whole = Clusters()
    expected = [whole.assign(doc, signed) for doc, signed in documents]
    assert [whole.assign(doc, signed) for doc, signed in documents] == expected
    stored = [(doc, signed, home) for (doc, signed), home in zip(documents, expected, strict=True)]
    resumed = Clusters(stored[:cut])
    assert [resumed.assign(doc, signed) for doc, signed in documents] == expected
