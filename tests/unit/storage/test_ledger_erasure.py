"""What is erased is gone from the rows and from the files, and the log still proves the rest."""

import sqlite3
from dataclasses import replace

import pytest

from storage.errors import MissingError, NotFoundError
from storage.ledger import Ledger
from storage.revoked import answers_taken, citations_of
from tests.unit.storage.test_ledger import ANSWER, CITATION, DOCUMENT

SECRET = "the tailor of gloucester"


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.add_source("docs", "file:///", "MIT", 0.7)
    ledger.add_documents([{**DOCUMENT, "title": SECRET}, {**DOCUMENT, "source": "other"}])
    ledger.start_run("r1", "answer", {"question": SECRET, "k": 3})
    ledger.add_answer(replace(ANSWER, text=SECRET, question=SECRET))
    ledger.add_answer(replace(ANSWER, answer_id="01B", citations=()))
    return ledger


def files_with(folder, text):
    return [path.name for path in folder.iterdir() if text.encode() in path.read_bytes()]


def test_an_erased_answer_keeps_its_row_and_loses_its_words(ledger):
    before = ledger.head()
    assert ledger.erase_answers(["answer:01A"], "takedown") == 1
    found = ledger.answer("01A")
    assert (found.text, found.question, found.salt, found.state) == ("", "", "", "erased")
    assert (found.stale_reason, found.generator) == ("takedown", ANSWER.generator)
    assert found.citations == (replace(CITATION, quote_sha256=""),)
    assert (found.citations[0].salt, found.citations[0].a_sha256) == ("", "")
    assert '"question":""' in ledger.get("run", "r1")["params"]
    assert ledger.verify(before) == []


def test_erasing_twice_is_erasing_once(ledger):
    ledger.erase_answers(["01A"], "takedown")
    ledger.erase_documents([("d1", "docs")], "takedown")
    head = ledger.head()
    assert ledger.erase_answers(["01A"], "takedown") == 0
    assert ledger.erase_documents([("d1", "docs")], "takedown") == 0
    assert ledger.head() == head


def test_an_answer_counts_for_what_erased_it_first(ledger):
    assert {one.answer_id for one in citations_of(ledger.url, ["d1"])} == {"01A"}
    ledger.erase_answers(["01A"], "first")
    assert ledger.erase_answers(["01A", "01B"], "second") == 1
    assert answers_taken(ledger.url, "first") == {"stale": 0, "erased": 1}
    assert answers_taken(ledger.url, "second") == {"stale": 0, "erased": 1}
    assert citations_of(ledger.url, ["d1"]) == []


def test_an_erased_answer_does_not_come_back(ledger):
    ledger.erase_answers(["01A"], "takedown")
    ledger.add_answer(replace(ANSWER, text=SECRET))
    ledger.mark_answers(["01A"], "live", "")
    assert (ledger.answer("01A").text, ledger.answer("01A").state) == ("", "erased")


def test_a_stale_answer_keeps_its_words_and_may_be_live_again(ledger):
    assert ledger.mark_answers(["01A", "01B", "zz"], "stale", "source gone") == 2
    assert ledger.answer("01A").state == "stale"
    assert ledger.answer("01A").text == SECRET
    ledger.add_answer(replace(ANSWER, text=SECRET, question=SECRET))
    assert ledger.answer("01A").stale_reason == "source gone"
    assert ledger.mark_answers(["01A"], "live", "") == 1
    assert ledger.verify() == []


def test_a_document_is_revoked_in_one_source_only(ledger):
    assert ledger.erase_documents([("d1", "docs")], "takedown") == 1
    gone = ledger.get("doc_source", "d1|docs|file:///a.md")
    kept = ledger.get("doc_source", "d1|other|file:///a.md")
    assert (gone["status"], gone["status_reason"], gone["title"], gone["salt"]) == (
        "revoked",
        "takedown",
        "",
        "",
    )
    assert (kept["status"], len(kept["salt"])) == ("live", 32)
    assert ledger.verify() == []


def test_a_title_may_stay(ledger):
    ledger.erase_documents([("d1", "docs")], "takedown", keep_title=True)
    assert ledger.get("doc_source", "d1|docs|file:///a.md")["title"] == SECRET


def test_a_revoked_document_that_comes_again_gets_a_new_salt(ledger):
    old = ledger.get("doc_source", "d1|docs|file:///a.md")["salt"]
    ledger.erase_documents([("d1", "docs")], "takedown")
    ledger.add_documents([DOCUMENT])
    new = ledger.get("doc_source", "d1|docs|file:///a.md")["salt"]
    assert len(new) == 32
    assert new != old


def test_after_shrinking_no_file_holds_the_words(ledger, tmp_path):
    assert files_with(tmp_path, SECRET)
    ledger.erase_answers(["01A"], "takedown")
    ledger.erase_documents([("d1", "docs")], "takedown")
    ledger.shrink()
    assert files_with(tmp_path, SECRET) == []
    assert ledger.verify() == []


def test_answers_of_a_document_are_found(ledger):
    assert ledger.answers_of(["d1", "d2"]) == ["01A"]
    assert ledger.answers_of([]) == []


def test_the_status_of_a_source_changes_and_of_an_unknown_one_cannot(ledger):
    ledger.set_source_status("docs", "revoked")
    assert ledger.get("source", "docs")["status"] == "revoked"
    with pytest.raises(NotFoundError, match="source:zz"):
        ledger.set_source_status("zz", "revoked")


def test_a_ledger_of_another_version_is_refused_with_the_way_out(tmp_path):
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.execute("CREATE TABLE answer (answer_id TEXT PRIMARY KEY, text TEXT)")
        connection.execute("CREATE TABLE head (id INTEGER, seq BIGINT, chain TEXT)")
    with pytest.raises(MissingError, match=r"old\.db.*another version.*salt.*SUYUAN_HOME"):
        Ledger(f"sqlite:///{tmp_path}/old.db").counts()


def test_a_ledger_without_a_newer_table_gets_it(ledger, tmp_path):
    path = tmp_path / "copy.db"
    ledger.shrink()
    path.write_bytes((tmp_path / "ledger.db").read_bytes())
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE exposure")
    copy = Ledger(f"sqlite:///{path}")
    assert copy.counts()["exposure"] == 0
    assert copy.verify() == []
