"""The form of a proof bundle: one citation with all that is needed to check it, as canonical JSON.

Hashes are base64, and what can be computed from the rest is left out: the ends of ranges, the original
offsets where they equal those of the text, the sentence where it is the quote, the key where no other
one vouches for it. `unpack` accepts only what `pack` gives, so that every byte of a bundle counts.

Four short checks (of quote, sentence, row and signer) prove nothing: they let a refusal name the part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from storage.digest import canonical_json, sha256_hex
from storage.dsse import KEY_BYTES, SIGNATURE_BYTES, decode64, encode64, read_canonical
from storage.errors import CorruptError
from storage.ledger_schema import Row
from storage.merkle import HASH_BYTES
from storage.transparency import TreeHead

FORMAT = "suyuan-proof/1"
MAX_BUNDLE_BYTES = 1 << 16
FORM = "bundle:form"

_MAX_NUMBER = 1 << 53
_PLAIN_TEXTS = ("answer_id", "grade", "origin", "source", "uri", "licence")
_HASHES = ("chunk_id", "doc_id", "text_id")
_ROW_CHECKS = ("quote_check", "sentence_check", "row_check")
_CHECK_BYTES = 4
_SALT_BYTES = 16

T = TypeVar("T")
Keys = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a bundle says; nothing of it is proven yet."""

    seq: int
    """Entry of the log about the citation."""
    span: Row
    """The row of the citation, complete."""
    quote: str
    sentence: str
    row_check: str
    quote_check: str
    sentence_check: str
    path: tuple[bytes, ...]
    head: TreeHead
    origin: str
    signed_at: str
    signature: bytes
    signer_check: str
    keys: Keys
    """Each public key with the signature of the one before it, from the first to the one that signed.

    Empty when the first key signed.
    """


def check_of(digest: object) -> str:
    """Shorten a hash in hex to what tells a changed part from a sound one."""
    return str(digest)[: 2 * _CHECK_BYTES]


def pack(bundle: Bundle) -> bytes:
    """Write a bundle."""
    span, head = bundle.span, bundle.head
    row: dict[str, Any] = {name: span[name] for name in _PLAIN_TEXTS}
    row |= {name: span[name] for name in ("ordinal", "score", "a_start", "d_start")}
    names = [n for n in _HASHES if n != "text_id" or span["text_id"] != span["doc_id"]]
    hashes = [str(span[name]) for name in (*names, "salt")]
    hashes += [bundle.quote_check, bundle.sentence_check, bundle.row_check]
    row["hashes"] = encode64(bytes.fromhex("".join(hashes)))
    if (span["src_start"], span["src_end"]) != (span["d_start"], span["d_end"]):
        row["src"] = [span["src_start"], span["src_end"]]
    fields: dict[str, Any] = {"format": FORMAT, "seq": bundle.seq, "row": row}
    fields |= {"quote": bundle.quote, "path": encode64(b"".join(bundle.path))}
    fields["head"] = {
        "size": head.size,
        "hashes": encode64(bytes.fromhex(head.root + head.chain + bundle.signer_check)),
        "origin": bundle.origin,
        "signed_at": bundle.signed_at,
        "sig": encode64(bundle.signature),
    }
    if bundle.keys:
        fields["keys"] = key_pairs(bundle.keys)
    if bundle.sentence != bundle.quote:
        fields["sentence"] = bundle.sentence
    return canonical_json(fields)


