"""A proof bundle proves one citation offline, and says what is wrong with a changed one."""

import base64
import json
import sqlite3
import tempfile
from pathlib import Path

import pytest

from storage import attest
from storage.attest import Keyring, key_id
from storage.digest import canonical_json
from storage.errors import CorruptError, InputError, MissingError, NotFoundError
from storage.transparency import Tree
from tasks.provenance.proof.bundle import (
    head_bytes,
    keyring_of,
    make_bundle,
    verify_bundle,
    verify_file,
)
from tasks.provenance.proof.signed_files import make_consistency, verify_signed
from tests.stored_home import fill_home

NAMES = ["plain.md", "page.html", "old.txt", "paper.pdf"]


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv(attest.KEY_VARIABLE, raising=False)


@pytest.fixture
def public(stored):
    return keyring_of(stored.home).public_key()


@pytest.fixture(scope="module")
def sound():
    """A home that no test changes, the public key, and the bundle of its first citation."""
    with tempfile.TemporaryDirectory() as folder:
        stored = fill_home(Path(folder))
        public = keyring_of(stored.home).public_key()
        yield stored, public, make_bundle(stored.home, stored.answer_id, 0)


def parts(report):
    return [problem.node for problem in report.problems]


def changed(data, change):
    """The bundle with its fields changed, in canonical form."""
    fields = json.loads(data)
    change(fields)
    return canonical_json(fields)


@pytest.mark.parametrize("ordinal", range(4))
def test_every_citation_is_proven_by_the_file_and_the_key_alone(sound, ordinal):
    stored, public, _ = sound
    data = make_bundle(stored.home, stored.answer_id, ordinal)
    report = verify_bundle(data, public)
    citation = stored.citations[NAMES[ordinal]]
    assert report.problems == ()
    assert (report.document, report.licence, report.uri) == (
        citation.doc_id,
        citation.licence,
        citation.uri,
    )
    assert (report.start, report.end, report.number) == (citation.start, citation.end, ordinal + 1)
    assert report.sentence == report.quote
    assert make_bundle(stored.home, stored.answer_id, ordinal) == data


def test_a_paraphrase_is_proven_with_its_sentence_alone(stored, public, add_answer):
    data = make_bundle(stored.home, add_answer(grade="cited", a_start=1), 0)
    report = verify_bundle(data, public)
    assert (report.problems, report.sentence, report.quote) == ((), "ire is hot.", "Fire is hot.")
    assert b"elements" not in data  # neither the question nor other sentences of the answer
    worse = changed(data, lambda fields: fields.update(sentence="Fire is not."))
    assert parts(verify_bundle(worse, public)) == ["bundle:sentence"]
    worse = changed(data, lambda fields: fields["row"].update(grade="quoted"))
    assert parts(verify_bundle(worse, public)) == ["bundle:row", "bundle:sentence"]
    worse = changed(data, lambda fields: fields.pop("sentence"))
    assert parts(verify_bundle(worse, public)) == ["bundle:sentence"]


def test_a_sentence_that_was_changed_since_is_not_proven(stored, add_answer):
    answer_id = add_answer(grade="cited")
    with sqlite3.connect(stored.home.ledger_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE answer SET text = replace(text, 'Fire', 'Hire')")
    with pytest.raises(CorruptError, match="sentence has another hash"):
        make_bundle(stored.home, answer_id, 0)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda f: f.update(quote="Fire is not."), "bundle:text"),
        (lambda f: f["row"].update(licence="MIT"), "bundle:row"),
        (lambda f: f["row"].update(d_start=15), "bundle:row"),
        (lambda f: f["row"].update(source="another"), "bundle:row"),
        (lambda f: f["row"].update(grade="cited"), "bundle:row"),
        (lambda f: f.update(seq=f["seq"] - 1), "bundle:path"),
        (lambda f: f["head"].update(size=f["head"]["size"] + 1), "bundle:head"),
        (lambda f: f["head"].update(origin="elsewhere"), "bundle:head"),
        (lambda f: f["head"].update(signed_at="2030"), "bundle:head"),
        (lambda f: f.update(path=f["path"][44:]), "bundle:path"),
        (lambda f: f.update(path="A"), "bundle:form"),
        (lambda f: f.update(extra=1), "bundle:form"),
        (lambda f: f["row"].update(src=[14, 26]), "bundle:form"),
        (lambda f: f["row"].update(src="x"), "bundle:form"),
        (lambda f: f["row"].update(ordinal=-1), "bundle:form"),
        (lambda f: f["row"].update(ordinal=True), "bundle:form"),
        (lambda f: f["row"].update(ordinal=10**30), "bundle:form"),
        (lambda f: f["row"].update(hashes="AAAA"), "bundle:form"),
        (lambda f: f["row"].update(score=1), "bundle:form"),
        (lambda f: f.update(row=[]), "bundle:form"),
        (lambda f: f.update(keys=[]), "bundle:form"),
        (lambda f: f.update(keys={}), "bundle:form"),
        (lambda f: f.update(keys=["x"]), "bundle:form"),
        (lambda f: f.update(sentence="Another."), "bundle:sentence"),
        (lambda f: f.update(sentence=f["quote"]), "bundle:form"),
        (lambda f: f.update(sentence=None), "bundle:form"),
        (lambda f: f.pop("head"), "bundle:form"),
        (lambda f: f.update(format="suyuan-proof/2"), "bundle:form"),
    ],
)
def test_a_change_is_refused_by_the_part_that_it_is_in(sound, change, part):
    _, public, data = sound
    report = verify_bundle(changed(data, change), public)
    assert (parts(report)[0].split("/")[0], report.ok, report.quote) == (part, False, "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[" * 50_000,
        b"9" * 60_000,
        b'{"format":"suyuan-proof/1","format":"suyuan-proof/1"}',
        b"x" * 100_000,
    ],
)
def test_what_is_no_bundle_is_refused(sound, data):
    report = verify_bundle(data, sound[1])
    assert [node.split("/")[0] for node in parts(report)] == ["bundle:form"]


