"""Keys of this installation (Ed25519), and what they sign: DSSE envelopes of in-toto statements."""

import os
import stat
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from storage import ledger_schema as schema
from storage.digest import canonical_json
from storage.dsse import (
    KEY_BYTES,
    STATEMENT_PAYLOAD,
    Envelope,
    decode64,
    encode64,
    endorsed_key,
    key_id,
    read_canonical,
    signed_bytes,
    statement,
    verify,
    verify_statement,
)
from storage.errors import ConflictError, CorruptError, MissingError
from storage.files import explained, write_atomic
from storage.ledger_engine import reading, writing
from storage.ledger_log import read_head, record
from storage.ledger_rows import now

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "Envelope",
    "Keyring",
    "RecordedKey",
    "endorsements",
    "key_id",
    "read_canonical",
    "recorded_keys",
    "sign_statement",
    "verify",
    "verify_statement",
]

KEY_VARIABLE = "SUYUAN_SIGNING_KEY"

_CURRENT = "CURRENT"


def sign_statement(
    keyring: "Keyring",
    subject: Sequence[Mapping[str, Any]],
    predicate_type: str,
    predicate: Mapping[str, Any],
) -> Envelope:
    """Sign an in-toto Statement v1 about named digests."""
    return keyring.sign(STATEMENT_PAYLOAD, statement(subject, predicate_type, predicate))


@dataclass(frozen=True)
class RecordedKey:
    """A row of the ledger about a key of this installation."""

    key_id: str
    public_key: bytes
    status: str
    endorsement: str
    """Envelope by which the key before it vouches for it; "" for the first."""


def recorded_keys(ledger_url: str) -> list[RecordedKey]:
    """Give the keys that the ledger knows, oldest first."""
    key = schema.signing_key
    with reading(ledger_url) as connection:
        rows = connection.execute(sa.select(key).order_by(key.c.created_at, key.c.key_id)).all()
    return [
        RecordedKey(
            key_id=row.key_id,
            public_key=decode64(row.public_key, KEY_BYTES, f"ledger:signing_key/{row.key_id}"),
            status=row.status,
            endorsement=row.endorsement,
        )
        for row in rows
    ]


def endorsements(ledger_url: str, signer: str) -> tuple[tuple[bytes, bytes], ...]:
    """Give the keys from the first one to the signer, each with the signature of the one before."""
    known = {key.key_id: key for key in recorded_keys(ledger_url)}
    chain: list[tuple[bytes, bytes]] = []
    name = signer
    while name:
        key = known.pop(name, None)  # popped, so that a circle ends
        if key is None:
            raise CorruptError("is not recorded in the ledger", item=f"key:{name[:16]}")
        previous, signature = "", b""
        if key.endorsement:
            first = _endorser(key)
            previous, signature = first["keyid"], decode64(first["sig"], None, f"key:{name[:16]}")
        chain.append((key.public_key, signature))
        name = previous
    return tuple(reversed(chain))


def _endorser(key: RecordedKey) -> dict[str, str]:
    item = f"ledger:signing_key/{key.key_id}"
    envelope = read_canonical(key.endorsement.encode(), item)
    try:
        return {name: str(envelope["signatures"][0][name]) for name in ("keyid", "sig")}
    except (KeyError, IndexError, TypeError) as error:
        raise CorruptError("its endorsement is not an envelope", item=item) from error


