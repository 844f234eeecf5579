"""The ledger keeps what was recorded, says it once, and finds what was changed behind its back."""

import pickle
import sqlite3
from datetime import UTC, datetime

import pytest

from storage.errors import CorruptError, MissingError, NotFoundError, UnavailableError
from storage.ledger import Edge, Ledger
from storage.records import Answer, Citation, Part

DOCUMENT = {
    "doc_id": "d1",
    "source": "docs",
    "uri": "file:///a.md",
    "n_bytes": 7,
    "version": 1,
    "status": "live",
    "text_id": "t1",
    "licence": "MIT",
    "trust": 0.25,
    "fetched_at": datetime(2026, 1, 1, tzinfo=UTC),
    "run_id": "r1",
}
CITATION = Citation(
    a_start=0,
    a_end=5,
    grade="quoted",
    score=0.1,
    chunk_id="c1",
    doc_id="d1",
    text_id="t1",
    origin="extracted",
    source="docs",
    uri="file:///a.md",
    licence="MIT",
    start=10,
    end=15,
    src_start=None,
    src_end=None,
    quote_sha256="0" * 64,
)
ANSWER = Answer(
    answer_id="01A",
    question="为什么？",
    status="answered",
    text="hello",
    generator="extractive",
    index_digest="f" * 64,
    run_id="r1",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    citations=(CITATION,),
    signals={"cosine": 0.1},
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path):
    return Ledger(f"sqlite:///{path}")


@pytest.fixture
def filled(ledger):
    ledger.add_source("docs", "file:///", "MIT", 0.7)
    ledger.add_documents([DOCUMENT, {**DOCUMENT, "doc_id": "d2", "uri": "file:///b.md"}])
    ledger.start_run("r1", "ingest", {"name": "docs"})
    ledger.add_artifact("snap:documents@1", "snapshot", "/tables", "ab", "r1", {"rows": 2})
    ledger.add_parts("documents", [Part(path="p", n_bytes=1, n_rows=1, sha256="s")], "r1")
    ledger.derive("index:" + "f" * 64, ["snap:documents@1"], "used")
    ledger.add_answer(ANSWER)
    return ledger


def tamper(path, statement):
    with sqlite3.connect(path) as connection:
        assert connection.execute(statement).rowcount > 0


def nodes(problems):
    return [problem.node for problem in problems]


def test_a_fresh_ledger_is_sound(ledger):
    assert ledger.verify() == []
    assert set(ledger.counts().values()) == {0}


def test_the_same_facts_again_add_nothing(filled):
    before = filled.head()
    filled.add_source("docs", "file:///", "MIT", 0.7)
    filled.add_documents([DOCUMENT])
    filled.add_documents([{**DOCUMENT, "fetched_at": datetime.now(UTC), "run_id": "r2"}])
    filled.start_run("r1", "ingest", {"name": "docs"})
    filled.add_artifact("snap:documents@1", "snapshot", "/tables", "ab", "r2", {"rows": 2})
    filled.add_parts("documents", [Part(path="p", n_bytes=1, n_rows=1, sha256="s")], "r2")
    filled.add_answer(ANSWER)
    assert [e.src for e in filled.up("snap:documents@1")] == ["run:r1"]
    assert filled.head() == before


def test_a_changed_fact_is_logged_and_replaces_the_old_one(filled):
    before = filled.head()
    filled.add_documents([{**DOCUMENT, "status": "gone"}])
    assert filled.get("doc_source", "d1|docs|file:///a.md")["status"] == "gone"
    assert filled.head().seq == before.seq + 1
    assert filled.verify() == []


def test_one_document_at_two_places_is_one_document(ledger):
    ledger.add_documents([DOCUMENT, {**DOCUMENT, "source": "other"}])
    counts = ledger.counts()
    assert (counts["document"], counts["doc_source"], counts["derived"]) == (1, 2, 2)


def test_a_row_given_twice_at_once_is_written_once(ledger):
    assert ledger.add_documents([DOCUMENT, DOCUMENT]) == 3


def test_a_run_is_finished_once(filled):
    filled.finish_run("r1", "finished", {"documents": 2.0})
    ended = filled.get("run", "r1")
    filled.finish_run("r1", "finished", {"documents": 2.0})
    assert filled.get("run", "r1") == ended
    assert ended["started_at"] <= ended["finished_at"]


def test_a_run_that_never_started_cannot_finish(ledger):
    with pytest.raises(NotFoundError, match="run:r9"):
        ledger.finish_run("r9", "failed")


def test_an_answer_comes_back_as_it_was(filled):
    assert filled.answer("01A") == filled.answer("answer:01A") == ANSWER


