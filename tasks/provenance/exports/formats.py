"""Every export by its name: formats of lineage, proofs and keys, as the bytes of a file."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from storage.digest import canonical_json
from storage.dsse import encode64
from storage.errors import InputError
from storage.files import explained, write_atomic
from storage.home import Home
from tasks.provenance.proof.bundle import head_bytes, keyring_of, make_bundle


def export(home: Home, node: str, kind: str) -> dict[str, Any] | list[dict[str, Any]]:
    """Give the lineage of a node in a format: prov, openlineage, croissant or spdx."""
    return _find(_formats(), kind)(home, node)


def export_bytes(home: Home, kind: str, node: str) -> bytes:
    """Give an export as the bytes of a file.

    Besides the formats of lineage: `proof` of answer:ID#NUMBER, the signed `head` of the log, and
    the public `key` that checks both.
    """
    if kind == "key":
        return encode64(keyring_of(home).public_key()).encode() + b"\n"
    if kind == "head":
        return head_bytes(home)
    if kind == "proof":
        return make_bundle(home, *_citation(node))
    others = ("proof", "head", "key", "consistency", "certificate")
    value = _find(_formats(), kind, *others)(home, node)
    if isinstance(value, list):
        return b"".join(canonical_json(event) + b"\n" for event in value)
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"


def write_export(home: Home, kind: str, node: str, path: Path) -> int:
    """Write an export to a file, whole or not at all; give its size in bytes."""
    data = export_bytes(home, kind, node)
    with explained(str(path)):
        write_atomic(path, data)
    return len(data)


def _formats() -> Mapping[str, Callable[[Home, str], Any]]:
    from tasks.provenance.exports.croissant import export_croissant
    from tasks.provenance.exports.openlineage import export_openlineage
    from tasks.provenance.exports.prov import export_prov
    from tasks.provenance.exports.spdx import export_spdx

    return {
        "prov": export_prov,
        "openlineage": export_openlineage,
        "croissant": export_croissant,
        "spdx": export_spdx,
    }


def _find(
    formats: Mapping[str, Callable[[Home, str], Any]], kind: str, *others: str
) -> Callable[[Home, str], Any]:
    if kind not in formats:
        known = ", ".join((*formats, *others))
        raise InputError("is no format of export", item=kind, way_out=f"Give one of {known}")
    return formats[kind]


def _citation(node: str) -> tuple[str, int]:
    answer, _, number = node.removeprefix("answer:").partition("#")
    if not answer or not (number.isascii() and number.isdigit()) or int(number[:9]) < 1:
        way_out = "Give answer:ID#NUMBER; `suyuan why ID` lists the citations"
        raise InputError("names no citation", item=node, way_out=way_out)
    return answer, int(number) - 1
