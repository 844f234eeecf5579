"""Check of a proof bundle with nothing but its bytes and a public key; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from storage.dsse import (
    KEY_BYTES,
    STATEMENT_PAYLOAD,
    check_signature,
    endorsed_key,
    key_id,
    signed_bytes,
)
from storage.errors import CorruptError, InputError
from storage.ledger_schema import hash_row
from storage.merkle import verify_inclusion
from storage.records import Problem
from storage.tiles import entry_leaf
from storage.transparency import head_statement
from tasks.provenance.proof.bundle_format import Bundle, Keys, check_of, unpack


@dataclass(frozen=True, kw_only=True)
class BundleReport:
    """What a bundle proves; its facts are empty unless everything holds."""

    ok: bool
    problems: tuple[Problem, ...]
    """`bundle:form`, `:key`, `:head`, `:text`, `:sentence`, `:row` or `:path`, and what is wrong."""
    n_bytes: int
    answer_id: str = ""
    number: int = 0
    """Number of the citation in the answer, from 1."""
    grade: str = ""
    sentence: str = ""
    quote: str = ""
    document: str = ""
    start: int = 0
    end: int = 0
    """The quote is bytes [start, end) of the text of the document."""
    source: str = ""
    uri: str = ""
    licence: str = ""
    entry: int = 0
    log_size: int = 0
    log_root: str = ""
    origin: str = ""
    signed_at: str = ""
    key_id: str = ""


def verify_bundle(data: bytes, public_key: bytes) -> BundleReport:
    """Prove that the signed log holds this citation of these bytes under this licence.

    The key is that which signed, or one from which the bundle's endorsements lead to it.
    """
    if len(public_key) != KEY_BYTES:
        raise InputError(f"a public key has {KEY_BYTES} bytes", item="public key")
    try:
        bundle = unpack(data)
    except CorruptError as error:
        return _report(data, [Problem(node=error.item, reason=error.cause)])
    keys = bundle.keys or ((public_key, b""),)
    reasons = [*_signature_reasons(bundle, keys, public_key), *_row_reasons(bundle)]
    if not reasons:
        reasons += _path_reasons(bundle)
    if reasons:
        return _report(data, [Problem(node=f"bundle:{part}", reason=why) for part, why in reasons])
    return _facts(bundle, data, key_id(keys[-1][0]))


def key_reasons(keys: Keys, public_key: bytes) -> Iterator[str]:
    """Say why a key is not one that the endorsements lead from."""
    if public_key not in {key for key, _ in keys}:
        yield f"signed by key {key_id(keys[-1][0])}, which {key_id(public_key)} does not vouch for"
    for (before, _), (key, signature) in pairwise(keys):
        message = signed_bytes(STATEMENT_PAYLOAD, endorsed_key(key))
        if not check_signature(before, signature, message):
            yield f"key {key_id(key)} is not endorsed by {key_id(before)}"


def _signature_reasons(bundle: Bundle, keys: Keys, public_key: bytes) -> Iterator[tuple[str, str]]:
    signer = keys[-1][0]
    if check_of(key_id(signer)) != bundle.signer_check:
        yield "key", f"signed by key {bundle.signer_check}…, not by {key_id(signer)}"
        return
    for reason in key_reasons(keys, public_key):
        yield "key", reason
    payload = head_statement(bundle.head, bundle.origin, bundle.signed_at)
    if not check_signature(signer, bundle.signature, signed_bytes(STATEMENT_PAYLOAD, payload)):
        yield "head", f"the signature is not that of key {key_id(signer)} over this head"


def _row_reasons(bundle: Bundle) -> Iterator[tuple[str, str]]:
    span = bundle.span
    if check_of(span["quote_sha256"]) != bundle.quote_check:
        yield "text", "the quote is not the one that was cited"
    elif check_of(span["a_sha256"]) != bundle.sentence_check:
        yield "sentence", "is not the one that the quote was cited for"
    elif check_of(hash_row(span)) != bundle.row_check:
        yield "row", "offsets, licence or another field of the row were changed"
    if span["grade"] == "quoted" and bundle.sentence != bundle.quote:
        yield "sentence", "graded as quoted, but the sentence is not the quote"


def _path_reasons(bundle: Bundle) -> Iterator[tuple[str, str]]:
    span, head = bundle.span, bundle.head
    key = f"{str(span['answer_id']).replace('|', '%7C')}|{span['ordinal']}"
    leaf = entry_leaf(bundle.seq, "answer_span", key, hash_row(span))
    if not verify_inclusion(leaf, bundle.seq - 1, head.size, bundle.path, bytes.fromhex(head.root)):
        yield "path", "does not lead from an entry of that number to the signed root"


def _facts(bundle: Bundle, data: bytes, signer: str) -> BundleReport:
    span = bundle.span
    return BundleReport(
        ok=True,
        problems=(),
        n_bytes=len(data),
        answer_id=str(span["answer_id"]),
        number=int(str(span["ordinal"])) + 1,
        grade=str(span["grade"]),
        sentence=bundle.sentence,
        quote=bundle.quote,
        document=str(span["doc_id"]),
        start=int(str(span["d_start"])),
        end=int(str(span["d_end"])),
        source=str(span["source"]),
        uri=str(span["uri"]),
        licence=str(span["licence"]),
        entry=bundle.seq,
        log_size=bundle.head.size,
        log_root=bundle.head.root,
        origin=bundle.origin,
        signed_at=bundle.signed_at,
        key_id=signer,
    )


def _report(data: bytes, problems: list[Problem]) -> BundleReport:
    return BundleReport(ok=False, problems=tuple(problems), n_bytes=len(data))
