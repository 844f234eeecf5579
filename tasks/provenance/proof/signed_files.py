"""Other signed files: the head of the log, that one head continues another, and certificates."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from storage.attest import endorsements, recorded_keys
from storage.digest import canonical_json
from storage.dsse import (
    STATEMENT_PAYLOAD,
    decode64,
    encode64,
    read_canonical,
    verify,
)
from storage.errors import CorruptError, InputError
from storage.merkle import HASH_BYTES, verify_consistency
from storage.records import Problem
from storage.transparency import HEAD_PREDICATE, SignedHead, Tree, read_head_file
from tasks.provenance.proof.bundle_check import key_reasons
from tasks.provenance.proof.bundle_format import key_pairs, read_keys

CONSISTENCY = "suyuan-consistency/1"


@dataclass(frozen=True, kw_only=True)
class SignedReport:
    """What a signed file proves; its facts are empty unless everything holds."""

    ok: bool
    problems: tuple[Problem, ...]
    n_bytes: int
    kind: str = ""
    """Type of the signed statement, or `suyuan-consistency/1`."""
    subjects: tuple[str, ...] = ()
    """`<name> <sha256>` of what the statement is about."""
    sizes: tuple[int, ...] = ()
    """Sizes of the log that the heads in the file are about."""
    key_id: str = ""


def make_consistency(ledger_url: str, old: bytes, new: bytes) -> bytes:
    """Write the proof that the log of one head file continues that of an older one."""
    known = [key.public_key for key in recorded_keys(ledger_url)]
    heads = [read_head_file(_envelope(data), known) for data in (old, new)]
    sizes = [head.head.size for head in heads]
    if sizes[0] > sizes[1] or sizes[0] == 0:
        raise InputError(
            f"the older head has {sizes[0]} entries, the newer {sizes[1]}", item="heads"
        )
    path = Tree(ledger_url).consistency(sizes[0], sizes[1])
    fields = {"format": CONSISTENCY, "old": heads[0].envelope, "new": heads[1].envelope}
    keys = endorsements(ledger_url, _signer(heads[1].envelope))
    return canonical_json({**fields, "keys": key_pairs(keys), "path": encode64(b"".join(path))})


def verify_signed(data: bytes, public_key: bytes) -> SignedReport:
    """Check a head, a consistency proof or a certificate with nothing but a public key."""
    try:
        fields = read_canonical(data, "file")
        if isinstance(fields, dict) and fields.get("format") == CONSISTENCY:
            return _consistency(data, fields, public_key)
        return _statement(data, _envelope(data), [public_key])
    except CorruptError as error:
        problem = Problem(node=error.item, reason=error.cause)
        return SignedReport(ok=False, problems=(problem,), n_bytes=len(data))


def _consistency(data: bytes, fields: dict[str, Any], public_key: bytes) -> SignedReport:
    if set(fields) != {"format", "keys", "old", "new", "path"}:
        raise CorruptError("has fields that do not belong to it", item="file")
    chain = read_keys(fields["keys"])
    for reason in key_reasons(chain, public_key):
        raise CorruptError(reason, item="keys")
    keys = [key for key, _ in chain]
    heads = [_head(fields[name], keys, name) for name in ("old", "new")]
    path = decode64(fields["path"], None, "path")
    nodes = [path[at : at + HASH_BYTES] for at in range(0, len(path), HASH_BYTES)]
    sizes = (heads[0].head.size, heads[1].head.size)
    roots = (bytes.fromhex(heads[0].head.root), bytes.fromhex(heads[1].head.root))
    if not verify_consistency(sizes, roots, nodes):
        cause = f"the log of {sizes[1]} entries is not shown to continue that of {sizes[0]}"
        raise CorruptError(cause, item="path")
    return SignedReport(
        ok=True,
        problems=(),
        n_bytes=len(data),
        kind=CONSISTENCY,
        subjects=tuple(f"log {head.head.root}" for head in heads),
        sizes=sizes,
        key_id=_signer(heads[1].envelope),
    )


def _statement(data: bytes, envelope: dict[str, Any], keys: list[bytes]) -> SignedReport:
    statement = read_canonical(verify(envelope, keys), "statement")
    if envelope["payloadType"] != STATEMENT_PAYLOAD or not isinstance(statement, dict):
        raise CorruptError("is not an in-toto statement", item="statement")
    kind = str(statement.get("predicateType", ""))
    sizes: tuple[int, ...] = ()
    if kind == HEAD_PREDICATE:
        sizes = (read_head_file(envelope, keys).head.size,)
    return SignedReport(
        ok=True,
        problems=(),
        n_bytes=len(data),
        kind=kind,
        subjects=tuple(_subjects(statement)),
        sizes=sizes,
        key_id=_signer(envelope),
    )


def _signer(envelope: dict[str, Any]) -> str:
    """Key id of an envelope whose signature was verified."""
    return str(envelope["signatures"][0]["keyid"])


def _subjects(statement: dict[str, Any]) -> Iterator[str]:
    subjects = statement.get("subject")
    for subject in subjects if isinstance(subjects, list) else []:
        digest = subject.get("digest", {}) if isinstance(subject, dict) else {}
        yield f"{subject.get('name', '')} {digest.get('sha256', '')}" if digest else str(subject)


def _head(envelope: object, keys: list[bytes], name: str) -> SignedHead:
    if not isinstance(envelope, dict):
        raise CorruptError("is not an envelope", item=name)
    try:
        return read_head_file(envelope, keys)
    except CorruptError as error:
        raise CorruptError(error.cause, item=f"{name} head: {error.item}") from error


def _envelope(data: bytes) -> dict[str, Any]:
    found = read_canonical(data, "file")
    if not isinstance(found, dict):
        raise CorruptError("is not a signed file", item="file")
    return found
