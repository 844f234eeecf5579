import pytest

from tasks.answer.scoring import read_passages
from tasks.answer.support import SupportChecker, anchors, occurs
from tests.fakes import FakeTokenEncoder, hit

ENCODER = FakeTokenEncoder()
PASSAGE = (
    "Prefect flows are Python functions with the @flow decorator. "
    "A flow retries 3 times when retries=3 is given. "
    "A work pool hands flow runs to workers."
)


def check(sentence, *texts):
    passages = read_passages([hit(text) for text in texts or (PASSAGE,)], ENCODER)
    return SupportChecker(passages, ENCODER, lambda terms: [1.0] * len(terms)).check(sentence)


def test_a_sentence_of_the_passage_is_quoted_from_its_place():
    evidence = check("A work pool hands flow runs to workers.")
    assert evidence.grade == "quoted"
    assert PASSAGE[evidence.start : evidence.end] == "A work pool hands flow runs to workers."


def test_a_rewording_is_cited_not_quoted():
    evidence = check("Flow runs: a work pool hands them to workers.")
    assert evidence.grade == "cited"
    assert PASSAGE[evidence.start : evidence.end] == "A work pool hands flow runs to workers."


@pytest.mark.parametrize(
    "sentence",
    [
        "Prefect flows are Python functions with the @nested_flow decorator.",
        "A flow retries 5 times when retries=3 is given.",
        "A flow retries 3 times when max_retries=3 is given.",
        "A work pool hands flow runs to workers in Kubernetes.",
        "Call `pool.start` and a work pool hands flow runs to workers.",
        "A flow retries 33 times when retries=3 is given.",
    ],
)
def test_an_invented_identifier_number_or_name_is_refused(sentence):
    assert check(sentence) is None


@pytest.mark.parametrize("sentence", ["Bananas grow in warm wet countries.", "Yes.", "", "42"])
def test_what_the_passages_do_not_speak_about_is_refused(sentence):
    assert check(sentence) is None


def test_evidence_spans_the_sentences_that_hold_the_numbers():
    text = "The bridge opened in 1932. Its main span measures long and wide over the harbour."
    evidence = check("Its main span measures long and wide over the harbour since 1932.", text)
    assert "1932" in text[evidence.start : evidence.end]
    assert "harbour" in text[evidence.start : evidence.end]


def test_anchors_are_code_numbers_and_names_but_not_the_first_word():
    found = anchors(
        "Use the `@flow` decorator; Ana started run_deployment(timeout=30) in U.S. docs."
    )
    assert {"@flow", "Ana", "run_deployment", "30"} <= found
    assert "Use" not in found


def test_latin_words_in_a_chinese_sentence_are_anchors():
    assert anchors("工作池由 prefect 提供，共十二个。") == {"prefect", "十二"}


@pytest.mark.parametrize(
    ("anchor", "text", "expected"),
    [
        ("flow", "a workflow", False),
        ("prefect", "使用Prefect运行", True),
        ("@flow", "the @flow decorator", True),
        ("@flow", "the flow decorator", False),
        ("start_run", "START_RUN", False),
        ("3", "13", False),
    ],
)
def test_an_anchor_occurs_only_as_a_whole_word(anchor, text, expected):
    assert occurs(anchor, text) is expected
