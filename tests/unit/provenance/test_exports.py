"""What is exported is valid by each standard's own rules, and says what the ledger says."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from storage.errors import InputError, NotFoundError
from storage.snapshots import record_snapshot
from tasks.provenance.exports.formats import export, export_bytes, write_export
from tasks.provenance.exports.openlineage import run_events, run_uuid, send, write_events
from tasks.provenance.proof.bundle import verify_file
from tests.exported_home import home_with_model
from tests.fakes import new_home, put_documents
from tests.stored_home import CASES

SPEC = Path(os.environ.get("SUYUAN_DATA", "../shared/data")) / "openlineage-spec"
ANSWER, MODEL = "answer:01ANSWER", "model:tiny@1"
SNAPSHOTS = ["snap:documents@1", "snap:chunks@1"]

RELATIONS = {
    "wasGeneratedBy": {"prov:entity": "entity", "prov:activity": "activity"},
    "used": {"prov:activity": "activity", "prov:entity": "entity"},
    "wasDerivedFrom": {"prov:generatedEntity": "entity", "prov:usedEntity": "entity"},
    "wasAttributedTo": {"prov:entity": "entity", "prov:agent": "agent"},
    "wasAssociatedWith": {"prov:activity": "activity", "prov:agent": "agent"},
    "wasInformedBy": {"prov:informed": "activity", "prov:informant": "activity"},
}


@pytest.fixture(scope="module")
def home():
    with tempfile.TemporaryDirectory() as folder:
        yield home_with_model(Path(folder))


def check_prov(document):
    """The structure of the PROV-JSON submission: known parts, declared prefixes, defined ends."""
    assert set(document) <= {"prefix", "entity", "activity", "agent", *RELATIONS}
    for part in ("entity", "activity", "agent"):
        for name, attributes in document.get(part, {}).items():
            assert name.partition(":")[0] in document["prefix"]
            check_attributes(attributes, document["prefix"])
    for relation, ends in RELATIONS.items():
        for name, attributes in document.get(relation, {}).items():
            assert name.startswith("_:")
            for end, part in ends.items():
                assert attributes[end] in document[part], (relation, attributes)
            check_attributes(attributes, document["prefix"])


def check_attributes(attributes, prefixes):
    for name, value in attributes.items():
        assert name.partition(":")[0] in {*prefixes, "prov"}
        assert isinstance(value, str) or set(value) == {"$", "type"}


@pytest.mark.parametrize("node", [ANSWER, MODEL, *SNAPSHOTS])
def test_prov_has_the_structure_of_prov_json(home, node):
    document = export(home, node, "prov")
    check_prov(json.loads(json.dumps(document)))
    assert node in document["entity"]
    assert list(document["activity"]) == ["run:r1"]


def test_prov_of_an_answer_has_each_citation_with_its_bytes(home):
    document = export(home, ANSWER, "prov")
    quotations = [
        relation
        for relation in document["wasDerivedFrom"].values()
        if relation.get("prov:type") == {"$": "prov:Quotation", "type": "prov:QUALIFIED_NAME"}
    ]
    places = {(q["suyuan:start"]["$"], q["suyuan:end"]["$"]) for q in quotations}
    expected = {(str(c.start), str(c.end)) for c in home.ledger.answer("01ANSWER").citations}
    assert (len(quotations), places) == (len(CASES), expected)
    assert document["agent"]["agent:Elements%20Inc."] == {"prov:label": "Elements Inc."}


@pytest.fixture(scope="module")
def validators():
    """Each schema of the specification by its $id, resolved from files, never from the network."""
    if not SPEC.is_dir():
        pytest.skip(f"the OpenLineage schemas are not in {SPEC}")
    from jsonschema import Draft202012Validator, FormatChecker
    from referencing import Registry, Resource

    schemas = [json.loads(path.read_text()) for path in SPEC.rglob("*.json")]
    registry = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in schemas)

    def validator(reference):
        return Draft202012Validator(
            {"$ref": reference}, registry=registry, format_checker=FormatChecker()
        )

    return validator


def check_event(event, validators):
    validators(event["schemaURL"]).validate(event)
    count = 0
    for dataset in [*event["inputs"], *event["outputs"]]:
        for name, facet in dataset["facets"].items():
            validators(facet["_schemaURL"]).validate({**facet})
            document = facet["_schemaURL"].partition("#")[0]
            validators(document).validate({name: facet})
            count += 1
    return count


@pytest.mark.parametrize("node", [ANSWER, MODEL, SNAPSHOTS[1], "run:r1"])
def test_openlineage_events_follow_the_published_schemas(home, validators, node):
    events = export(home, node, "openlineage")
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    assert sum(check_event(event, validators) for event in events) >= 2
    with pytest.raises(Exception, match="is not of type"):
        validators(events[0]["schemaURL"]).validate({**events[0], "eventTime": 7})


def test_openlineage_says_what_came_from_what(home):
    done = export(home, ANSWER, "openlineage")[-1]
    assert done["run"]["runId"] == run_uuid("r1")
    outputs = {dataset["name"]: dataset["facets"] for dataset in done["outputs"]}
    assert outputs["chunks"]["version"]["datasetVersion"].startswith("1-")
    assert [entry["name"] for entry in outputs["chunks"]["lineage"]["inputs"]] == ["documents"]
    fields = outputs["chunks"]["columnLineage"]["fields"]
    assert fields["text"]["inputFields"][0]["field"] == "text_id"
    assert {d["name"] for d in done["inputs"]} == {
        f"doc/{c.doc_id}" for c in home.ledger.answer("01ANSWER").citations
    }


def test_the_run_that_fetched_a_cited_document_is_told_though_no_snapshot_names_it(home, tmp_path):
    answer = home.ledger.answer("01ANSWER")
    cited, later = answer.citations[0], new_home(tmp_path)
    later.ledger.start_run("r0", "ingest", {})
    later.ledger.add_source(cited.source)
    place = {"doc_id": cited.doc_id, "source": cited.source, "uri": cited.uri}
    later.ledger.add_documents([{**place, "run_id": "r0"}])
    later.ledger.add_answer(answer)
    made = export(later, ANSWER, "prov")["wasGeneratedBy"].values()
    assert {"prov:entity": f"doc:{cited.doc_id}", "prov:activity": "run:r0"} in list(made)
    assert export(later, ANSWER, "openlineage")[0]["job"]["name"] == "ingest"


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A home of three ingest runs, the last of which made the index; gives it and the index."""
    home = new_home(tmp_path_factory.mktemp("grown"))
    home.ledger.add_source("s")
    for number in (1, 2, 3):
        home.ledger.start_run(f"r{number}", "ingest", {})
        put_documents(home, {f"file:///{number}": f"text {number}"}, source="s")
        snapshot = record_snapshot(home, "documents", f"r{number}").node
        home.ledger.derive(snapshot, ["source:s"], "hadMember")
        home.ledger.finish_run(f"r{number}", "finished")
    home.ledger.start_run("r4", "index", {})
    home.ledger.derive("index:i", [snapshot], "wasDerivedFrom")
    home.ledger.add_artifact("index:i", "index", "/i", "i", "r4")
    return home


