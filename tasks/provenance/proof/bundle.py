"""Proof bundles: one citation that anyone can check offline, with the file and a public key alone."""

from pathlib import Path

from storage.attest import Keyring, endorsements, recorded_keys
from storage.digest import canonical_json, sha256_hex
from storage.dsse import decode64, public_key_of, read_canonical
from storage.errors import CorruptError, InputError, MissingError, NotFoundError
from storage.files import explained
from storage.home import Home
from storage.ledger_schema import Row, hash_row
from storage.records import Answer, Citation
from storage.transparency import SignedHead, Tree, read_head_file
from tasks.provenance.proof.bundle_check import BundleReport, verify_bundle
from tasks.provenance.proof.bundle_format import FORMAT, MAX_BUNDLE_BYTES, Bundle, check_of, pack
from tasks.provenance.proof.signed_files import SignedReport, verify_signed

__all__ = ["BundleReport", "keyring_of", "make_bundle", "verify_bundle", "verify_file"]


def keyring_of(home: Home) -> Keyring:
    """Give the signing keys of a home."""
    return Keyring(home.root / "keys")


def make_bundle(home: Home, answer_id: str, ordinal: int) -> bytes:
    """Write the proof of one citation of an answer (ordinal counts from 0).

    The head that was signed last serves where it covers the citation; else a new one is signed.
    """
    answer = home.ledger.answer(answer_id)
    citation, item = _citation(answer, ordinal), f"answer:{answer.answer_id}#{ordinal + 1}"
    quote = home.blobs.get(citation.text_id)[citation.start : citation.end]
    sentence = answer.text.encode()[citation.a_start : citation.a_end]
    tree = Tree(home.ledger_url)
    seq, span = _entry(home, tree, "answer_span", f"{answer.answer_id}|{ordinal}")
    signed = _signed_head(home, tree, seq)
    first = signed.envelope["signatures"][0]
    keys = endorsements(home.ledger_url, first["keyid"])
    bundle = Bundle(
        seq=seq,
        span=span,
        quote=_text(quote, citation.quote_sha256, "quote", item),
        sentence=_text(sentence, citation.a_sha256, "sentence", item),
        row_check=check_of(hash_row(span)),
        quote_check=check_of(citation.quote_sha256),
        sentence_check=check_of(citation.a_sha256),
        path=tuple(tree.inclusion(seq, signed.head.size)),
        head=signed.head,
        origin=signed.origin,
        signed_at=signed.signed_at,
        signature=decode64(first["sig"], None, "head"),
        signer_check=check_of(first["keyid"]),
        keys=keys if len(keys) > 1 else (),
    )
    data = pack(bundle)
    report = verify_bundle(data, keys[0][0])
    if report.problems:
        problem = report.problems[0]
        way_out = "`suyuan verify --all` names what was changed"
        raise CorruptError(problem.reason, item=problem.node, way_out=way_out)
    return data


def verify_file(path: Path, key: str) -> BundleReport | SignedReport:
    """Check a proof bundle, or another signed file, with a public key: base64, or a file of it."""
    with explained(str(path)):
        data = path.read_bytes()
    public_key = read_public_key(key)
    if len(data) <= MAX_BUNDLE_BYTES and _format_of(data) == FORMAT:
        return verify_bundle(data, public_key)
    return verify_signed(data, public_key)


def read_public_key(key: str) -> bytes:
    """Read a public key from base64 or from a file that holds it."""
    if not key:
        way_out = "Give the public key of who signed, obtained separately"
        raise InputError("no public key is given", item="public key", way_out=way_out)
    path = Path(key)
    if len(key) < 1_000 and path.is_file():
        with explained(key):
            return public_key_of(path.read_text("ascii", "replace"), key)
    return public_key_of(key)


def _format_of(data: bytes) -> object:
    try:
        fields = read_canonical(data, "file")
    except CorruptError:
        return FORMAT if b'"suyuan-proof/' in data else None  # the check says what is wrong with it
    return fields.get("format") if isinstance(fields, dict) else None


def _citation(answer: Answer, ordinal: int) -> Citation:
    item = f"answer:{answer.answer_id}"
    if answer.state == "erased":
        raise MissingError("was erased, so it can no longer be proven", item=item)
    if not 0 <= ordinal < len(answer.citations):
        count = len(answer.citations)
        raise NotFoundError(f"has {count} citations, no number {ordinal + 1}", item=item)
    return answer.citations[ordinal]


def _entry(home: Home, tree: Tree, kind: str, key: str) -> tuple[int, Row]:
    row = home.ledger.get(kind, key)
    seq, row_hash = tree.find(kind, key)
    if row is None or hash_row(row) != row_hash:
        way_out = "`suyuan verify --all` names what was changed"
        raise CorruptError(
            "is not the row last logged", item=f"ledger:{kind}/{key}", way_out=way_out
        )
    return seq, row


def _text(data: bytes, sha256: str, which: str, item: str) -> str:
    if sha256_hex(data) != sha256:
        raise CorruptError(f"the {which} has another hash than the one recorded", item=item)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CorruptError(f"the {which} is no whole characters", item=item) from error


def _signed_head(home: Home, tree: Tree, seq: int) -> SignedHead:
    signed = tree.signed_head()
    if signed is not None and signed.head.size >= seq:
        return signed
    envelope = tree.sign_head(keyring_of(home))
    return read_head_file(envelope, [key.public_key for key in recorded_keys(home.ledger_url)])


def head_bytes(home: Home) -> bytes:
    """Sign the head of the log as it is now, as a file to keep elsewhere."""
    return canonical_json(Tree(home.ledger_url).sign_head(keyring_of(home)))
