"""An impact tells what rests on a source for certain from what may only owe it something."""

from dataclasses import asdict, replace

import pytest

from storage.errors import InputError, NotFoundError
from storage.records import Exposure
from storage.spans.index import Passage
from tasks.provenance.lineage.impact import impact, render
from tests.stored_home import NOW

FACTS = {"path": "/m", "sha256": "ab", "run_id": "r1", "trained_on": "snap:documents@1"}


@pytest.fixture
def doc(stored):
    return stored.citations["plain.md"].doc_id


def ids(listing):
    assert listing.count == len(listing.ids)
    return list(listing.ids)


def test_a_source_reaches_its_documents_chunks_index_and_answers(untouched):
    found = impact(untouched.home, "source:docs")
    assert found.certain.documents.count == 4
    assert untouched.citations["plain.md"].doc_id in ids(found.certain.documents)
    assert found.certain.chunks == 4
    assert found.certain.n_bytes == sum(
        len(untouched.home.blobs.get(c.doc_id)) for c in untouched.citations.values()
    )
    assert ids(found.certain.quoted) == [untouched.answer_id]
    assert ids(found.certain.cited) == []
    assert (found.possible.models, found.possible.answers.count) == ((), 0)
    assert (found.carried, found.carried_count) == ((), 0)


def test_an_answer_is_listed_by_its_strongest_grade_only(stored, doc, add_answer):
    cited = add_answer(grade="cited")
    assert set(ids(impact(stored.home, "source:docs").certain.quoted)) == {stored.answer_id, cited}
    found = impact(stored.home, f"doc:{doc}").certain
    assert (ids(found.quoted), ids(found.cited)) == ([stored.answer_id], [cited])
    assert (ids(found.documents), found.chunks) == ([doc], 1)


def test_an_erased_answer_is_touched_no_more(stored):
    stored.home.ledger.erase_answers([stored.answer_id], "gone")
    assert impact(stored.home, "source:docs").certain.quoted.count == 0


@pytest.mark.parametrize("pattern", ["CC-BY-4.0", "cc-by-*", "CC-*"])
def test_a_licence_is_a_pattern_over_expressions(untouched, pattern):
    found = impact(untouched.home, f"licence:{pattern}")
    assert found.licences == ("CC-BY-4.0",)
    assert found.certain.documents.count == 4
    assert ids(found.certain.quoted) == [untouched.answer_id]


def test_what_another_active_source_carries_is_named(stored, doc):
    ledger = stored.home.ledger
    ledger.add_source("mirror")
    row = {"doc_id": doc, "source": "mirror", "uri": "http://m/1", "status": "live"}
    ledger.add_documents([{**row, "licence": "MIT"}])
    found = impact(stored.home, "source:docs")
    assert [(one.doc_id, one.sources) for one in found.carried] == [(doc, ("mirror",))]
    assert impact(stored.home, "licence:CC-*").carried_count == 1
    assert impact(stored.home, f"doc:{doc}").carried_count == 0
    ledger.set_source_status("mirror", "revoked")
    assert impact(stored.home, "source:docs").carried_count == 0


def test_models_and_what_they_wrote_are_possible_only(stored, doc):
    home, answer = stored.home, stored.home.ledger.answer(stored.answer_id)
    samples = [
        Exposure(doc_id=doc, source="docs", licence="MIT", n_samples=1, n_bytes=10),
        Exposure(doc_id="x", source="other", licence="MIT", n_samples=3, n_bytes=10),
    ]
    home.models.add("tiny", "1", **FACTS, samples=samples)
    home.models.add("clean", "1", **FACTS, samples=samples[1:])
    late = NOW.replace(year=9999)
    for name, generator in (
        ("01A", "model:tiny@1"),
        ("01B", "tiny@host:1"),
        ("01C", "model:clean@1"),
        ("01D", "tinyest"),
    ):
        written = replace(answer, answer_id=name, generator=generator, created_at=late)
        home.ledger.add_answer(replace(written, citations=()))
    for node in ("source:docs", f"doc:{doc}"):
        found = impact(home, node).possible
        assert [(one.name, one.n_samples, one.share) for one in found.models] == [
            ("model:tiny@1", 1, 0.25)
        ]
        assert ids(found.answers) == ["01B", "01A"]
    assert "25.00% of the samples" in render(impact(home, "source:docs"))