@pytest.mark.parametrize("node", ["index:i", "snap:documents@3"])
def test_all_runs_behind_an_index_or_a_snapshot_are_told(grown, node):
    ingests = {"run:r1", "run:r2", "run:r3"}
    document = export(grown, node, "prov")
    check_prov(document)
    assert ingests <= set(document["activity"])
    revisions = [
        (one["prov:generatedEntity"], one["prov:usedEntity"])
        for one in document["wasDerivedFrom"].values()
        if one.get("prov:type", {}).get("$") == "prov:Revision"
    ]
    assert revisions == [
        ("snap:documents@2", "snap:documents@1"),
        ("snap:documents@3", "snap:documents@2"),
    ]
    events = export(grown, node, "openlineage")
    assert {run_uuid(f"r{n}") for n in (1, 2, 3)} <= {event["run"]["runId"] for event in events}
    outputs = [one for event in events for one in event.get("outputs", [])]
    inputs = {name["name"] for one in outputs for name in one["facets"]["lineage"]["inputs"]}
    assert inputs <= {"source/s", "documents"}
    own = [one["facets"]["lineage"]["inputs"] for one in outputs if one["name"] == "documents"]
    assert [[name["name"] for name in found] for found in own] == [["source/s"]] * 3


def test_an_index_holds_the_documents_of_its_own_snapshot_only(grown):
    packages = export(grown, "index:i", "spdx")["packages"]
    names = [one["sourceInfo"] for one in packages if "sourceInfo" in one]
    assert sorted(names) == ["file:///1", "file:///2", "file:///3"]


