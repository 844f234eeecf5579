"""Laws of the questions drawn from an index."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.known_item import Source, known_items

phrases = st.lists(st.sampled_from(["alpha", "beta", "gamma", "红楼", "delta"]), max_size=5).map(
    " ".join
)


@st.composite
def corpora(draw):
    count = draw(st.integers(0, 12))
    return [
        Source(
            doc_id=f"d{number}",
            title=draw(phrases),
            headings=tuple(draw(st.lists(phrases, max_size=3))),
            text=". ".join(draw(st.lists(phrases, max_size=3))),
        )
        for number in range(count)
    ]


def holds(document, phrase):
    body = " ".join([document.title, *document.headings, document.text]).casefold()
    return phrase.casefold() in " ".join(body.split())


@given(corpora(), st.integers(1, 6), st.integers(0, 3))
def test_every_question_is_a_phrase_of_its_own_document(documents, limit, seed):
    by_id = {document.doc_id: document for document in documents}
    found = known_items(documents, limit, seed=seed)
    assert len(found.queries) <= limit
    for query, phrase in found.queries.items():
        (doc_id,) = found.relevant[query]
        assert holds(by_id[doc_id], phrase)


@given(corpora(), st.integers(0, 3))
def test_no_title_or_heading_that_two_documents_carry_is_asked(documents, seed):
    for phrase in known_items(documents, 50, seed=seed).queries.values():
        carriers = [d for d in documents if phrase in (d.title, *d.headings)]
        assert len(carriers) <= 1


@given(corpora(), st.randoms())
def test_the_order_of_documents_does_not_matter(documents, random):
    shuffled = random.sample(documents, len(documents))
    assert known_items(documents, 4) == known_items(shuffled, 4)
