"""The certificate of a revocation: a signed in-toto statement of what was removed and how that was proven."""

from collections.abc import Iterable, Mapping
from typing import Any

from storage.attest import recorded_keys, sign_statement
from storage.digest import canonical_json, sha256_hex
from storage.dsse import read_canonical, verify_statement
from storage.errors import CorruptError, MissingError, NotFoundError
from storage.home import Home
from tasks.provenance.revocation.work import Work, keyring

PREDICATE = "urn:suyuan:revocation:1"


def sign_certificate(work: Work) -> str:
    """Sign what the ledger says of the revocation; the envelope is canonical JSON."""
    found = work.home.revocations.get(work.revocation_id)
    steps = work.home.revocations.steps(work.revocation_id)
    head = work.home.ledger.head()
    predicate = {
        "revocation": work.node,
        "scope": found.scope,
        "reason": found.reason,
        "requested_by": found.requested_by,
        "requested_at": found.requested_at,
        "plan": dict(found.plan),
        "steps": [
            {"step": one.step, "finished_at": one.finished_at, "detail": dict(one.detail)}
            for one in steps
        ],
        "log": {"size": head.seq, "chain": head.chain},
    }
    keys = keyring(work.home)
    keys.register(work.home.ledger_url)
    subject = [
        {"name": found.scope, "digest": {"sha256": sha256_hex(canonical_json(dict(found.plan)))}},
        *({"name": f"doc:{doc}", "digest": {"sha256": doc}} for doc in found.plan["documents"]),
    ]
    return canonical_json(sign_statement(keys, subject, PREDICATE, predicate)).decode()


def verify_certificate(data: bytes, public_keys: Iterable[bytes]) -> dict[str, Any]:
    """Give what a certificate says; CorruptError when any byte of it is not as it was signed."""
    envelope = read_canonical(data, "certificate")
    if not isinstance(envelope, dict):
        raise CorruptError("is not a DSSE envelope", item="certificate")
    said = verify_statement(envelope, public_keys, PREDICATE)
    predicate: Mapping[str, Any] = said["predicate"]
    digest = sha256_hex(canonical_json(predicate["plan"]))
    if said["subject"][0] != {"name": predicate["scope"], "digest": {"sha256": digest}}:
        raise CorruptError("its subject is not its plan", item="certificate")
    return dict(predicate)


def certificate_file(home: Home, node: str) -> bytes:
    """Give the certificate of a revocation by its id, or of the last one of a scope, as a file.

    NotFoundError names the revocations that there are.
    """
    wanted = node.removeprefix("revocation:")
    known = home.revocations.list()
    found = [one for one in known if wanted in (one.revocation_id, one.scope)]
    if not found:
        names = ", ".join(f"{one.revocation_id} ({one.scope}, {one.state})" for one in known)
        raise NotFoundError(
            "no such revocation",
            item=f"revocation:{wanted}" if wanted else "certificate",
            way_out=f"There are: {names or 'none'}",
        )
    last = found[-1]
    if not last.certificate:
        raise MissingError(
            f"has no certificate yet, it is {last.state}",
            item=f"revocation:{last.revocation_id}",
            way_out=f"Run `suyuan revoke {last.scope} --execute` again",
        )
    certificate_of(home, last.revocation_id)
    return last.certificate.encode()


def certificate_of(home: Home, revocation_id: str) -> dict[str, Any]:
    """Read and verify the certificate that the ledger holds, against the keys it knows."""
    found = home.revocations.get(revocation_id)
    keys = [key.public_key for key in recorded_keys(home.ledger_url)]
    return verify_certificate(found.certificate.encode(), keys)