def test_the_list_of_licences_is_loaded_once_for_all_documents(grown, monkeypatch):
    export(grown, "index:i", "spdx")  # loads it, and so does the validator when it is imported
    loaded = []
    monkeypatch.setattr("license_expression.get_license_index", loaded.append)
    put_documents(grown, {"file:///4": "text 4"}, source="s", licence="MIT AND LicenseRef-Own")
    node = record_snapshot(grown, "documents", "r4").node
    (own,) = export(grown, node, "spdx")["hasExtractedLicensingInfos"]
    assert (own["licenseId"], loaded) == ("LicenseRef-Own", [])


def test_openlineage_events_are_written_as_lines(home, tmp_path):
    path = tmp_path / "out" / "events.jsonl"
    assert write_events(run_events(home, ANSWER), path) == 2
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == export(home, ANSWER, "openlineage")
    assert list(path.parent.iterdir()) == [path]


def test_events_are_sent_only_to_a_url_that_is_given(home):
    with pytest.raises(InputError, match="no http URL"):
        send(run_events(home, ANSWER), "")


def test_a_run_id_that_is_a_uuid_stays_as_it_is():
    name = "3c0fde2a-5c95-4cb8-b1c6-08d338accaf3"
    assert run_uuid(name) == name
    assert run_uuid("r1") == run_uuid("r1") != run_uuid("r2")


@pytest.mark.parametrize("kind", ["prov", "openlineage", "croissant", "spdx"])
@pytest.mark.parametrize(
    ("node", "error"),
    [
        ("answer:none", NotFoundError),
        ("model:none@1", NotFoundError),
        ("snap:documents@99", NotFoundError),
        ("index:none", NotFoundError),
        ("nonsense", InputError),
        ("", InputError),
        ("chunk:1", InputError),
    ],
)
def test_what_is_not_there_is_not_exported(home, kind, node, error):
    with pytest.raises(error):
        export(home, node, kind)


@pytest.mark.parametrize(
    ("kind", "node"),
    [
        ("croissant", ANSWER),
        ("spdx", "run:r1"),
        ("nothing", ANSWER),
        ("proof", ANSWER),
        ("proof", f"{ANSWER}#0"),
        ("proof", f"{ANSWER}#x"),
        ("proof", "#1"),
    ],
)
def test_a_format_that_does_not_fit_is_refused(home, kind, node):
    with pytest.raises(InputError):
        export_bytes(home, kind, node)


def test_a_proof_and_its_key_are_written_and_checked(home, tmp_path):
    proof, key = tmp_path / "proof.json", tmp_path / "key.pub"
    write_export(home, "proof", f"{ANSWER}#2", proof)
    write_export(home, "key", "", key)
    report = verify_file(proof, str(key))
    assert (report.ok, report.number, report.quote) == (True, 2, "Fish & 水.")
    head = tmp_path / "head.json"
    write_export(home, "head", "", head)
    assert verify_file(head, str(key)).ok


def test_dates_are_those_of_the_ledger(home):
    run = home.ledger.get("run", "r1")
    assert export(home, ANSWER, "openlineage")[0]["eventTime"] == run["started_at"]
