"""SPDX 2.3: the documents behind a node as packages, with their licence expressions as recorded."""

import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from storage.digest import sha256_hex
from storage.errors import InputError
from storage.home import Home
from storage.records import UNKNOWN_LICENCE
from tasks.provenance.exports.lineage import Used, lineage_of, row_of, used_documents

if TYPE_CHECKING:
    from spdx_tools.spdx.model import Document, Package, Relationship

_ROOT = "SPDXRef-DOCUMENT"
_SUBJECT = "SPDXRef-Subject"


def export_spdx(home: Home, node: str) -> dict[str, Any]:
    """Give an SPDX 2.3 document of what a node uses; it passes the validator of spdx-tools."""
    document = spdx_document(home, node)
    from spdx_tools.spdx.writer.json import json_writer

    _refuse_invalid(document, node)
    stream = io.StringIO()
    json_writer.write_document_to_stream(document, stream, validate=False)
    return json.loads(stream.getvalue())


def spdx_document(home: Home, node: str) -> "Document":
    """Build the document: the node describes itself, contains documents, which come from sources."""
    lineage = lineage_of(home, node)
    used = list(used_documents(home, node))
    from spdx_tools.spdx.model import Actor, ActorType, CreationInfo, Document

    sources = sorted({one.source for one in used})
    packages = [_subject(node, lineage.rows[node]), *(_source(home, name) for name in sources)]
    packages += [_package(one) for one in used]
    content = sha256_hex(json.dumps([node, *map(repr, used)]).encode())
    info = CreationInfo(
        spdx_version="SPDX-2.3",
        spdx_id=_ROOT,
        name=node,
        document_namespace=f"urn:suyuan:spdx:{content}",
        creators=[Actor(ActorType.TOOL, "suyuan")],
        created=datetime.now(UTC).replace(microsecond=0, tzinfo=None),
    )
    return Document(
        creation_info=info,
        packages=packages,
        relationships=list(_relationships(used, sources)),
        extracted_licensing_info=list(_own_licences(used)),
    )


def _refuse_invalid(document: "Document", node: str) -> None:
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    problems = validate_full_spdx_document(document)
    if problems:
        raise InputError(problems[0].validation_message, item=node, way_out="Correct the record")


def _subject(node: str, row: Any) -> "Package":
    from spdx_tools.spdx.model import Package, SpdxNoAssertion

    return Package(
        spdx_id=_SUBJECT,
        name=node,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        checksums=_checksums(str(row.get("sha256") or "")),
        license_concluded=SpdxNoAssertion(),
        license_declared=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
    )


def _source(home: Home, name: str) -> "Package":
    from spdx_tools.spdx.model import Actor, ActorType, Package, SpdxNoAssertion

    row = row_of(home, f"source:{name}") or {}
    publisher = str(row.get("publisher") or "")
    return Package(
        spdx_id=_reference("Source", name),
        name=f"source:{name}",
        download_location=SpdxNoAssertion(),
        supplier=Actor(ActorType.ORGANIZATION, publisher) if publisher else SpdxNoAssertion(),
        files_analyzed=False,
        license_concluded=SpdxNoAssertion(),
        license_declared=_licence(str(row.get("licence") or UNKNOWN_LICENCE)),
        copyright_text=SpdxNoAssertion(),
        comment=str(row.get("uri") or "") or None,
    )


def _package(used: Used) -> "Package":
    from spdx_tools.spdx.model import Package, SpdxNoAssertion

    return Package(
        spdx_id=_place(used),
        name=used.title or used.uri or used.doc_id,
        version=str(used.version),
        download_location=SpdxNoAssertion(),
        source_info=used.uri or None,
        files_analyzed=False,
        checksums=_checksums(used.doc_id),
        license_concluded=SpdxNoAssertion(),
        license_declared=_licence(used.licence),
        copyright_text=SpdxNoAssertion(),
    )


def _relationships(used: Iterable[Used], sources: Iterable[str]) -> Iterator["Relationship"]:
    from spdx_tools.spdx.model import Relationship, RelationshipType

    yield Relationship(_ROOT, RelationshipType.DESCRIBES, _SUBJECT)
    for one in used:
        place = _place(one)
        yield Relationship(_SUBJECT, RelationshipType.DEPENDS_ON, place)
        yield Relationship(_reference("Source", one.source), RelationshipType.CONTAINS, place)
    for name in sources:
        yield Relationship(_SUBJECT, RelationshipType.DEPENDS_ON, _reference("Source", name))


def _own_licences(used: Iterable[Used]) -> Iterator[Any]:
    """Declare the licences that SPDX does not list, as it wants each LicenseRef- declared."""
    from spdx_tools.spdx.model import ExtractedLicensingInfo

    symbols = {
        str(symbol)
        for one in used
        if one.licence not in {UNKNOWN_LICENCE, "NONE", ""}
        for symbol in _symbols(one.licence)
    }
    for name in sorted(name for name in symbols if name.startswith("LicenseRef-")):
        yield ExtractedLicensingInfo(
            license_id=name, extracted_text="The text is in the document.", license_name=name
        )


def _symbols(expression: str) -> Iterable[Any]:
    licence = _licence(expression)
    return licence.symbols if hasattr(licence, "symbols") else ()


def _licence(expression: str) -> Any:
    """Give an expression as recorded; unknown stays unknown."""
    from license_expression import ExpressionError
    from spdx_tools.spdx.model import SpdxNoAssertion, SpdxNone

    from tasks.provenance.licences.names import spdx

    if expression in {UNKNOWN_LICENCE, ""}:
        return SpdxNoAssertion()
    if expression == "NONE":
        return SpdxNone()
    try:
        return spdx().parse(expression)
    except ExpressionError as error:
        raise InputError("is no SPDX expression", item=expression) from error


def _checksums(sha256: str) -> list[Any]:
    from spdx_tools.spdx.model import Checksum, ChecksumAlgorithm

    return [Checksum(ChecksumAlgorithm.SHA256, sha256)] if len(sha256) == 64 else []


def _place(used: Used) -> str:
    return _reference("Document", f"{used.doc_id}\n{used.source}\n{used.uri}")


def _reference(kind: str, name: str) -> str:
    return f"SPDXRef-{kind}-{sha256_hex(name.encode())[:32]}"