@dataclass(frozen=True)
class Keyring:
    """The keys of an installation: a folder (0700) of files (0600), or SUYUAN_SIGNING_KEY.

    A key is made on first use. `<key id>.key` holds a private key, `<key id>.pub` a public one, both
    as base64 of the 32 raw bytes; `CURRENT` names the key that signs.
    """

    folder: Path

    def sign(self, payload_type: str, payload: bytes) -> Envelope:
        """Sign bytes of a named type as a DSSE envelope."""
        return _sign(self._private(), payload_type, payload)

    def public_key(self) -> bytes:
        """Give the 32 raw bytes of the public key that belongs to the signing key."""
        return _public(self._private())

    def register(self, ledger_url: str) -> str:
        """Record the signing key in the ledger and give its id; a second time changes nothing.

        A rotation that was cut off is finished. ConflictError when the ledger says that another key
        signs now, which this folder lacks.
        """
        public = self.public_key()
        mine = key_id(public)
        current = [key.key_id for key in recorded_keys(ledger_url) if key.status == "current"]
        if not current:
            _record_first(ledger_url, public)
        elif current[0] != mine:
            if KEY_VARIABLE in os.environ or not self._file(current[0]).is_file():
                raise _retired(mine, current[0], self.folder)
            self._finish_rotation(current[0], mine)
        return current[0] if current else mine

    def rotate(self, ledger_url: str) -> str:
        """Make a new key that the old one endorses, record both, retire the old one; give its id.

        The private half of the old key is deleted; its public half stays. A rotation that is cut
        off is finished by the next `register`.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        old_id = self.register(ledger_url)
        old, new = self._private(), Ed25519PrivateKey.generate()
        new_id, public = self._store(new), _public(new)
        endorsement = canonical_json(_sign(old, STATEMENT_PAYLOAD, endorsed_key(public))).decode()
        _replace_key(ledger_url, old_id, _key_row(public, endorsement))
        self._finish_rotation(new_id, old_id)
        return new_id

    def _finish_rotation(self, new_id: str, old_id: str) -> None:
        with explained(str(self.folder)):
            write_atomic(self.folder / _CURRENT, f"{new_id}\n".encode())
        self._file(old_id).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def _private(self) -> "Ed25519PrivateKey":
        if text := os.environ.get(KEY_VARIABLE):
            return _read_private(text, KEY_VARIABLE)
        if not self._current_name():
            self._create()
        path = self._file(self._current_name())
        for place in (self.folder, path):
            _refuse_open(place)
        with explained(str(path)):
            text = path.read_text("ascii", "replace")
        private = _read_private(text, str(path))
        if key_id(_public(private)) != path.stem:
            raise CorruptError("holds another key than its name says", item=str(path))
        return private

    def _current_name(self) -> str:
        path = self.folder / _CURRENT
        if not path.exists():
            return ""
        with explained(str(path)):
            return path.read_text("ascii", "replace").strip()

    def _create(self) -> None:
        """Make the first key; of several processes that do so at once, one wins."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        name = self._store(Ed25519PrivateKey.generate())
        temporary = self.folder / f".{uuid.uuid4().hex}.tmp"
        temporary.write_text(f"{name}\n")
        try:
            os.link(temporary, self.folder / _CURRENT)
        except FileExistsError:
            for suffix in ("key", "pub"):
                (self.folder / f"{name}.{suffix}").unlink()
        finally:
            temporary.unlink()

    def _store(self, private: "Ed25519PrivateKey") -> str:
        with explained(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            public = _public(private)
            name = key_id(public)
            handle = os.open(self._file(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(encode64(private.private_bytes_raw()).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            write_atomic(self.folder / f"{name}.pub", encode64(public).encode() + b"\n")
        return name


def _sign(private: "Ed25519PrivateKey", payload_type: str, payload: bytes) -> Envelope:
    signature = private.sign(signed_bytes(payload_type, payload))
    return {
        "payload": encode64(payload),
        "payloadType": payload_type,
        "signatures": [{"keyid": key_id(_public(private)), "sig": encode64(signature)}],
    }


def _public(private: "Ed25519PrivateKey") -> bytes:
    return private.public_key().public_bytes_raw()


def _read_private(text: str, item: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        return Ed25519PrivateKey.from_private_bytes(decode64(text.strip(), KEY_BYTES, item))
    except CorruptError as error:  # the text is a secret: neither shown nor chained
        cause = "is not the base64 of a private key of 32 bytes"
        raise CorruptError(cause, item=item, way_out="Restore it from a copy") from error


def _refuse_open(path: Path) -> None:
    """Refuse a key that others on this machine can read."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError as error:
        cause = "the signing key is not here"
        raise MissingError(cause, item=str(path), way_out="Restore it from a copy") from error
    if mode & 0o077:
        wanted = "700" if path.is_dir() else "600"
        cause = f"others may read this key (mode {mode:o})"
        way_out = f"chmod {wanted} '{path}', and rotate the key if others use this machine"
        raise MissingError(cause, item=str(path), way_out=way_out)


def _key_row(public: bytes, endorsement: str) -> schema.Row:
    row: schema.Row = {"key_id": key_id(public), "public_key": encode64(public)}
    row |= {"status": "current", "endorsement": endorsement}
    return row | {"created_at": now(), "retired_at": ""}


def _record_first(ledger_url: str, public: bytes) -> None:
    with writing(ledger_url) as connection:
        read_head(connection, lock=True)
        if connection.execute(sa.select(schema.signing_key.c.key_id)).first() is None:
            record(connection, schema.signing_key, [_key_row(public, "")])


def _replace_key(ledger_url: str, old_id: str, new: schema.Row) -> None:
    key = schema.signing_key
    with writing(ledger_url) as connection:
        read_head(connection, lock=True)
        query = sa.select(key).where(key.c.key_id == old_id)
        found = connection.execute(query).mappings().one()
        if found["status"] != "current":
            cause = "was retired by another process just now"
            raise ConflictError(cause, item=f"key:{old_id[:16]}", way_out="Run it again")
        old = {name: value for name, value in found.items() if name != "row_hash"}
        old |= {"status": "retired", "retired_at": now()}
        record(connection, schema.signing_key, [old, new])


def _retired(old_id: str, new_id: str, folder: Path) -> ConflictError:
    return ConflictError(
        f"was retired; key {new_id[:16]} signs now, and it is not in {folder}",
        item=f"key:{old_id[:16]}",
        way_out=f"Copy {new_id}.key into that folder, or unset {KEY_VARIABLE}",
    )
