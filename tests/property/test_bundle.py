"""Law of proof: whichever byte of a bundle is changed, it is refused; and none costs over 2 KB."""

import base64
import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.attest import Keyring, key_id
from storage.digest import canonical_json
from storage.dsse import STATEMENT_PAYLOAD
from storage.ledger_schema import hash_row
from storage.merkle import node_hash
from storage.tiles import entry_leaf
from storage.transparency import TreeHead, head_statement
from tasks.provenance.proof.bundle import keyring_of, make_bundle, verify_bundle
from tasks.provenance.proof.bundle_format import Bundle, check_of, pack
from tests.stored_home import fill_home

MILLION = 1 << 20


@pytest.fixture(scope="module")
def proof():
    with tempfile.TemporaryDirectory() as folder:
        stored = fill_home(Path(folder))
        answer = stored.home.ledger.answer(stored.answer_id)
        first = replace(answer.citations[0], grade="cited", a_start=1)
        stored.home.ledger.add_answer(replace(answer, answer_id="01CITED", citations=(first,)))
        key = keyring_of(stored.home)
        key.rotate(stored.home.ledger_url)
        bundles = [make_bundle(stored.home, stored.answer_id, n) for n in range(4)]
        bundles.append(make_bundle(stored.home, "01CITED", 0))
        yield SimpleNamespace(bundles=bundles, public=key.public_key())


def test_the_bundles_are_sound(proof):
    assert all(verify_bundle(data, proof.public).ok for data in proof.bundles)


@settings(max_examples=150)
@given(which=st.integers(0, 4), place=st.integers(0, 1 << 14), mask=st.integers(1, 255))
def test_any_changed_byte_is_refused(proof, which, place, mask):
    data = bytearray(proof.bundles[which])
    data[place % len(data)] ^= mask
    report = verify_bundle(bytes(data), proof.public)
    assert report.problems
    assert not report.quote


@settings(max_examples=40)
@given(which=st.integers(0, 4), start=st.integers(0, 1 << 12), width=st.integers(1, 99))
def test_anything_cut_out_or_doubled_is_refused(proof, which, start, width):
    data = proof.bundles[which]
    start %= len(data)
    piece = data[start : start + width]
    assert not verify_bundle(data[:start] + data[start + width :], proof.public).ok
    assert not verify_bundle(data[:start] + piece + data[start:], proof.public).ok


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
FIELDS = ["format", "seq", "row", "quote", "sentence", "path", "keys", "head"]


@settings(max_examples=40)
@given(value=JSON, field=st.sampled_from(FIELDS), data=st.binary(max_size=40))
def test_any_other_json_or_bytes_are_refused_without_an_exception(proof, value, field, data):
    fields = {**json.loads(proof.bundles[0]), field: value}
    for changed in (canonical_json(fields), canonical_json(value), data):
        assert verify_bundle(changed, proof.public).problems


WORDS = st.lists(st.sampled_from(["provenance", "of", "水", "the"]), min_size=20, max_size=28)


@settings(max_examples=12)
@given(quote=WORDS.map(" ".join), sentence=st.none() | WORDS.map(" ".join))
def test_a_proof_in_a_log_of_a_million_entries_is_at_most_2_kb(keyring, quote, sentence):
    span = realistic_span(quote, sentence or quote, "cited" if sentence else "quoted")
    seq = MILLION // 2 + 1  # the first leaf of the right half: all siblings right but the last
    path = [hashlib.sha256(bytes([level])).digest() for level in range(20)]
    root = entry_leaf(seq, "answer_span", "01JDEMO0000000000000000000|2", hash_row(span))
    for level in range(19):
        root = node_hash(root, path[level])
    head = TreeHead(size=MILLION, root=node_hash(path[19], root).hex(), chain="a" * 64)
    at = "2026-01-02T03:04:05.678901+00:00"
    envelope = keyring.sign(STATEMENT_PAYLOAD, head_statement(head, "suyuan", at))
    bundle = Bundle(
        seq=seq,
        span=span,
        quote=quote,
        sentence=sentence or quote,
        row_check=check_of(hash_row(span)),
        quote_check=check_of(span["quote_sha256"]),
        sentence_check=check_of(span["a_sha256"]),
        path=tuple(path),
        head=head,
        origin="suyuan",
        signed_at=at,
        signature=base64.b64decode(envelope["signatures"][0]["sig"]),
        signer_check=check_of(key_id(keyring.public_key())),
        keys=(),
    )
    data = pack(bundle)
    assert verify_bundle(data, keyring.public_key()).problems == ()
    assert len(data) <= 2048


@pytest.fixture(scope="module")
def keyring():
    with tempfile.TemporaryDirectory() as folder:
        yield Keyring(Path(folder) / "keys")


def realistic_span(quote, sentence, grade):
    """A row as a stored answer over package documentation has it."""
    digest = hashlib.sha256(quote.encode()).hexdigest()
    return {
        "answer_id": "01JDEMO0000000000000000000",
        "ordinal": 2,
        "a_start": 301,
        "a_end": 301 + len(sentence.encode()),
        "a_sha256": hashlib.sha256(sentence.encode()).hexdigest(),
        "grade": grade,
        "score": 0.8123456789012345,
        "chunk_id": digest[::-1],
        "doc_id": digest,
        "text_id": digest[1:] + "0",
        "origin": "mapped",
        "source": "debian-documentation",
        "uri": "file:///usr/share/doc/postgresql-doc-15/html/sql-createtable.html",
        "licence": "GPL-2.0-only WITH Linux-syscall-note OR BSD-3-Clause",
        "d_start": 123_456,
        "d_end": 123_456 + len(quote.encode()),
        "src_start": 234_567,
        "src_end": 234_900,
        "quote_sha256": digest,
        "salt": "0123456789abcdef" * 2,
    }