def test_a_refusal_comes_back_as_it_was(ledger):
    refusal = Answer(
        answer_id="01B",
        question="?",
        status="refused",
        text="",
        generator="extractive",
        index_digest="",
        run_id="",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    ledger.add_answer(refusal)
    assert ledger.answers() == [refusal]


def test_an_unknown_answer_names_the_latest(filled):
    with pytest.raises(NotFoundError, match=r"answer:zz.*01A"):
        filled.answer("zz")


def test_answers_come_newest_first(filled):
    from dataclasses import replace

    for day in (3, 2):
        time = datetime(2026, 1, day, tzinfo=UTC)
        filled.add_answer(replace(ANSWER, answer_id=f"day{day}", created_at=time))
    assert [one.answer_id for one in filled.answers(2)] == ["day3", "day2"]


def test_an_answer_with_a_nul_is_refused(ledger):
    from dataclasses import replace

    with pytest.raises(ValueError, match="NUL"):
        ledger.add_answer(replace(ANSWER, text="a\0b"))


def test_up_leads_from_an_answer_to_source_and_run(filled):
    sources = {edge.src for edge in filled.up("answer:01A")}
    assert sources == {"doc:d1", "source:docs", "index:" + "f" * 64, "snap:documents@1", "run:r1"}


def test_down_leads_from_a_source_to_its_answers(filled):
    reached = {edge.dst for edge in filled.down("source:docs")}
    assert reached == {"doc:d1", "doc:d2", "answer:01A"}


def test_a_cycle_ends(ledger):
    ledger.derive("a", ["b"], "x")
    ledger.derive("b", ["a"], "x")
    assert ledger.up("a") == [Edge("a", "b", "x"), Edge("b", "a", "x")]


def test_a_key_may_hold_the_separator(ledger):
    ledger.add_documents([{**DOCUMENT, "uri": "file:///a|b"}])
    assert ledger.get("doc_source", "d1|docs|file:///a%7Cb")["uri"] == "file:///a|b"
    assert ledger.verify() == []


def test_an_absent_row_is_none_and_a_wrong_key_an_error(ledger):
    assert ledger.get("run", "r9") is None
    with pytest.raises(ValueError, match="doc_id"):
        ledger.get("doc_source", "d1")


@pytest.mark.parametrize(
    ("statement", "node"),
    [
        ("UPDATE source SET trust = 1.0", "ledger:source/docs"),
        ("UPDATE answer SET text = 'hallo'", "ledger:answer/01A"),
        ("UPDATE answer_span SET licence = 'GPL-3.0-only'", "ledger:answer_span/01A|0"),
        ("DELETE FROM document WHERE doc_id = 'd2'", "ledger:document/d2"),
        ("DELETE FROM derived WHERE dst LIKE 'answer:%' AND rel = 'quoted'", "ledger:derived/"),
        ("UPDATE log SET row_hash = chain WHERE seq = 2", "ledger:log/2"),
        ("DELETE FROM log WHERE seq = 3", "ledger:log/3"),
        ("UPDATE head SET seq = seq - 1", "ledger:head/1"),
        ("INSERT INTO document VALUES ('d9', 1, 'x')", "ledger:document/d9"),
        ("UPDATE document SET doc_id = 'd3' WHERE doc_id = 'd2'", "ledger:document/d3"),
    ],
)
def test_whatever_is_changed_behind_its_back_is_named(filled, path, statement, node):
    tamper(path, statement)
    assert any(found.startswith(node) for found in nodes(filled.verify()))


def test_a_row_changed_with_its_own_hash_is_named(filled, path):
    from storage.ledger_schema import hash_row

    row = {**filled.get("document", "d1"), "n_bytes": 8}
    tamper(
        path, f"UPDATE document SET n_bytes = 8, row_hash = '{hash_row(row)}' WHERE doc_id = 'd1'"
    )
    assert nodes(filled.verify()) == ["ledger:document/d1"]


def test_a_log_cut_off_with_its_rows_is_found_with_a_head_seen_earlier(filled, path):
    seen = filled.head()
    for statement in ("DELETE FROM log", "DELETE FROM answer_span"):
        tamper(path, statement)
    tamper(path, f"UPDATE head SET seq = 0, chain = '{'0' * 64}'")
    assert f"ledger:log/{seen.seq}" in nodes(filled.verify(seen))


def test_changed_rows_of_one_answer_are_named(filled, path):
    assert filled.check_rows("answer_span", "01A") == []
    tamper(path, "UPDATE answer_span SET d_end = 99")
    assert nodes(filled.check_rows("answer_span", "01A")) == ["ledger:answer_span/01A|0"]


def test_a_file_that_is_no_database_is_named(path):
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(CorruptError, match=r"ledger\.db"):
        Ledger(f"sqlite:///{path}").counts()


def test_a_damaged_page_is_found(filled, path):
    Ledger(filled.url).head()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    place = data.index(ANSWER.question.encode())  # in no index
    data[place] ^= 1
    path.write_bytes(data)
    assert nodes(filled.verify()) == ["ledger:answer/01A"]


def test_a_ledger_in_memory_is_refused():
    with pytest.raises(MissingError, match="needs a file"):
        Ledger("sqlite://").counts()


def test_a_server_that_is_down_is_unavailable_and_the_password_stays_hidden():
    with pytest.raises(UnavailableError, match=r"SUYUAN_LEDGER_URL") as caught:
        Ledger("postgresql+psycopg2://me:secret@127.0.0.1:1/x").counts()
    assert "secret" not in str(caught.value)


def test_a_ledger_survives_pickling(filled):
    assert pickle.loads(pickle.dumps(filled)).answer("01A") == ANSWER
