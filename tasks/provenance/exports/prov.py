"""W3C PROV-JSON (member submission of 24 April 2013): entities, activities, agents and relations."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from storage.home import Home
from storage.ledger import Edge
from storage.snapshots import REVISION
from tasks.provenance.exports.lineage import KINDS, Lineage, kind_of, lineage_of

SOFTWARE = "agent:suyuan"

_KINDS = ("doc", *KINDS)
_DERIVATIONS = {"quoted": "prov:Quotation", "from": "prov:PrimarySource", REVISION: "prov:Revision"}
_SHOWN = ("title", "uri", "licence", "sha256", "kind", "status", "generator", "n_bytes", "trust")
_SHOWN_OF_RUN = ("flow", "state", "mlflow_run_id", "prefect_run_id")

Value = dict[str, Any]


def export_prov(home: Home, node: str) -> Value:
    """Give the lineage of an answer, a model, a snapshot or an index as PROV-JSON."""
    lineage = lineage_of(home, node)
    document: defaultdict[str, Value] = defaultdict(dict)
    document["prefix"] = {kind: f"urn:suyuan:{kind}:" for kind in (*_KINDS, "agent", "suyuan")}
    document["agent"][SOFTWARE] = {"prov:type": _name("prov:SoftwareAgent")}
    for name, row in lineage.rows.items():
        _describe(document, name, row)
    cited = _citations(home, lineage) if kind_of(node) == "answer" else []
    for edge in lineage.edges:
        if not (cited and edge.dst == node and kind_of(edge.src) == "doc"):
            _relate(document, edge)
    for attributes in cited:
        _add(document, "wasDerivedFrom", attributes)
    return dict(document)


def _describe(document: Mapping[str, Value], node: str, row: Mapping[str, Any]) -> None:
    name = identifier(node)
    if kind_of(node) == "run":
        times = {"prov:startTime": row.get("started_at"), "prov:endTime": row.get("finished_at")}
        facts = {f"suyuan:{key}": row[key] for key in _SHOWN_OF_RUN if row.get(key)}
        document["activity"][name] = {key: value for key, value in times.items() if value} | facts
        _add(document, "wasAssociatedWith", {"prov:activity": name, "prov:agent": SOFTWARE})
        return
    facts = {f"suyuan:{key}": _value(row[key]) for key in _SHOWN if row.get(key)}
    document["entity"][name] = {"prov:type": _name(f"suyuan:{kind_of(node)}")} | facts
    if row.get("publisher"):
        agent = f"agent:{quote(str(row['publisher']), safe='')}"
        document["agent"][agent] = {"prov:label": str(row["publisher"])}
        _add(document, "wasAttributedTo", {"prov:entity": name, "prov:agent": agent})


def _relate(document: Mapping[str, Value], edge: Edge) -> None:
    made, came = identifier(edge.dst), identifier(edge.src)
    ends = (kind_of(edge.dst) == "run", kind_of(edge.src) == "run")
    if ends == (True, True):
        informed = {"prov:informed": made, "prov:informant": came}
        _add(document, "wasInformedBy", informed)
    elif ends == (True, False):
        _add(document, "used", {"prov:activity": made, "prov:entity": came})
    elif ends == (False, True):
        _add(document, "wasGeneratedBy", {"prov:entity": made, "prov:activity": came})
    else:
        derived: Value = {"prov:generatedEntity": made, "prov:usedEntity": came}
        derived["suyuan:relation"] = edge.rel
        if edge.rel in _DERIVATIONS:
            derived["prov:type"] = _name(_DERIVATIONS[edge.rel])
        _add(document, "wasDerivedFrom", derived)


def _citations(home: Home, lineage: Lineage) -> list[Value]:
    """Give each citation of an answer as a derivation of its own, with the byte offsets."""
    return list(_derivations(home, lineage.node))


def _derivations(home: Home, node: str) -> Iterator[Value]:
    for citation in home.ledger.answer(node).citations:
        facts = {"answer_start": citation.a_start, "answer_end": citation.a_end}
        facts |= {"start": citation.start, "end": citation.end}
        shown: Value = {f"suyuan:{key}": _value(value) for key, value in facts.items()}
        shown |= {"suyuan:relation": citation.grade, "suyuan:licence": citation.licence}
        shown |= {"suyuan:quote_sha256": citation.quote_sha256}
        if citation.grade == "quoted":
            shown["prov:type"] = _name("prov:Quotation")
        ends = {"prov:generatedEntity": identifier(node)}
        yield {**ends, "prov:usedEntity": identifier(f"doc:{citation.doc_id}"), **shown}


def identifier(node: str) -> str:
    """Give a node as a qualified name."""
    kind, _, name = node.partition(":")
    return f"{kind if kind in _KINDS else 'suyuan'}:{quote(name, safe='@.-_~')}"


def _add(document: Mapping[str, Value], relation: str, attributes: Value) -> None:
    found = document[relation]
    found[f"_:{relation}{len(found) + 1}"] = attributes


def _name(qualified: str) -> Value:
    return {"$": qualified, "type": "prov:QUALIFIED_NAME"}


def _value(value: object) -> object:
    if isinstance(value, int):
        return {"$": str(value), "type": "xsd:long"}
    if isinstance(value, float):
        return {"$": repr(value), "type": "xsd:double"}
    return str(value)
