import hashlib
from dataclasses import replace

import pytest

from storage.errors import InputError
from tasks.answer.gate import Gate
from tasks.answer.pipeline import AnswerOptions, answer_question
from tests.fakes import FakeSearcher, FakeTokenEncoder, hit

OPEN = Gate(intercept=0, max_sim=0, coverage=0, cosine=0, bm25_mass=0, threshold=0.0)
SHUT = replace(OPEN, threshold=1.0)
ENCODER = FakeTokenEncoder()
PUMP = "历史。The old pump was built by Ana in 1990. It pumps water for the village every day."
TOWER = "The tower is green. Nobody knows who built the tower."


class Writer:
    """A generator that writes what it was told to."""

    name = "writer"

    def __init__(self, text):
        self.text = text

    def generate(self, question, passages):
        return self.text


def ask(question, *texts, generator=None, gate=OPEN, **options):
    hits = [hit(text, start=100 * number) for number, text in enumerate(texts)]
    settings = AnswerOptions(gate=gate, **options)
    return answer_question(question, FakeSearcher(hits), ENCODER, generator, settings)


def test_the_answer_quotes_the_sentence_that_answers_with_its_bytes():
    reply = ask("Who built the old pump?", PUMP, TOWER)
    first = reply.answer.citations[0]
    cited = PUMP.encode()[first.start : first.end]
    assert cited.decode() == "The old pump was built by Ana in 1990."
    assert reply.answer.text.encode()[first.a_start : first.a_end] == cited
    assert first.quote_sha256 == hashlib.sha256(cited).hexdigest()
    assert (first.grade, first.src_start, first.src_end) == ("quoted", first.start, first.end)


def test_offsets_count_from_the_start_of_the_document():
    reply = ask("Who built the tower?", "Unrelated words here.", TOWER)
    (citation,) = [c for c in reply.answer.citations if c.a_start == 0]
    assert TOWER.encode()[citation.start - 100 : citation.end - 100].startswith(b"Nobody knows")


def test_a_refusal_has_no_text_and_no_citation_but_names_what_came_near():
    reply = ask("Who built the old pump?", PUMP, gate=SHUT)
    assert (reply.answer.status, reply.answer.text, reply.answer.citations) == ("refused", "", ())
    assert reply.near_misses[0].text == "The old pump was built by Ana in 1990."


def test_an_empty_index_is_a_refusal():
    reply = ask("Who built the old pump?")
    assert reply.answer.status == "refused"
    assert reply.answer.signals["max_sim"] == 0.0


def test_the_signals_behind_the_decision_are_kept():
    signals = ask("Who built the old pump?", PUMP).answer.signals
    assert {"max_sim", "coverage", "cosine", "bm25_mass", "p_answerable", "threshold"} <= set(
        signals
    )


@pytest.mark.parametrize("question", ["", "  \n", "a\0b", "x" * 5000])
def test_an_unusable_question_is_refused_before_searching(question):
    with pytest.raises(InputError, match="question"):
        ask(question, PUMP)


def test_a_supported_rewording_is_kept_and_graded_as_cited():
    reply = ask("Who built it?", PUMP, generator=Writer("Built by Ana, the old pump was in 1990."))
    assert reply.answer.text == "Built by Ana, the old pump was in 1990."
    assert [c.grade for c in reply.answer.citations] == ["cited"]
    assert reply.answer.generator == "writer"


def test_an_invented_sentence_is_replaced_by_the_best_quotation():
    invented = "Use the @pump_builder decorator to build the old pump with Ana in 1990."
    reply = ask("Who built the old pump?", PUMP, generator=Writer(invented))
    assert reply.answer.text == "The old pump was built by Ana in 1990."
    assert reply.answer.signals["replaced"] == 1.0
    assert "@pump_builder" not in reply.answer.text


def test_a_replacement_does_not_repeat_what_a_kept_sentence_rests_on():
    written = "Built by Ana, the old pump was in 1990. Zebras @run fast."
    reply = ask("Who built the old pump?", PUMP, generator=Writer(written))
    places = [(c.start, c.end) for c in reply.answer.citations]
    assert len(places) == len(set(places))


def test_a_generator_that_says_nothing_leaves_the_quotations():
    reply = ask("Who built the old pump?", PUMP, generator=Writer(""))
    assert reply.answer.text.startswith("The old pump was built by Ana in 1990.")


def test_equal_sentences_of_two_documents_are_both_cited():
    reply = ask(
        "Who built the old pump?", PUMP, "Copied: x.\n\nThe old pump was built by Ana in 1990."
    )
    same = [c for c in reply.answer.citations if c.a_start == 0]
    assert [c.grade for c in same] == ["quoted", "quoted"]
    assert len({c.doc_id for c in same}) == 2


def test_a_text_without_byte_map_cites_no_original_bytes():
    passage = hit(PUMP, origin="extracted")
    reply = answer_question(
        "Who built the old pump?", FakeSearcher([passage]), ENCODER, None, AnswerOptions(gate=OPEN)
    )
    assert reply.answer.citations[0].src_start is None
