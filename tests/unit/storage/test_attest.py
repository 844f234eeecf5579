"""Keys stay private and are kept through a rotation; a changed envelope is refused."""

import base64
import json
import stat

import pytest

from storage import attest
from storage.attest import Keyring, key_id, recorded_keys, sign_statement, verify, verify_statement
from storage.digest import canonical_json
from storage.dsse import public_key_of, read_canonical, signed_bytes
from storage.errors import ConflictError, CorruptError, InputError, MissingError
from storage.ledger import Ledger

SUBJECT = [{"name": "thing", "digest": {"sha256": "0" * 64}}]


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv(attest.KEY_VARIABLE, raising=False)


@pytest.fixture
def keyring(tmp_path):
    return Keyring(tmp_path / "keys")


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


def test_what_is_signed_is_the_encoding_of_dsse():
    assert signed_bytes("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_key_is_made_once_and_only_its_owner_can_read_it(keyring):
    first = keyring.public_key()
    assert keyring.public_key() == first
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in keyring.folder.iterdir()}
    assert modes[".key"] == 0o600
    assert stat.S_IMODE(keyring.folder.stat().st_mode) == 0o700
    assert public_key_of((keyring.folder / f"{key_id(first)}.pub").read_text()) == first


@pytest.mark.parametrize("which", ["folder", "file"])
def test_a_key_that_others_can_read_is_refused(keyring, which):
    name = key_id(keyring.public_key())
    path = keyring.folder if which == "folder" else keyring.folder / f"{name}.key"
    path.chmod(0o755 if which == "folder" else 0o640)
    with pytest.raises(MissingError, match="chmod"):
        keyring.sign("text", b"x")


def test_a_lost_key_is_not_replaced_in_silence(keyring):
    (keyring.folder / f"{key_id(keyring.public_key())}.key").unlink()
    with pytest.raises(MissingError, match="Restore it"):
        keyring.sign("text", b"x")


def test_a_swapped_or_broken_key_file_is_refused(keyring, tmp_path):
    other = Keyring(tmp_path / "other")
    theirs = other.folder / f"{key_id(other.public_key())}.key"
    path = keyring.folder / f"{key_id(keyring.public_key())}.key"
    path.write_text(theirs.read_text())
    with pytest.raises(CorruptError, match="another key"):
        keyring.public_key()
    path.write_text("AAAA\n")
    with pytest.raises(CorruptError, match="32 bytes"):
        keyring.public_key()


def test_a_key_in_the_environment_goes_first(keyring, monkeypatch):
    own = keyring.public_key()
    monkeypatch.setenv(attest.KEY_VARIABLE, base64.b64encode(b"k" * 32).decode())
    assert keyring.public_key() != own
    monkeypatch.setenv(attest.KEY_VARIABLE, "secret")
    with pytest.raises(CorruptError, match="SUYUAN_SIGNING_KEY") as caught:
        keyring.public_key()
    assert "secret" not in str(caught.value)


def test_a_statement_is_read_back_with_the_right_key_only(keyring, tmp_path):
    envelope = sign_statement(keyring, SUBJECT, "urn:test", {"n": 1})
    found = verify_statement(envelope, [keyring.public_key()], "urn:test")
    assert (found["subject"], found["predicate"]) == (SUBJECT, {"n": 1})
    with pytest.raises(CorruptError, match="trusted keys"):
        verify(envelope, [Keyring(tmp_path / "other").public_key()])
    with pytest.raises(CorruptError, match="trusted keys are: none"):
        verify(envelope, [])
    with pytest.raises(CorruptError, match="not a urn:other"):
        verify_statement(envelope, [keyring.public_key()], "urn:other")


def test_every_changed_byte_of_an_envelope_is_refused(keyring):
    data = canonical_json(sign_statement(keyring, SUBJECT, "urn:test", {"n": 1}))
    public = [keyring.public_key()]
    verify(read_canonical(data, "envelope"), public)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(CorruptError):
            verify(read_canonical(bytes(changed), "envelope"), public)


@pytest.mark.parametrize(
    "changes",
    [
        {"signatures": []},
        {"signatures": [3]},
        {"signatures": {}},
        {"payload": 7},
        {"payload": "!"},
        {"payload": "eA"},
        {"payloadType": None},
        {"extra": 1},
    ],
)
def test_an_envelope_of_another_shape_is_refused(keyring, changes):
    envelope = {**sign_statement(keyring, SUBJECT, "urn:test", {}), **changes}
    with pytest.raises(CorruptError):
        verify(envelope, [keyring.public_key()])


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a": 1}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\ud800"}',
        b"\xff",
        b"",
        b"[" * 100_000,
        b"1" * 5_000,
    ],
)
def test_what_is_not_canonical_json_is_refused(data):
    with pytest.raises(CorruptError):
        read_canonical(data, "file")


def test_a_public_key_is_32_bytes(keyring):
    with pytest.raises(InputError, match=r"\.pub"):
        public_key_of("AAAA")


def test_a_rotation_is_endorsed_and_recorded(keyring, url):
    old = keyring.public_key()
    assert keyring.register(url) == keyring.register(url) == key_id(old)
    new_id = keyring.rotate(url)
    new = keyring.public_key()
    assert new_id == key_id(new) != key_id(old)
    first, second = recorded_keys(url)
    assert (first.status, second.status) == ("retired", "current")
    endorsement = verify_statement(
        json.loads(second.endorsement), [old], "urn:suyuan:signing-key:1"
    )
    assert endorsement["predicate"] == {"public_key": base64.b64encode(new).decode()}
    assert sorted(path.suffix for path in keyring.folder.iterdir()) == ["", ".key", ".pub", ".pub"]
    assert Ledger(url).verify() == []


def test_a_rotation_that_was_cut_off_is_finished(keyring, url, monkeypatch):
    old_id = keyring.register(url)
    with monkeypatch.context() as patch:
        patch.setattr(Keyring, "_finish_rotation", lambda *_: None)  # as if killed here
        new_id = keyring.rotate(url)
    assert key_id(keyring.public_key()) == old_id
    assert keyring.register(url) == new_id == key_id(keyring.public_key())
    assert len(recorded_keys(url)) == 2


def test_a_retired_key_signs_nothing_more(keyring, url, tmp_path, monkeypatch):
    monkeypatch.setenv(attest.KEY_VARIABLE, base64.b64encode(b"k" * 32).decode())
    new_id = keyring.rotate(url)
    with pytest.raises(ConflictError, match="unset SUYUAN_SIGNING_KEY"):
        keyring.register(url)
    monkeypatch.delenv(attest.KEY_VARIABLE)
    assert keyring.register(url) == new_id
    with pytest.raises(ConflictError, match=new_id):
        Keyring(tmp_path / "elsewhere").register(url)
