"""A model in the ledger knows every document that it was trained on."""

import pytest

from storage.errors import ConflictError, InputError, NotFoundError
from storage.ledger import Ledger
from storage.models import ModelRecords
from storage.records import Exposure

SAMPLES = [
    Exposure(doc_id="d1", source="a", licence="MIT", n_samples=3, n_bytes=300),
    Exposure(doc_id="d2", source="a", licence="CC-BY-4.0", n_samples=1, n_bytes=200),
    Exposure(doc_id="d1", source="b", licence="MIT", n_samples=4, n_bytes=500),
]
FACTS = {"path": "/m", "sha256": "ab", "run_id": "r1", "trained_on": "snap:documents@3"}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(f"sqlite:///{tmp_path}/l.db")


@pytest.fixture
def models(ledger):
    return ModelRecords(ledger.url)


@pytest.fixture
def node(ledger):
    return ModelRecords(ledger.url).add(
        "tiny", "1", **FACTS, samples=iter(SAMPLES), base="model:zero@1"
    )


def test_a_model_comes_back_with_its_training_set(models, node):
    found = models.get(node)
    assert (node, found.trained_on, found.n_samples) == ("model:tiny@1", "snap:documents@3", 8)
    assert (found.status, found.run_id, found.sha256) == ("live", "r1", "ab")
    assert models.exposures(node) == sorted(SAMPLES, key=lambda s: (s.source, s.doc_id))
    assert models.list() == [found]


def test_a_model_leads_up_to_what_made_it(ledger, node):
    reached = {(edge.rel, edge.src) for edge in ledger.up(node)}
    assert reached == {
        ("trainedOn", "snap:documents@3"),
        ("wasDerivedFrom", "model:zero@1"),
        ("generated", "run:r1"),
    }


def test_the_same_model_again_adds_nothing(ledger, node):
    head = ledger.head()
    ModelRecords(ledger.url).add("tiny", "1", **FACTS, samples=SAMPLES, base="model:zero@1")
    assert ledger.head() == head
    assert ledger.verify() == []


def test_other_weights_under_the_same_name_are_refused(ledger, node):
    with pytest.raises(ConflictError, match="new version"):
        ModelRecords(ledger.url).add("tiny", "1", **{**FACTS, "sha256": "cd"}, samples=SAMPLES)


def test_exposures_given_in_pieces_add_up(ledger, models):
    node = ModelRecords(ledger.url).add("tiny", "2", **FACTS, samples=[SAMPLES[0], SAMPLES[0]])
    assert [(one.n_samples, one.n_bytes) for one in models.exposures(node)] == [(6, 600)]


def test_two_licences_of_one_document_are_refused_and_nothing_is_written(ledger, models):
    other = Exposure(doc_id="d1", source="a", licence="GPL-2.0-only", n_samples=1, n_bytes=1)
    with pytest.raises(InputError, match=r"d1 of a has two licences"):
        ModelRecords(ledger.url).add("tiny", "1", **FACTS, samples=[SAMPLES[0], other])
    assert set(ledger.counts().values()) == {0}


def test_shares_add_up_by_source_and_by_licence(models, node):
    shares = models.shares(node)
    assert [
        (s.name, s.n_documents, s.n_samples, s.share, s.share_bytes) for s in shares.by_source
    ] == [
        ("a", 2, 4, 0.5, 0.5),
        ("b", 1, 4, 0.5, 0.5),
    ]
    assert [(s.name, s.n_documents, s.n_bytes, s.share) for s in shares.by_licence] == [
        ("MIT", 1, 800, 0.875),
        ("CC-BY-4.0", 1, 200, 0.125),
    ]


def test_a_document_leads_to_the_models_that_saw_it(ledger, models, node):
    ModelRecords(ledger.url).add("other", "1", **FACTS, samples=SAMPLES[1:2])
    found = [(one.name, one.n_samples, one.share) for one in models.exposed(["d1", "d9"])]
    assert found == [(node, 7, 0.875)]
    assert [(one.name, one.share) for one in models.exposed(["d1"], "b")] == [(node, 0.5)]
    assert [(one.name, one.share) for one in models.exposed_to("a")] == [
        (node, 0.5),
        ("model:other@1", 1.0),
    ]
    assert models.exposed([]) == []


def test_a_model_is_marked_and_the_log_says_so(ledger, models, node):
    models.mark(node, "exposed")
    assert models.get(node).status == "exposed"
    assert ledger.verify() == []


def test_an_unknown_model_names_those_there_are(models, node):
    with pytest.raises(NotFoundError, match=r"model:zz@1.*model:tiny@1"):
        models.shares("model:zz@1")
