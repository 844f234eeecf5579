"""DSSE v1 envelopes and in-toto statements: strict reading, and what is signed; pure.

An envelope signs `DSSEv1 <len> <type> <len> <payload>`. Ours are canonical JSON with one signature,
so that no byte of one can be changed without being refused.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.digest import canonical_json, sha256_hex
from storage.errors import CorruptError, InputError

STATEMENT_PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
KEY_PREDICATE = "urn:suyuan:signing-key:1"
KEY_BYTES = 32
SIGNATURE_BYTES = 64
MAX_SIGNED_BYTES = 1 << 22
"""No signed file is larger; more is refused unread."""

Envelope = dict[str, Any]


def key_id(public_key: bytes) -> str:
    """Name a public key by the SHA-256 of its 32 raw bytes."""
    return sha256_hex(public_key)


def read_canonical(data: bytes, item: str) -> Any:
    """Parse JSON that must be canonical, byte for byte; CorruptError names the item.

    So white space, doubled keys, NaN, other spellings of a number or character and bytes that are
    not UTF-8 are all refused.
    """
    if len(data) > MAX_SIGNED_BYTES:
        raise CorruptError(f"has more than {MAX_SIGNED_BYTES} bytes", item=item)
    try:
        value = json.loads(data.decode())
        same = canonical_json(value) == data
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"is not JSON as it was written ({error})", item=item) from error
    if not same:
        raise CorruptError("is not in canonical form, so some byte was changed", item=item)
    return value


def public_key_of(text: str, item: str = "public key") -> bytes:
    """Read a public key from the base64 of its 32 raw bytes; InputError when it is none."""
    try:
        return decode64(text.strip(), KEY_BYTES, item)
    except CorruptError as error:
        way_out = "Give the content of a .pub file of the key folder"
        raise InputError("is not a public key", item=item, way_out=way_out) from error


def encode64(data: bytes) -> str:
    """Give bytes as base64."""
    return base64.b64encode(data).decode()


def decode64(text: object, n_bytes: int | None, item: str) -> bytes:
    """Read base64 strictly: one spelling for each value, of so many bytes."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError) as error:
        raise CorruptError("is not base64", item=item) from error
    if not isinstance(text, str) or encode64(data) != text:
        raise CorruptError("is not base64 in its one valid form", item=item)
    if n_bytes is not None and len(data) != n_bytes:
        raise CorruptError(f"has {len(data)} bytes, not {n_bytes}", item=item)
    return data


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """Give the pre-authentication encoding (PAE) of DSSE v1: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def check_signature(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether a signature is that of a key over a message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify(envelope: Mapping[str, Any], public_keys: Iterable[bytes]) -> bytes:
    """Give the payload of an envelope that one of the keys signed; CorruptError otherwise."""
    item = "envelope"
    if set(envelope) != {"payload", "payloadType", "signatures"}:
        raise CorruptError("has other fields than DSSE v1", item=item)
    kind, signatures = envelope["payloadType"], envelope["signatures"]
    if not isinstance(kind, str) or not isinstance(signatures, list) or len(signatures) != 1:
        raise CorruptError("needs one type and one signature", item=item)
    payload = decode64(envelope["payload"], None, f"{item}: payload")
    first = signatures[0]
    if not isinstance(first, dict) or set(first) != {"keyid", "sig"}:
        raise CorruptError("its signature needs keyid and sig", item=item)
    keys = {key_id(key): key for key in public_keys}
    if first["keyid"] not in keys:
        names = ", ".join(name[:16] for name in keys) or "none"
        cause = f"signed by key {str(first['keyid'])[:16]}, but the trusted keys are: {names}"
        raise CorruptError(cause, item=item)
    signature = decode64(first["sig"], SIGNATURE_BYTES, f"{item}: signature")
    if not check_signature(keys[first["keyid"]], signature, signed_bytes(kind, payload)):
        raise CorruptError("the signature is not that of its key over this content", item=item)
    return payload


def statement(
    subject: Sequence[Mapping[str, Any]], predicate_type: str, predicate: Mapping[str, Any]
) -> bytes:
    """Give an in-toto Statement v1 as canonical JSON; subject is [{name, digest: {sha256}}]."""
    body = {"_type": STATEMENT, "subject": list(subject), "predicateType": predicate_type}
    return canonical_json({**body, "predicate": predicate})


def verify_statement(
    envelope: Mapping[str, Any], public_keys: Iterable[bytes], predicate_type: str
) -> dict[str, Any]:
    """Give the statement of an envelope that one of the keys signed; CorruptError otherwise."""
    payload = verify(envelope, public_keys)
    found = read_canonical(payload, "statement")
    if not isinstance(found, dict) or envelope["payloadType"] != STATEMENT_PAYLOAD:
        raise CorruptError("is not an in-toto statement", item="statement")
    kinds = (found.get("_type"), found.get("predicateType"))
    if kinds != (STATEMENT, predicate_type):
        raise CorruptError(f"is a {kinds[1]}, not a {predicate_type}", item="statement")
    return found


def endorsed_key(public_key: bytes) -> bytes:
    """Give the statement by which the key before a new one vouches for it."""
    name = key_id(public_key)
    subject = [{"name": f"key:{name}", "digest": {"sha256": name}}]
    return statement(subject, KEY_PREDICATE, {"public_key": encode64(public_key)})
