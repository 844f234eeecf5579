"""A false "quoted" label is impossible: whatever is stored, quoted means equal bytes of a live text."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.digest import sha256_hex
from storage.records import Answer, Citation
from tasks.provenance.lineage.grades import grade_answer
from tasks.provenance.tracing.span_index import update_span_index
from tests.stored_home import CASES, NOW, SENTENCES, fill_home

TEXTS = [extraction.text for _, extraction in CASES.values()]
PIECES = st.one_of(
    st.sampled_from(
        [
            *SENTENCES.values(),
            *TEXTS,
            " ",
            "\n",
            "FIRE  is hot.",
            "水是濕的。",
            "水是湿的！",
            "“水是湿的。",
            "hot",
            "é",
        ]
    ),
    st.text("Fireishot. 水是湿的", max_size=8),
)
ANSWERS = st.lists(PIECES, min_size=1, max_size=5).map("".join).filter(bool)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    stored = fill_home(tmp_path_factory.mktemp("graded"))
    update_span_index(stored.home, "r1")
    return stored


LIES = st.sets(st.sampled_from(["outside", "place", "text", "hash", "fit"]), max_size=2)


@st.composite
def citations(draw, stored, text):
    """A citation of the home put on any bytes of an answer, with up to two more lies in it."""
    one: Citation = draw(st.sampled_from(list(stored.citations.values())))
    other: Citation = draw(st.sampled_from(list(stored.citations.values())))
    size, lies = len(text.encode()), draw(LIES)
    start = draw(st.integers(0, size - 1))
    found = replace(one, a_start=start, a_end=draw(st.integers(start + 1, size)))
    found = replace(found, grade=draw(st.sampled_from(["quoted", "quoted", "cited", "exposed"])))
    if "outside" in lies:
        found = replace(found, a_start=draw(st.integers(-2, 2)), a_end=size + 1)
    if "place" in lies:
        found = replace(found, start=draw(st.integers(-1, 30)), end=draw(st.integers(-1, 30)))
    if "text" in lies:
        doc_id = draw(st.sampled_from([one, other])).doc_id
        found = replace(found, text_id=other.text_id, doc_id=doc_id)
    if "hash" not in lies:
        blob = stored.home.blobs.get(found.text_id)
        found = replace(found, quote_sha256=sha256_hex(blob[found.start : found.end]))
    if "fit" in lies:  # the sentence is as long as what it cites
        found = replace(found, a_end=found.a_start + max(found.end - found.start, 0))
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_quoted_means_equal_bytes_of_a_live_text(stored, data):
    text = data.draw(ANSWERS)
    cited = data.draw(st.lists(citations(stored, text), max_size=3))
    answer = Answer(
        answer_id="01X",
        question="?",
        status="answered",
        text=text,
        generator="extractive",
        index_digest="",
        run_id="",
        created_at=NOW,
        citations=tuple(cited),
    )
    live = {citation.text_id for citation in stored.citations.values()}
    for sentence in grade_answer(stored.home, answer):
        quoted = [one for one in sentence.evidence if one.grade == "quoted"]
        assert bool(quoted) == (sentence.grade == "quoted")
        for one in quoted:
            there = stored.home.blobs.get(one.text_id)[one.start : one.end]
            assert one.text_id in live
            assert there
            assert there == text.encode()[sentence.start : sentence.end]
        assert all(one.grade != "cited" for one in sentence.evidence if one.method == "trace")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANSWERS)
def test_every_letter_of_an_answer_lies_in_a_graded_sentence(stored, text):
    answer = replace(stored.home.ledger.answer(stored.answer_id), text=text, citations=())
    data = text.encode()
    rest = bytearray(data)
    for sentence in grade_answer(stored.home, answer):
        rest[sentence.start : sentence.end] = b" " * (sentence.end - sentence.start)
        assert sentence.grade in {"quoted", "none"}
    assert not any(char.isalnum() for char in rest.decode())
