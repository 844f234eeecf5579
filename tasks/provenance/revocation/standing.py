"""Whether a source, a document or a licence was revoked: said wherever it is asked for."""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.home import Home
from storage.revoked import revoked_by
from tasks.provenance.revocation.scope import parse_scope

_WORDS: dict[str, tuple[str, str]] = {
    "planned": ("revocation planned", "已计划撤销"),
    "running": ("revocation not finished, run it again", "撤销未完成，请再次运行"),
    "failed": ("revocation failed, run it again", "撤销失败，请再次运行"),
    "done": ("revoked", "已撤销"),
    "certificate": ("certificate", "证书"),
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One revocation that names a node."""

    revocation_id: str
    scope: str
    state: str
    reason: str
    requested_by: str
    done_at: str


def revocations_of(home: Home, node: str) -> tuple[Standing, ...]:
    """Give the revocations of a node, oldest first; of a document also those that took it along."""
    scope = parse_scope(node)
    along = revoked_by(home.ledger_url, scope.value) if scope.kind == "doc" else ()
    return tuple(
        Standing(
            revocation_id=one.revocation_id,
            scope=one.scope,
            state=one.state,
            reason=one.reason,
            requested_by=one.requested_by,
            done_at=one.done_at,
        )
        for one in home.revocations.list()
        if one.scope == str(scope) or f"revocation:{one.revocation_id}" in along
    )


def render_standing(found: Iterable[Standing], lang: str = "en") -> str:
    """Say each revocation in one line, in English or Chinese; "" for none."""
    return "\n".join(_line(one, 1 if lang == "zh" else 0) for one in found)


def _line(one: Standing, column: int) -> str:
    said = f"{_WORDS[one.state][column]} · {one.scope} · {one.reason} · {one.requested_by}"
    if one.state != "done":
        return said
    command = f"suyuan export certificate {one.revocation_id}"
    return f"{said} · {one.done_at[:19]} · {_WORDS['certificate'][column]}: {command}"
