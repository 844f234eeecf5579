"""Laws of answering: citations slice to what they claim, refusals cite nothing, nothing is invented."""

import hashlib
import string

from hypothesis import given
from hypothesis import strategies as st

from tasks.answer.gate import Gate
from tasks.answer.pipeline import AnswerOptions, answer_question
from tasks.answer.scoring import read_passages
from tasks.answer.selection import select_sentences
from tasks.answer.support import SupportChecker, anchors, occurs
from tests.fakes import FakeSearcher, FakeTokenEncoder, hit

ENCODER = FakeTokenEncoder()
OPEN = Gate(intercept=0, max_sim=0, coverage=0, cosine=0, bm25_mass=0, threshold=0.0)
TEXTS = st.text(
    st.one_of(
        st.sampled_from("aeiou nrst.?!\n#。？！泵水安娜😀é\u3000\u200b\x00`@_12"),
        st.characters(exclude_categories=("Cs",)),
    ),
    min_size=1,
    max_size=120,
).filter(lambda text: text.strip())
PASSAGES = st.lists(TEXTS, min_size=1, max_size=4, unique=True)


class Writer:
    name = "writer"

    def __init__(self, text):
        self.text = text

    def generate(self, question, passages):
        return self.text


def ask(texts, generator=None, gate=OPEN):
    hits = [hit(text, start=1000 * number) for number, text in enumerate(texts)]
    options = AnswerOptions(gate=gate)
    reply = answer_question("aeiou 泵水?", FakeSearcher(hits), ENCODER, generator, options)
    return reply.answer, {one.chunk_id: one for one in hits}


def assert_citations_hold(answer, hits):
    text = answer.text.encode()
    for citation in answer.citations:
        passage = hits[citation.chunk_id]
        quote = passage.text.encode()[citation.start - passage.start : citation.end - passage.start]
        assert quote.decode()
        assert hashlib.sha256(quote).hexdigest() == citation.quote_sha256
        sentence = text[citation.a_start : citation.a_end].decode()
        assert sentence
        if citation.grade == "quoted":
            assert sentence.encode() == quote


@given(PASSAGES)
def test_every_citation_slices_to_its_sentence(texts):
    answer, hits = ask(texts)
    assert_citations_hold(answer, hits)


@given(PASSAGES, TEXTS.filter(lambda text: "\0" not in text))
def test_the_same_holds_for_whatever_a_generator_writes(texts, written):
    answer, hits = ask(texts, Writer(written))
    assert_citations_hold(answer, hits)


@given(PASSAGES)
def test_every_byte_of_an_answer_but_the_separators_is_cited(texts):
    answer, _hits = ask(texts)
    spans = sorted({(c.a_start, c.a_end) for c in answer.citations})
    text = answer.text.encode()
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    assert text.strip(b"\n") == b""


@given(PASSAGES)
def test_a_refusal_never_has_a_citation(texts):
    shut = Gate(intercept=-50, max_sim=0, coverage=0, cosine=0, bm25_mass=0, threshold=0.5)
    answer, _hits = ask(texts, gate=shut)
    assert (answer.status, answer.text, answer.citations) == ("refused", "", ())


IDENTIFIERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["@", "--", ""]),
    st.text(string.ascii_lowercase, min_size=2, max_size=6),
    st.sampled_from(["_", ".", "_2", "::"]),
    st.text(string.ascii_lowercase, min_size=2, max_size=6),
)
KNOWN = "The pump decorator retries flows, and a work pool hands flow runs to workers."


@given(IDENTIFIERS, st.integers(0, 12))
def test_an_identifier_that_no_passage_holds_never_passes(identifier, place):
    words = KNOWN.split()
    sentence = " ".join([*words[:place], identifier, *words[place:]])
    passages = read_passages([hit(KNOWN)], ENCODER)
    checker = SupportChecker(passages, ENCODER, lambda terms: [1.0] * len(terms))
    assert checker.check(sentence) is None
    assert checker.check(KNOWN) is not None


@given(TEXTS)
def test_an_anchor_occurs_in_the_sentence_that_it_was_found_in(sentence):
    assert all(occurs(anchor, sentence) for anchor in anchors(sentence))


@given(PASSAGES, st.integers(1, 4))
def test_selection_is_bounded_and_takes_no_sentence_twice(texts, limit):
    from tasks.answer.scoring import Scorer

    passages = read_passages([hit(text) for text in texts], ENCODER)
    scored = Scorer("aeiou 泵水?", ENCODER, lambda terms: [1.0] * len(terms)).score(passages)
    selected = select_sentences(scored, limit)
    places = [(one.hit.chunk_id, one.start) for s in selected for one in (s.best, *s.twins)]
    assert len(selected) <= limit
    assert len(places) == len(set(places))
    assert bool(selected) == bool(scored)