def test_a_name_without_version_is_the_model_that_was_newest_then(stored, doc):
    home, answer = stored.home, stored.home.ledger.answer(stored.answer_id)
    bad = [Exposure(doc_id=doc, source="docs", licence="MIT", n_samples=1, n_bytes=1)]
    good = [Exposure(doc_id="x", source="other", licence="MIT", n_samples=1, n_bytes=1)]
    home.models.add("tiny", "1", **FACTS, samples=bad)
    home.models.add("tiny", "2", **{**FACTS, "sha256": "cd"}, samples=good)
    late = replace(answer, answer_id="01L", generator="tiny", created_at=NOW.replace(year=9999))
    home.ledger.add_answer(replace(late, citations=()))
    assert impact(home, "source:docs").possible.answers.count == 0


def test_caches_and_prompts_are_reached_by_derivation(stored, doc):
    ledger = stored.home.ledger
    ledger.derive("cache:a", [f"answer:{stored.answer_id}"], "wasDerivedFrom")
    ledger.derive("cache:b", ["cache:a"], "wasDerivedFrom")
    ledger.derive("prompt:p@1", [f"doc:{doc}"], "wasDerivedFrom")
    ledger.derive("cache:z", ["answer:other"], "wasDerivedFrom")
    ledger.derive("report:z", [f"doc:{doc}"], "wasDerivedFrom")
    for node in ("source:docs", f"doc:{doc}", "licence:CC-*"):
        found = impact(stored.home, node).certain
        assert (ids(found.caches), ids(found.prompts)) == (["cache:a", "cache:b"], ["prompt:p@1"])


def test_segments_of_the_span_index_are_named_without_their_dead(stored):
    texts = sorted(citation.text_id for citation in stored.citations.values())
    spans = stored.home.spans
    passages = [Passage(doc_id=text, text=f"a b c {text}".encode()) for text in [*texts, "other"]]
    segment = spans.add(passages, "r1")
    spans.tombstone(texts[:1])
    found = impact(stored.home, "source:docs").certain.segments
    assert [(held.node, held.count) for held in found] == [(segment, len(texts) - 1)]


def test_indexes_are_named_with_their_passages(stored, doc):
    import polars as pl

    store = stored.home.index_store
    staged = store.stage()
    pl.DataFrame({"doc_id": [doc, doc, "x"]}).write_parquet(staged / "rows.parquet")
    digest = store.publish(staged, {"inputs": "x"})
    found = impact(stored.home, f"doc:{doc}").certain.indexes
    assert [(held.node, held.count) for held in found] == [(f"index:{digest}", 2)]


def test_an_unknown_name_is_not_found_and_a_wrong_kind_is_refused(untouched):
    for node in ("source:zz", f"doc:{'0' * 64}"):
        with pytest.raises(NotFoundError, match="knows nothing"):
            impact(untouched.home, node)
    with pytest.raises(NotFoundError, match=r"Licences are: CC-BY-4\.0"):
        impact(untouched.home, "licence:GPL-*")
    with pytest.raises(InputError, match="why"):
        impact(untouched.home, "model:x@1")


def test_a_source_without_documents_has_touched_nothing(stored):
    stored.home.ledger.add_source("empty")
    found = impact(stored.home, "source:empty")
    assert (found.certain.documents.count, found.certain.chunks) == (0, 0)
    assert found.certain.quoted.count == 0


def test_it_is_drawn_in_both_languages_and_is_plain_json(untouched):
    import json

    found = impact(untouched.home, "source:docs")
    english, chinese = render(found), render(found, "zh")
    assert "answers that quote: 1" in english
    assert "引用原文的回答: 1" in chinese
    assert len(english.splitlines()) == len(chinese.splitlines())
    assert json.loads(json.dumps(asdict(found)))["certain"]["chunks"] == 4
