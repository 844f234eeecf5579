import pytest

from tasks.answer.scoring import Scored
from tasks.answer.selection import is_statement, select_sentences
from tests.fakes import hit


def scored(text, score, **fields):
    return Scored(hit=hit(text, **fields), start=0, end=len(text), max_sim=score, coverage=0.0)


def chosen(rows, max_sentences=3):
    return [one.best.text for one in select_sentences(rows, max_sentences)]


def test_the_best_come_first_and_far_worse_ones_are_left_out():
    rows = [
        scored("The pump runs on oil.", 0.75),
        scored("The pump was built by Ana.", 0.9),
        scored("The harvest was good that year.", 0.3),
    ]
    assert chosen(rows) == ["The pump was built by Ana.", "The pump runs on oil."]


def test_at_most_the_asked_number_is_chosen():
    rows = [scored(f"Pump number {n} has its own colour {n}{n}.", 0.9) for n in range(9)]
    assert len(chosen(rows, 2)) == 2


def test_on_a_tie_the_more_trusted_source_wins():
    rows = [
        scored("Pumps need oil every day.", 0.901, trust=0.2),
        scored("Oil is what this machine needs daily.", 0.900, trust=0.9),
    ]
    assert chosen(rows, 1) == ["Oil is what this machine needs daily."]


def test_a_clearly_better_score_beats_trust():
    rows = [
        scored("Pumps need oil every day.", 0.95, trust=0.1),
        scored("Oil is what this machine needs daily.", 0.85, trust=0.9),
    ]
    assert chosen(rows, 1) == ["Pumps need oil every day."]


def test_near_equal_sentences_become_twins_of_the_best():
    rows = [
        scored("The pump was built by Ana in 1990.", 0.9),
        scored("The pump was built by Ana in 1990!", 0.88, uri="file:///copy"),
    ]
    (selected,) = select_sentences(rows, 3)
    assert [twin.hit.uri for twin in selected.twins] == ["file:///copy"]


@pytest.mark.parametrize(
    "other",
    [
        "The empty pump weighs 12 kg on the scale of the workshop.",
        "The empty pump never weighs 10 kg on the scale of the workshop.",
    ],
)
def test_another_number_or_a_negation_makes_it_another_statement(other):
    one = scored("The empty pump weighs 10 kg on the scale of the workshop.", 0.9)
    assert len(chosen([one, scored(other, 0.9)])) == 2


def test_questions_and_headings_answer_only_when_nothing_else_does():
    asked = scored("Who built the pump?", 0.99)
    assert chosen([asked, scored("The pump was built by Ana.", 0.8)]) == [
        "The pump was built by Ana."
    ]
    assert chosen([asked]) == ["Who built the pump?"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The pump runs.", True),
        ("泵由安娜修理。", True),
        ("谁修理泵？", False),
        ("# The pump runs on oil every day.", False),
        ("Pump maintenance", False),
        ("Yes.", False),
        ("a line of words that goes on without any full stop at all", True),
        ("async def retry(self, flow_run: FlowRun) -> State:", False),
        ("result = retry(flow_run, timeout=30, delay=2, times=3)", False),
        ("Classes and functions import well in this module.", True),
        ('He said "it runs now."', True),
    ],
)
def test_statements_are_told_from_questions_headings_labels_and_code(text, expected):
    assert is_statement(text) is expected


def test_nothing_scored_selects_nothing():
    assert select_sentences([], 3) == []
