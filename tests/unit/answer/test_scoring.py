import pytest

from tasks.answer.scoring import Scorer, read_passages
from tests.fakes import FakeTokenEncoder, hit

ENCODER = FakeTokenEncoder()


def score(question, *texts, idf=lambda terms: [1.0] * len(terms)):
    passages = read_passages([hit(text) for text in texts], ENCODER)
    return Scorer(question, ENCODER, idf).score(passages)


def test_the_sentence_that_shares_the_words_scores_highest():
    scored = score("Who repairs the pump?", "Ana repairs the pump. The sky is blue today.")
    assert max(scored, key=lambda one: one.score).text == "Ana repairs the pump."
    assert scored[0].coverage == pytest.approx(1.0)


def test_every_sentence_is_scored_at_its_place_in_reading_order():
    text = "溯源 first. 泵由安娜修理。 Last one here."
    scored = score("安娜", text)
    assert [text[one.start : one.end] for one in scored] == [one.text for one in scored]
    assert [one.start for one in scored] == sorted(one.start for one in scored)


def test_a_rare_word_outweighs_common_ones():
    def idf(terms):
        return [9.0 if term == "zebra" else 0.1 for term in terms]

    rare, common = score("large striped zebra", "A zebra ran.", "A large striped box.", idf=idf)
    assert rare.score > common.score


def test_question_words_do_not_count_as_evidence():
    (scored,) = score("What is the valve?", "This is what it is.")
    assert scored.coverage == 0.0


def test_a_question_of_nothing_but_question_words_still_gets_finite_scores():
    (scored,) = score("What is it?", "This is what it is.")
    assert 0.0 <= scored.score <= 1.5


def test_a_sentence_with_a_nul_is_left_out():
    assert [one.text for one in score("pump", "The pump\0 leaks. The pump runs.")] == [
        "The pump runs."
    ]


def test_no_passages_give_no_sentences():
    assert score("pump") == []


def test_the_shared_direction_is_taken_away_before_comparing():
    class Narrow(FakeTokenEncoder):
        token_mean = ENCODER.embed_tokens(["common"], "passage")[0].vectors[0]

    passages = read_passages([hit("common words.")], Narrow())
    (scored,) = Scorer("common", Narrow(), lambda terms: [1.0] * len(terms)).score(passages)
    assert scored.max_sim < 0.9
