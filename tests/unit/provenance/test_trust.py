"""Trust of sources: the components, the formula, overrides, feedback, and what is shown."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest

from storage.errors import MissingError, NotFoundError
from storage.records import Answer, Citation, Reject
from storage.schemas import CHUNKS, DOCUMENTS
from tasks.provenance.lineage.why import explain, render
from tasks.provenance.trust import claims
from tasks.provenance.trust.assessment import give_feedback, refresh_trust, render_trust, trust_of
from tasks.provenance.trust.claims import compare_claims
from tasks.provenance.trust.evidence import gather
from tasks.provenance.trust.score import WEIGHTS, Component, score
from tasks.provenance.trust.view import trust_metrics, trust_rows
from tasks.shared.quarantine import keep_rejects
from tests.fakes import new_home

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BRIDGE = "The stone bridge over the river was finished in {} by the masons of the town."


@pytest.fixture
def home(tmp_path):
    return new_home(tmp_path)


def put(home, source, texts, *, trust=0.5, fetched=NOW, **fields):
    """Make texts the live documents of a source, each with one chunk."""
    home.ledger.add_source(source, trust=trust)
    documents, chunks = [], []
    for number, text in enumerate(texts):
        doc_id = home.blobs.put(text.encode())
        place = {"doc_id": doc_id, "text_id": doc_id}
        row = {"source": source, "uri": f"{source}/{number}", "status": "live", "cluster": doc_id}
        row |= {"licence": "MIT", "licence_evidence": "header", "fetched_at": fetched, **place}
        documents.append(
            row | {k: v[number] if isinstance(v, list) else v for k, v in fields.items()}
        )
        chunks.append({"spec": "s", "chunk_id": f"{source}{number}", "text": text, **place})
    home.table("documents").merge(pa.Table.from_pylist(documents, DOCUMENTS.schema), run_id="r")
    home.table("chunks").merge(pa.Table.from_pylist(chunks, CHUNKS.schema), run_id="r")
    return [row["doc_id"] for row in documents]


def compare(**texts):
    rows = [{"source": name, "text": text} for name, all_ in texts.items() for text in all_]
    return compare_claims([pl.DataFrame(rows)])


# The formula


def test_without_evidence_the_score_is_the_prior():
    assert score(0.7, {"age": Component(value=None, n=0)}) == 0.7
    assert score(0.7, {}) == 0.7


def test_little_evidence_moves_the_prior_little_and_much_replaces_it():
    few = score(0.5, {"licences": Component(value=1.0, n=1)})
    many = score(0.5, {"licences": Component(value=1.0, n=10_000)})
    assert 0.5 < few < 0.55
    assert 0.99 < many <= 1.0


def test_a_component_without_evidence_changes_nothing():
    known = {"licences": Component(value=0.2, n=50)}
    assert score(0.5, known) == score(0.5, known | {"helpfulness": Component(value=None, n=0)})


# Contradictions


def test_another_number_in_the_same_sentence_is_a_contradiction():
    found = compare(a=[BRIDGE.format(1896)], b=[BRIDGE.format(1986)])
    assert (found["a"].n, found["a"].differ, found["b"].differ) == (1, 1, 1)
    assert ("1896" in found["a"].example, "1986" in found["a"].other) == (True, True)
    assert found["a"].other_source == "b"


def test_a_negation_is_a_contradiction_in_both_languages():
    said = "The upper valve of the old pump is{} opened before the engine is started."
    found = compare(a=[said.format(""), "打开阀门之前必须先关闭主要电源开关再检查水压。"],
                    b=[said.format(" not"), "打开阀门之前不必须先关闭主要电源开关再检查水压。"])  # fmt: skip
    assert (found["a"].n, found["a"].differ) == (2, 2)


def test_equal_statements_agree_and_prose_without_numbers_says_nothing():
    prose = "Everybody in the village agreed that the evening had been very pleasant indeed."
    found = compare(a=[BRIDGE.format(1896), prose], b=[BRIDGE.format(1896), prose])
    assert (found["a"].n, found["a"].differ) == (1, 0)


def test_the_minority_contradicts_and_in_a_tie_all_do():
    found = compare(a=[BRIDGE.format(1896)], b=[BRIDGE.format(1896)], c=[BRIDGE.format(1986)])
    assert [found[name].differ for name in "abc"] == [0, 0, 1]


def test_a_template_with_many_values_in_one_source_is_no_statement():
    found = compare(a=[BRIDGE.format(1896), BRIDGE.format(1900)], b=[BRIDGE.format(1986)])
    assert found == {}


def test_line_breaks_case_and_pieces_do_not_matter():
    pieces = [
        pl.DataFrame({"source": ["a"], "text": [BRIDGE.format(1896).upper().replace(" ", "\n")]}),
        pl.DataFrame({"source": ["b"], "text": ["# Bridges\n\n" + BRIDGE.format(1896)]}),
    ]
    assert compare_claims(pieces)["b"].n == 1


def test_the_number_of_statements_is_bounded_and_the_sample_is_the_same_in_all_sources(monkeypatch):
    monkeypatch.setattr(claims, "MAX_STATEMENTS", 60)
    names = [f"{a}{b}{c}" for a in "abcdef" for b in "ghijk" for c in "lmn"]
    texts = [f"The village of {name * 3} by the great river has 17 houses." for name in names]
    found = compare(a=texts, b=texts)
    assert 5 < found["a"].n <= 30
    assert found["a"].n == found["b"].n


# The components


def test_each_component_is_measured_on_the_tables(home):
    first = put(home, "first", ["one text", "two text"], fetched=NOW - timedelta(days=9))
    put(home, "copy", ["one text", "a third"], licence_evidence=["guessed", "none"],
        cluster=[first[0], "x"], published_at=[NOW - timedelta(days=3652), None])  # fmt: skip
    reasons = {"copy/0": "file.empty", "copy/8": "pdf.broken", "copy/9": "licence.denied"}
    rejects = [Reject(source="copy", uri=u, reason=r, detail="") for u, r in reasons.items()]
    keep_rejects(home, rejects, "r")
    found = gather(home, NOW)["copy"]
    assert (found["duplicates"].value, found["duplicates"].n) == (0.5, 2)
    assert (found["licences"].value, found["licences"].n) == (0.0, 2)
    assert (found["quarantine"].value, found["quarantine"].n) == (0.6667, 3)
    assert found["age"].value == pytest.approx((0.25 + 1.0) / 2, abs=0.01)
    assert found["age"].facts["dated"] == 1
    assert (found["contradictions"].value, found["helpfulness"].value) == (None, None)
    assert gather(home, NOW)["first"]["duplicates"].value == 1.0


def test_contradictions_are_found_in_chunks_and_copies_are_no_second_voice(home):
    put(home, "a", [BRIDGE.format(1896), "Shared. " + BRIDGE.replace("stone", "iron").format(7)])
    put(home, "b", [BRIDGE.format(1986), "Shared. " + BRIDGE.replace("stone", "iron").format(7)])
    found = gather(home, NOW)["a"]["contradictions"]
    assert (found.value, found.n) == (0.0, 1)
    assert found.facts["other_source"] == "b"


def answer(home, number, *sources):
    cites = [Citation(a_start=0, a_end=1, grade="quoted", score=1.0, chunk_id="c", doc_id=name,
                      text_id="t", origin="identity", source=name, uri=name, licence="MIT", start=0,
                      end=1, src_start=0, src_end=1, quote_sha256="q") for name in sources]  # fmt: skip
    home.ledger.add_answer(
        Answer(answer_id=f"A{number}", question="?", status="answered", text="x", generator="g",
               index_digest="i", run_id="r", created_at=NOW, citations=tuple(cites))
    )  # fmt: skip
    return f"A{number}"


def test_helpfulness_is_the_beta_mean_of_judged_answers_and_the_last_word_counts(home):
    put(home, "a", ["one text"])
    for number, good in enumerate((True, True, False)):
        give_feedback(home, answer(home, number, "a"), accept=good, who="ana", why="read it")
    give_feedback(home, "A2", accept=True, who="ana", why="looked again")
    found = gather(home, NOW)["a"]["helpfulness"]
    assert (found.value, found.n, found.facts["hits"]) == (0.8, 3, 3)


def test_feedback_on_an_answer_that_is_not_there_is_refused(home):
    with pytest.raises(NotFoundError):
        give_feedback(home, "A9", accept=True, who="ana", why="")


def test_feedback_on_an_erased_answer_is_refused_and_writes_nothing(home):
    put(home, "a", ["one text"])
    home.ledger.erase_answers([answer(home, 1, "a")], "revocation:X")
    before = home.ledger.head()
    with pytest.raises(MissingError, match=r"answer:A1: was erased \(revocation:X\)"):
        give_feedback(home, "A1", accept=True, who="ana", why="")
    assert home.ledger.head() == before


# Recording and showing


def test_a_refresh_records_every_component_and_a_repeat_nothing(home):
    put(home, "a", ["one text"], trust=0.9)
    found = refresh_trust(home, "run-1", NOW)["a"]
    assert set(found.components) == set(WEIGHTS)
    assert (found.by, found.declared, found.trust) == ("computed", 0.9, found.score)
    assert found.components["licences"].evidence.startswith("1 of 1 documents state their licence")
    assert found.components["helpfulness"].evidence == "no evidence, not counted"
    before = home.ledger.head()
    assert refresh_trust(home, "run-2", NOW)["a"] == found
    assert home.ledger.head() == before


def test_an_override_counts_until_it_is_lifted_and_all_of_it_stays_visible(home):
    put(home, "a", ["one text"])
    computed = refresh_trust(home, "r", NOW)["a"].trust
    home.trust_records.override("a", 0.05, "bo", "known forgeries")
    shown = refresh_trust(home, "r", NOW)["a"]
    assert (shown.trust, shown.by, shown.override.who) == (0.05, "override", "bo")
    home.trust_records.lift("a", "cy", "checked again")
    after = trust_of(home, "a")["a"]
    assert (after.trust, after.override) == (computed, None)
    assert [(d.action, d.who, d.why) for d in after.decisions] == [
        ("lift", "cy", "checked again"),
        ("set", "bo", "known forgeries"),
    ]


def test_it_is_shown_in_english_and_chinese_and_documents_cannot_steer_the_terminal(home):
    put(home, "a", [BRIDGE.format("1896\x1b[2J \u202e")])
    put(home, "b", [BRIDGE.format("1986\x1b[2J \u202e")])
    home.trust_records.override("a", 0.05, "bo", "known\nforgeries")
    found = refresh_trust(home, "r", NOW)
    english, chinese = render_trust(found), render_trust(found, "zh")
    assert "a  0.05  (set by a person)" in english
    assert "set to 0.05 by bo: known forgeries" in english
    assert "1 of 1 statements that other sources make too differ from theirs" in english
    assert "无证据，不计入" in chinese
    assert not {"\x1b", "\u202e"} & set(english + chinese)


@pytest.mark.parametrize(
    ("days", "english", "chinese"),
    [
        (0, "the median age is under a month; 0 of 1 documents", "年龄中位数不到一个月"),
        (731, "the median age is 2.0 years; 0 of 1 documents", "年龄中位数为 2.0 年"),
    ],
)
def test_the_age_of_documents_is_said_in_words(home, days, english, chinese):
    put(home, "a", ["one text"], fetched=NOW - timedelta(days=days))
    found = refresh_trust(home, "r", NOW)
    assert english in render_trust(found)
    assert chinese in render_trust(found, "zh")


def test_before_the_first_refresh_it_says_what_was_stated(home):
    put(home, "a", ["one text"], trust=0.3)
    assert "never computed" in render_trust(trust_of(home, "a"))
    assert "尚未采集" in render_trust({}, "zh")
    with pytest.raises(NotFoundError, match="There are: a"):
        trust_of(home, "nobody")


def test_a_revoked_source_is_left_out(home):
    put(home, "a", ["one text"])
    home.ledger.set_source_status("a", "revoked")
    assert refresh_trust(home, "r", NOW) == {}


def test_table_and_metrics_hold_every_source(home):
    put(home, "a/1", ["one text"])
    found = refresh_trust(home, "r", NOW)
    (row,) = trust_rows(found)
    assert (row["source"], row["helpfulness"]) == ("a/1", "no evidence")
    assert trust_metrics(found)["trust/a_1"] == found["a/1"].trust


def test_why_shows_the_override_with_who_and_why(stored):
    stored.home.trust_records.override("docs", 0.05, "bo", "known forgeries")
    explanation = explain(stored.answer_id, stored.home)
    assert "0.05 set by a person (bo: known forgeries)" in render(explanation)
    assert "人工设定" in render(explanation, "zh")
