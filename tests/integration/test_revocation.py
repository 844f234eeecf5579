"""A revocation takes everything out that nobody else carries, and proves it."""

import json
import random
import sqlite3
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from storage.byte_search import search_folder
from storage.errors import CorruptError, GateError, NotFoundError
from storage.fingerprints import fingerprint, spellings
from storage.spans.manifest import read_manifest
from storage.spans.reader import read_rule
from storage.spans.segment import open_segment
from storage.spans.units import scanner
from storage.transparency import Tree
from tasks.provenance.revocation.certificate import certificate_of, verify_certificate
from tasks.provenance.revocation.plan import make_plan, plan_json, read_plan
from tasks.provenance.revocation.run import STEPS, Request, revoke
from tasks.provenance.revocation.scope import parse_scope
from tasks.provenance.revocation.work import desk, keyring
from tasks.provenance.verification.verify import verify_all
from tests.revocable_home import (
    ALPHA,
    BETA,
    BOTH,
    CHINESE,
    REJECTED,
    SECRET,
    SHARED,
    doc_id,
    fill,
    searcher,
    tools_for,
)

ALPHA_SCOPE = parse_scope("alpha")
REQUEST = Request(scope=ALPHA_SCOPE, reason="takedown", who="tester")
GONE = [text for text in ALPHA.values() if text != BOTH]


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A filled home that no test changes."""
    return fill(tmp_path_factory.mktemp("before")).home


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A home after a revocation, and what it gave; no test changes it."""
    filled = fill(tmp_path_factory.mktemp("done"))
    vectors = removed_vectors(filled.home)
    return filled.home, revoke(filled.home, REQUEST, filled.tools, "r2"), vectors


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A home that never had the source."""
    return fill(tmp_path_factory.mktemp("fresh"), "beta").home


def removed_vectors(home):
    plan = make_plan(home, ALPHA_SCOPE)
    rows = home.table("vectors").scan().filter(pl.col("text_sha").is_in(list(plan.passages)))
    return [np.asarray(vector, np.float32).tobytes() for vector in rows.collect()["vector"]]


class TestPlan:
    def test_it_names_what_goes_and_what_another_source_keeps(self, before):
        plan = make_plan(before, ALPHA_SCOPE)
        assert len(plan.rows) == 4
        assert len(plan.documents) == len(plan.texts) == 3
        both = doc_id(before, "file:///alpha/both.md")
        assert [(kept.doc_id, kept.sources) for kept in plan.kept] == [(both, ("beta",))]
        assert both not in plan.documents

    def test_a_passage_that_another_document_has_keeps_its_features(self, before):
        plan = make_plan(before, ALPHA_SCOPE)
        assert plan.shared_passages == 2
        assert plan.chunks > len(plan.passages)

    def test_it_names_answers_models_and_parts(self, before):
        plan = make_plan(before, ALPHA_SCOPE)
        assert (plan.quoted, plan.cited, plan.models) == (
            ("QUOTES",),
            ("CITES", "KEPT"),
            ("model:m@1",),
        )
        assert set(plan.parts) == {"documents", "chunks", "counts", "vectors", "quarantine"}
        assert (plan.spans, len(plan.indexes)) == (3, 1)

    def test_it_changes_nothing(self, before):
        head = before.ledger.head()
        assert make_plan(before, ALPHA_SCOPE) == make_plan(before, ALPHA_SCOPE)
        assert before.ledger.head() == head

    def test_it_survives_json(self, before):
        plan = make_plan(before, ALPHA_SCOPE)
        assert read_plan(json.loads(json.dumps(plan_json(plan)))) == plan

    def test_a_document_goes_from_every_source(self, before):
        both = doc_id(before, "file:///alpha/both.md")
        plan = make_plan(before, parse_scope(f"doc:{both}"))
        assert plan.documents == (both,)
        assert {source for source, _, _ in plan.rows} == {"alpha", "beta"}

    def test_a_licence_with_a_star_names_its_documents(self, before):
        plan = make_plan(before, parse_scope("licence:gpl-*"))
        assert {source for source, _, _ in plan.rows} == {"alpha"}
        assert make_plan(before, parse_scope("licence:MPL-*")).empty


class TestRevocation:
    def test_the_rows_are_gone_and_the_others_are_left(self, done):
        home, _, _ = done
        documents = home.table("documents").scan().collect()
        assert set(documents["uri"]) == set(BETA)
        assert SHARED in "".join(home.table("chunks").scan().collect()["text"])

    def test_everything_left_is_sound(self, done):
        home, _, _ = done
        assert verify_all(home).problems == ()

    def test_no_file_holds_the_removed_bytes_or_vectors(self, done, before):
        home, _, vectors = done
        pieces = [form for text in (SECRET, CHINESE) for form in spellings(text.encode())]
        wanted = fingerprint([*pieces, REJECTED, *vectors])
        assert len(search_folder(before.root, wanted).places) > 10
        assert search_folder(home.root, wanted).places == ()

    def test_the_whole_removed_texts_are_found_only_in_what_stays(self, done):
        home, _, _ = done
        wanted = fingerprint(text.encode() for text in GONE)
        wanted = wanted.without(wanted.found("\n".join(BETA.values()).encode()))
        assert search_folder(home.root, wanted).places == ()

    def test_blobs_that_another_source_needs_stay(self, done):
        home, _, _ = done
        assert home.blobs.get(doc_id(home, "file:///beta/both.md")) == BOTH.encode()

    def test_answers_that_quote_it_are_erased_and_others_that_rest_on_it_are_stale(self, done):
        home, _, _ = done
        states = {
            answer.answer_id: (answer.state, bool(answer.text)) for answer in home.ledger.answers()
        }
        assert states == {
            "QUOTES": ("erased", False),
            "SILENT": ("erased", False),
            "CITES": ("stale", True),
            "KEPT": ("stale", True),
            "OTHER": ("live", True),
        }

    def test_models_trained_on_it_are_marked(self, done):
        home, _, _ = done
        marks = {model.node: model.status for model in home.models.list()}
        assert marks == {"model:m@1": "exposed", "model:other@1": "live"}

    def test_run_records_keep_their_form(self, done):
        home, revoked, _ = done
        note = f"[erased by revocation:{revoked.revocation_id}]"
        with sqlite3.connect(home.root / "prefect" / "prefect.db") as database:
            data = [json.loads(row[0]) for row in database.execute("SELECT data FROM artifact")]
        assert data == [note, {"n": 1}, {"question": note, "k": 3}]
        assert json.loads((home.root / "cache" / "answer.json").read_text())["id"] == 7
        assert (home.root / "logs" / "worker.log").read_text() == f"started\n{note}\nstopped\n"
        assert (
            (home.root / "mlflow-artifacts" / "1" / "plain.md").read_text().endswith("Nothing.\n")
        )

    def test_a_purged_version_says_so(self, done):
        home, revoked, _ = done
        with pytest.raises(NotFoundError, match=f"purged by revocation:{revoked.revocation_id}"):
            home.table("chunks").scan(1)

    def test_old_indexes_and_statistics_are_gone_and_recorded_as_purged(self, done):
        home, _, _ = done
        assert len(home.index_store.names()) == 1
        assert home.index_store.tombstones() == frozenset()
        assert list((home.root / "tables").glob("statistics/*")) == []

    def test_its_own_working_files_are_gone(self, done):
        home, _, _ = done
        assert not desk(home, "source:alpha").exists()

    def test_done_again_it_changes_nothing(self, done):
        home, revoked, _ = done
        head = home.ledger.head()
        again = revoke(home, REQUEST, tools_for(home), "r3")
        assert (again.revocation_id, again.certificate) == (
            revoked.revocation_id,
            revoked.certificate,
        )
        assert home.ledger.head() == head


class TestEquality:
    """After a revocation everything answers as if the source had never been there."""

    def test_spans_on_ten_thousand_positions(self, done, fresh):
        home, _, _ = done
        words = " ".join([*ALPHA.values(), *BETA.values()]).split()
        draw, positions = random.Random(3), 0
        while positions < 10_000:
            cuts = [(draw.randrange(len(words)), draw.randint(4, 40)) for _ in range(60)]
            query = " ".join(" ".join(words[at : at + size]) for at, size in cuts)
            positions += len(query.split())
            assert home.spans.trace(query.encode()) == fresh.spans.trace(query.encode())

    def test_no_segment_knows_a_word_or_a_name_that_only_the_removed_texts_had(self, done, before):
        home, _, _ = done
        plan = make_plan(before, ALPHA_SCOPE)
        rule = scanner(read_rule(home.spans.folder, read_manifest(home.spans.folder).rule))
        removed = [before.blobs.get(text) for text in plan.texts]
        kept = [text.encode() for text in BETA.values()]
        theirs, ours = (
            {int(h) for text in texts for h in rule.units(text).hashes} for texts in (removed, kept)
        )
        only = theirs - ours
        assert len(only) > 20
        for entry in home.spans.segments():
            segment = open_segment(home.spans.folder / entry.name, entry.sha256)
            assert not only & {int(h) for h in segment.words}
            assert not set(plan.texts) & set(segment.doc_ids)

    def test_search(self, done, fresh):
        home, _, _ = done
        questions = [
            line for text in [*ALPHA.values(), *BETA.values()] for line in text.splitlines() if line
        ]
        ours, theirs = searcher(home), searcher(fresh)
        assert ours.search_many(questions, 10) == theirs.search_many(questions, 10)

    def test_features(self, done, fresh):
        home, _, _ = done
        for name in ("chunks", "counts", "vectors"):
            assert home.table(name).root() == fresh.table(name).root()


class TestCertificate:
    def test_it_verifies_and_says_what_was_done(self, done):
        home, revoked, _ = done
        said = certificate_of(home, revoked.revocation_id)
        assert [step["step"] for step in said["steps"]] == [name for name, _ in STEPS]
        assert (said["scope"], said["reason"]) == ("source:alpha", "takedown")
        assert said["plan"]["kept"][0]["sources"] == ["beta"]

    def test_any_changed_byte_is_refused(self, done):
        home, revoked, _ = done
        data = revoked.certificate.encode()
        keys = [keyring(home).public_key()]
        assert verify_certificate(data, keys)
        for at in range(0, len(data), 37):
            changed = bytearray(data)
            changed[at] ^= 1 + at % 127
            with pytest.raises(CorruptError):
                verify_certificate(bytes(changed), keys)

    def test_it_holds_no_word_of_what_was_removed(self, done):
        _, revoked, _ = done
        assert not fingerprint([SECRET.encode()]).within(revoked.certificate.encode())

    def test_the_head_of_the_log_that_holds_it_is_signed(self, done):
        home, _, _ = done
        signed = Tree(home.ledger_url).signed_head()
        assert signed is not None
        assert signed.head.size == home.ledger.head().seq


class TestAtOnce:
    """The first step alone takes the passages out of every search."""

    def test_after_the_tombstone_nothing_is_found_though_all_is_there(self, tmp_path):
        filled = fill(tmp_path)
        gone = set(make_plan(filled.home, ALPHA_SCOPE).documents)
        stop = {"tombstone": 1}

        def progress(label, done, total):
            if label == "fingerprints":
                raise KeyboardInterrupt(stop)

        with pytest.raises(KeyboardInterrupt):
            revoke(filled.home, REQUEST, replace(filled.tools, progress=progress), "r2")
        hits = searcher(filled.home).search(SECRET, 50)
        assert hits
        assert not gone & {hit.doc_id for hit in hits}
        assert filled.home.spans.trace(SECRET.encode()) == []
        assert filled.home.table("documents").scan().collect().height == 7


class TestFailure:
    def test_a_copy_somewhere_keeps_the_revocation_open_and_is_named(self, tmp_path):
        filled = fill(tmp_path)
        copy = tmp_path / "notes" / "copy.txt"
        copy.parent.mkdir()
        copy.write_text(f"I kept this: {SECRET}")
        with pytest.raises(GateError, match=r"notes/copy\.txt") as error:
            revoke(filled.home, REQUEST, filled.tools, "r2")
        assert SECRET not in str(error.value)
        state = filled.home.revocations.list()[0]
        assert (state.state, state.certificate) == ("failed", "")
        copy.unlink()
        revoked = revoke(filled.home, REQUEST, filled.tools, "r3")
        assert revoked.revocation_id == state.revocation_id
        assert certificate_of(filled.home, revoked.revocation_id)

    def test_an_unknown_source_is_not_found(self, before):
        request = replace(REQUEST, scope=parse_scope("gamma"))
        with pytest.raises(NotFoundError, match="alpha, beta"):
            revoke(before, request, tools_for(before), "r2")