def test_another_key_and_a_wrong_key_are_refused(sound, tmp_path):
    data = sound[2]
    other = Keyring(tmp_path / "other").public_key()
    report = verify_bundle(data, other)
    assert parts(report) == ["bundle:key"]
    assert key_id(other) in report.problems[0].reason
    with pytest.raises(InputError, match="32 bytes"):
        verify_bundle(data, b"short")


def test_a_bundle_after_a_rotation_is_proven_from_each_earlier_key(stored, public):
    keyring = keyring_of(stored.home)
    keyring.register(stored.home.ledger_url)
    first = make_bundle(stored.home, stored.answer_id, 0)
    keyring.rotate(stored.home.ledger_url)
    Tree(stored.home.ledger_url).sign_head(keyring)
    second = make_bundle(stored.home, stored.answer_id, 0)
    new = keyring.public_key()
    assert [verify_bundle(second, key).ok for key in (public, new)] == [True, True]
    assert [verify_bundle(first, key).ok for key in (public, new)] == [True, False]
    forged = changed(second, lambda f: f["keys"][1].__setitem__(1, f["head"]["sig"]))
    assert parts(verify_bundle(forged, public)) == ["bundle:key"]


def test_a_bundle_is_made_only_of_what_is_there(stored, add_answer):
    with pytest.raises(NotFoundError, match="no number 5"):
        make_bundle(stored.home, stored.answer_id, 4)
    with pytest.raises(NotFoundError, match="no such answer"):
        make_bundle(stored.home, "nothing", 0)
    with pytest.raises(CorruptError, match="another hash"):
        make_bundle(stored.home, add_answer(quote_sha256="0" * 64), 0)


def test_an_erased_answer_is_not_proven(stored):
    with sqlite3.connect(stored.home.ledger_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE answer SET state = 'erased'")
    with pytest.raises(MissingError, match="erased"):
        make_bundle(stored.home, stored.answer_id, 0)


def test_a_row_that_was_changed_since_is_not_proven(stored):
    with sqlite3.connect(stored.home.ledger_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE answer_span SET licence = 'MIT'")
    with pytest.raises(CorruptError, match="not the row last logged"):
        make_bundle(stored.home, stored.answer_id, 0)


def test_a_file_is_checked_with_a_key_as_text_or_file(stored, public, tmp_path):
    path = tmp_path / "proof.json"
    path.write_bytes(make_bundle(stored.home, stored.answer_id, 0))
    assert verify_file(path, base64.b64encode(public).decode()).ok
    assert verify_file(path, str(keyring_of(stored.home).folder / f"{key_id(public)}.pub")).ok
    path.write_bytes(path.read_bytes().replace(b"Fire", b"Hire"))
    assert parts(verify_file(path, base64.b64encode(public).decode())) == ["bundle:text"]
    with pytest.raises(InputError, match="no public key"):
        verify_file(path, "")
    with pytest.raises(NotFoundError):
        verify_file(tmp_path / "none.json", base64.b64encode(public).decode())


def test_two_heads_are_proven_to_be_one_history_across_a_rotation(stored, public):
    url = stored.home.ledger_url
    old = head_bytes(stored.home)
    keyring_of(stored.home).rotate(url)
    new = head_bytes(stored.home)
    assert verify_signed(old, public).sizes == (Tree(url).signed_head().head.size - 2,)
    assert parts(verify_signed(new, public)) == ["envelope"]
    proof = make_consistency(url, old, new)
    assert verify_signed(proof, public).problems == ()
    with pytest.raises(InputError, match="older head"):
        make_consistency(url, new, old)
    worse = changed(proof, lambda fields: fields.update(path=""))
    assert parts(verify_signed(worse, public)) == ["path"]
    swapped = changed(proof, lambda fields: fields.update(old=fields["new"], new=fields["old"]))
    assert not verify_signed(swapped, public).ok


def test_every_changed_byte_of_a_consistency_proof_is_refused(stored, public):
    old = head_bytes(stored.home)
    stored.home.ledger.add_source("more")
    data = make_consistency(stored.home.ledger_url, old, head_bytes(stored.home))
    assert verify_signed(data, public).ok
    for place in range(0, len(data), 3):
        other = bytearray(data)
        other[place] ^= 1
        assert not verify_signed(bytes(other), public).ok