def unpack(data: bytes) -> Bundle:
    """Read a bundle; CorruptError says what is not as it was written."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise CorruptError(f"has more than {MAX_BUNDLE_BYTES} bytes", item=FORM)
    fields = read_canonical(data, FORM)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise CorruptError(f"is not a {FORMAT} file", item=FORM)
    bundle = _read(fields)
    if pack(bundle) != data:
        raise CorruptError("has fields that do not belong to it", item=FORM)
    return bundle


def key_pairs(keys: Keys) -> list[list[str]]:
    """Give endorsed keys as JSON."""
    return [[encode64(key), encode64(signature)] for key, signature in keys]


def read_keys(pairs: object) -> Keys:
    """Read endorsed keys from JSON; there is at least one."""
    if not isinstance(pairs, list) or not pairs:
        raise CorruptError("has no keys", item=FORM)
    found = []
    for number, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            raise CorruptError("keys are not pairs of key and signature", item=FORM)
        key = decode64(pair[0], KEY_BYTES, f"{FORM}/keys")
        size = SIGNATURE_BYTES if number else 0
        found.append((key, decode64(pair[1], size, f"{FORM}/keys")))
    return tuple(found)


def _read(fields: Mapping[str, Any]) -> Bundle:
    quote, head = _take(fields, "quote", str), _take(fields, "head", dict)
    sentence = _take(fields, "sentence", str) if "sentence" in fields else quote
    row = _take(fields, "row", dict)
    hashes = _row_hashes(_take(row, "hashes", str))
    checks = {name: hashes.pop(name) for name in _ROW_CHECKS}
    root, chain, signer = _pieces(head, (HASH_BYTES, HASH_BYTES, _CHECK_BYTES))
    path = decode64(fields.get("path"), None, f"{FORM}/path")
    return Bundle(
        seq=_number(fields, "seq"),
        span={**_span(row, quote.encode(), sentence.encode()), **hashes},
        quote=quote,
        sentence=sentence,
        **checks,
        path=tuple(path[at : at + HASH_BYTES] for at in range(0, len(path), HASH_BYTES)),
        head=TreeHead(size=_number(head, "size"), root=root, chain=chain),
        origin=_take(head, "origin", str),
        signed_at=_take(head, "signed_at", str),
        signature=decode64(head.get("sig"), SIGNATURE_BYTES, f"{FORM}/sig"),
        signer_check=signer,
        keys=read_keys(fields["keys"]) if "keys" in fields else (),
    )


def _span(row: Mapping[str, Any], quote: bytes, sentence: bytes) -> Row:
    span: Row = {name: _take(row, name, str) for name in _PLAIN_TEXTS}
    span |= {name: _number(row, name) for name in ("ordinal", "a_start", "d_start")}
    span["score"] = _take(row, "score", float)
    span["d_end"] = _number(row, "d_start") + len(quote)
    span["a_end"] = _number(row, "a_start") + len(sentence)
    src = _take(row, "src", list) if "src" in row else [span["d_start"], span["d_end"]]
    if len(src) != 2 or not all(value is None or _is_number(value) for value in src):
        raise CorruptError("src is not a range", item=FORM)
    span["src_start"], span["src_end"] = src
    return span | {"quote_sha256": sha256_hex(quote), "a_sha256": sha256_hex(sentence)}


def _row_hashes(text: str) -> dict[str, str]:
    sizes = {"chunk_id": HASH_BYTES, "doc_id": HASH_BYTES, "text_id": HASH_BYTES}
    sizes |= {"salt": _SALT_BYTES, **dict.fromkeys(_ROW_CHECKS, _CHECK_BYTES)}
    short = decode64(text, None, f"{FORM}/row/hashes")
    if len(short) == sum(sizes.values()) - HASH_BYTES:
        del sizes["text_id"]
    found = dict(zip(sizes, _pieces({"hashes": text}, tuple(sizes.values())), strict=True))
    return {"text_id": found["doc_id"], **found}


def _pieces(fields: Mapping[str, Any], sizes: tuple[int, ...]) -> list[str]:
    """Cut the hashes that are written together, as hex."""
    data = decode64(fields.get("hashes"), sum(sizes), f"{FORM}/hashes")
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return [data[at : at + size].hex() for at, size in zip(starts, sizes, strict=True)]


def _take(fields: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = fields.get(name)
    if type(value) is not kind:
        raise CorruptError(f"{name} is not a {kind.__name__}", item=FORM)
    return value


def _number(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if not _is_number(value):
        raise CorruptError(f"{name} is not a number from 0 to 2^53", item=FORM)
    return int(str(value))


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_NUMBER
