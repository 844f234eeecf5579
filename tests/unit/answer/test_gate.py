import json
from pathlib import Path

import pytest

from tasks.answer.gate import GATES, SIGNALS, Gate, gate_for, relevance
from tasks.answer.support import WEIGHTS
from tests.fakes import hit

RESULTS = Path(__file__).parents[3] / "benchmarks/results/answer.json"
GATE = Gate(intercept=-5, max_sim=10, coverage=1, cosine=1, bm25_mass=1, threshold=0.5)


def test_probability_grows_with_the_signals_and_stays_finite():
    low, high = (dict.fromkeys(SIGNALS, value) for value in (0.1, 0.9))
    assert 0 < GATE.probability(low) < 0.5 < GATE.probability(high) < 1
    assert GATE.probability(dict.fromkeys(SIGNALS, 1e9)) <= 1.0


def test_without_passages_every_signal_is_zero():
    assert relevance("anything", [], [], lambda terms: [1.0] * len(terms)) == dict.fromkeys(
        SIGNALS, 0.0
    )


def test_bm25_mass_is_the_share_of_what_a_perfect_passage_could_have():
    signals = relevance("pump oil", [hit("x", bm25=1.5)], [], lambda terms: [1.5] * len(terms))
    assert signals["bm25_mass"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("question", "text", "language"),
    [
        ("Who built it?", "Ana built it.", "en"),
        ("谁修理泵？", "泵由安娜修理。", "zh"),
        ("谁修理泵？", "Ana repairs the pump.", "cross"),
    ],
)
def test_the_gate_follows_the_languages_of_question_and_passages(question, text, language):
    assert gate_for("e5", question, [hit(text)]) is GATES["e5", language]


def test_an_encoder_without_a_gate_is_an_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match="e5"):
        gate_for("unknown", "Who?", [])


def fitted(name):
    rows = {row["name"]: row for row in json.loads(RESULTS.read_text("utf-8"))["results"]}
    return rows[name]["detail"]["constants"]


@pytest.mark.parametrize(("encoder", "language"), GATES)
def test_committed_gates_are_those_that_the_benchmark_fitted(encoder, language):
    gate = GATES[encoder, language]
    committed = [gate.intercept, *(getattr(gate, name) for name in SIGNALS), gate.threshold]
    assert committed == pytest.approx(fitted(f"gate {encoder} {language}"), rel=1e-3)


@pytest.mark.parametrize("encoder", WEIGHTS)
def test_committed_support_weights_are_those_that_the_benchmark_fitted(encoder):
    assert [*WEIGHTS[encoder]] == pytest.approx(fitted(f"support {encoder}")[:3], rel=1e-3)
