"""How often the licence found in a text is the true one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storage.records import UNKNOWN_LICENCE
from tasks.provenance.licences.detection import find_licence, normalise
from tasks.provenance.licences.names import spdx
from tasks.provenance.share import Share, share


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """n documents of one true licence for which one expression was found."""

    truth: str
    found: str
    evidence: str
    n: int


@dataclass(frozen=True, kw_only=True)
class LicenceScores:
    """Scores of licence detection from the text alone, and with the licence declared."""

    n: int
    """Rows read."""
    n_with_licence: int
    """Rows whose true licence is known; all shares are over these."""
    with_header: Share
    """Right, of the documents that carry a licence header: the bar is .95."""
    accuracy: Share
    """Right, of all documents: those that name no licence cannot be right."""
    claims: Share
    """Right, of the documents for which a licence was found: 1 minus the false claims."""
    declared: Share
    """Right, of all documents, when the row's licence is handed over as declared."""
    confusion: tuple[Confusion, ...]
    """Most frequent first; NOASSERTION means that none was found."""
    refused: tuple[str, ...]
    """Rows that cannot be used, with the reason."""


@dataclass(frozen=True)
class _Judged:
    truth: str
    found: str
    evidence: str
    has_header: bool
    declared: str


def evaluate_licences(rows: Iterable[Mapping[str, object]]) -> LicenceScores:
    """Judge find_licence on rows {text, license} and optionally {id, license_header}."""
    judged: list[_Judged] = []
    refused: list[str] = []
    n = 0
    for n, row in enumerate(rows, start=1):
        problem = _problem(row)
        if problem:
            refused.append(f"row {n} ({row.get('id', '')}): {problem}")
        else:
            judged.append(_judge(row))
    headed = [case for case in judged if case.has_header]
    claimed = [case for case in judged if case.found != UNKNOWN_LICENCE]
    return LicenceScores(
        n=n,
        n_with_licence=len(judged),
        with_header=_right(headed),
        accuracy=_right(judged),
        claims=_right(claimed),
        declared=share(sum(_same(case.declared, case.truth) for case in judged), len(judged)),
        confusion=_confusion(judged),
        refused=tuple(refused),
    )


def _problem(row: Mapping[str, object]) -> str:
    if not isinstance(row.get("text"), str) or not row["text"]:
        return "no text"
    truth = row.get("license")
    if not isinstance(truth, str) or not truth:
        return "no licence to compare with"
    if normalise(truth) == UNKNOWN_LICENCE:
        return f"licence {truth!r} is no SPDX expression"
    return ""


def _judge(row: Mapping[str, object]) -> _Judged:
    text, truth = str(row["text"]), str(row["license"])
    found = find_licence("", "none", text)
    return _Judged(
        truth=normalise(truth),
        found=found.expression,
        evidence=found.evidence,
        has_header=bool(row.get("license_header")),
        declared=find_licence(truth, "declared", text).expression,
    )


def _same(found: str, truth: str) -> bool:
    """Compare as expressions: "MIT OR ISC" is "ISC OR MIT"."""
    if found == truth:
        return True
    return found != UNKNOWN_LICENCE and bool(spdx().is_equivalent(found, truth))


def _right(cases: list[_Judged]) -> Share:
    return share(sum(_same(case.found, case.truth) for case in cases), len(cases))


def _confusion(judged: list[_Judged]) -> tuple[Confusion, ...]:
    counts = Counter((case.truth, case.found, case.evidence) for case in judged)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Confusion(truth=truth, found=found, evidence=evidence, n=n)
        for (truth, found, evidence), n in ranked
    )
