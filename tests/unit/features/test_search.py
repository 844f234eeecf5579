"""The index holds the live corpus; a search finds, fuses, filters and cites."""

import shutil

import numpy as np
import polars as pl
import pytest

from storage.errors import ConflictError, GateError, InputError, MissingError
from storage.passages import count_passages
from tasks.features.dense import DenseOptions
from tasks.features.index import read_corpus, update_index
from tasks.features.search import Filters, Searcher
from tasks.shared.text import analyse
from tests.fakes import FakeEncoder, new_home, put_documents
from tests.unit.features.test_stages import compute, feature_run

TEXTS = {
    "tea.md": "# Tea\n\nGreen tea is brewed with water at eighty degrees.\n\n# Milk\n\n"
    "Black tea is often served with milk and sugar in the afternoon by many people there.",
    "rice.md": "# Rice\n\nRice fields are flooded in spring before the seedlings are planted.",
    "zh.md": "# 茶\n\n绿茶要用八十度的水冲泡。红茶常常加牛奶和糖一起喝。",
    "code.md": "# Code\n\n```python\nimport numpy\n```\n\nThe function returns a sorted array.",
}


def build(home, options=None):
    run = feature_run(home)
    compute(run)
    return update_index(home, run.specs, options or DenseOptions(), "run")


def open_searcher(home):
    return Searcher.open(home.index_store.current(), FakeEncoder())


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = new_home(tmp_path_factory.mktemp("home"))
    put_documents(home, TEXTS, trust=0.8)
    put_documents(
        home, {"zh2.md": "# 水\n\n水在零度结冰，在一百度沸腾。"}, language="zh", trust=0.2
    )
    put_documents(home, {"copy.md": TEXTS["rice.md"]}, source="other", licence="CC0-1.0", trust=0.1)
    build(home)
    return home


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    """A home with the texts alone and its index, which no test changes."""
    home = new_home(tmp_path_factory.mktemp("indexed"))
    put_documents(home, TEXTS)
    return home, build(home)


@pytest.fixture
def first(indexed, tmp_path):
    """A copy of that home for a test to change, and its index."""
    original, built = indexed
    shutil.copytree(original.root, tmp_path, dirs_exist_ok=True)
    return new_home(tmp_path), built


@pytest.fixture(scope="module")
def searcher(home):
    return open_searcher(home)


@pytest.mark.parametrize("mode", ["hybrid", "bm25", "dense"])
@pytest.mark.parametrize(
    ("question", "uri"),
    [
        ("How is green tea brewed?", "tea.md"),
        ("When are rice fields flooded?", "rice.md"),
        ("绿茶用多少度的水？", "zh.md"),
        ("which function returns a sorted array", "code.md"),
    ],
)
def test_the_passage_that_answers_comes_first(searcher, question, uri, mode):
    assert searcher.search(question, mode=mode)[0].uri == uri


def test_a_hit_carries_all_that_a_citation_needs(home, searcher):
    hit = searcher.search("Rice fields flooded in spring", k=1)[0]
    text = home.blobs.get(hit.text_id)
    assert text[hit.start : hit.end].decode() == hit.text
    assert home.blobs.get(hit.doc_id)[hit.src_start : hit.src_end].decode() == hit.text
    assert (hit.source, hit.licence, hit.trust, hit.heading) == ("test", "MIT", 0.8, ("Rice",))
    assert hit.cosine == pytest.approx(
        float(
            FakeEncoder().embed([hit.text], "passage")[0] @ _query("Rice fields flooded in spring")
        ),
        abs=1e-5,
    )


def test_hits_are_ordered_by_score_then_chunk_id_and_bounded(searcher):
    hits = searcher.search("tea water 水", k=3)
    assert len(hits) == 3
    assert [(-hit.score, hit.chunk_id) for hit in hits] == sorted(
        (-hit.score, hit.chunk_id) for hit in hits
    )


def test_many_questions_at_once_give_what_each_gives_alone(searcher):
    questions = ["green tea", "红茶牛奶", "sorted array", "nothing of the kind"]
    for mode in ("hybrid", "bm25", "dense"):
        together = searcher.search_many(questions, 5, mode)
        assert together == [searcher.search(question, 5, mode) for question in questions]


def test_bm25_finds_nothing_without_a_common_term(searcher):
    assert searcher.search("zzz qqq", mode="bm25") == []
    assert len(searcher.search("zzz qqq", mode="hybrid")) > 0


@pytest.mark.parametrize("mode", ["hybrid", "bm25", "dense"])
@pytest.mark.parametrize(
    ("filters", "test"),
    [
        (Filters(min_trust=0.5), lambda hit: hit.trust >= 0.5),
        (Filters(languages=frozenset({"zh"})), lambda hit: hit.language == "zh"),
        (Filters(licences=frozenset({"MIT"})), lambda hit: hit.licence == "MIT"),
        (Filters(sources=frozenset({"other"})), lambda hit: hit.uri == "rice.md"),
    ],
)
def test_filters_hold_in_every_mode(searcher, filters, test, mode):
    hits = searcher.search("水 rice tea water spring", 10, mode, filters)
    assert hits
    assert all(map(test, hits))


def test_the_same_document_in_two_sources_is_found_once(searcher):
    hits = searcher.search("rice fields flooded", k=10)
    assert len({hit.chunk_id for hit in hits}) == len(hits)


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(searcher, question):
    with pytest.raises(InputError):
        searcher.search(question)


def test_bm25_scores_are_those_of_the_library(home, searcher):
    import bm25s

    index = bm25s.BM25.load(str(home.index_store.current().path / "bm25"), show_progress=False)
    terms = analyse("green tea water 绿茶")
    known = [term for term in terms if term in index.vocab_dict]
    assert np.allclose(searcher.lexical.score_terms(terms), index.get_scores(known), atol=1e-5)


def test_the_same_inputs_are_not_built_twice_and_give_the_same_digest(first, tmp_path):
    home, built = first
    other = new_home(tmp_path / "other")
    put_documents(other, TEXTS)
    again = build(home)
    assert built.digest == build(other).digest == again.digest
    assert (built.rebuilt, again.rebuilt) == (True, False)


def test_a_new_document_makes_a_new_index_and_the_old_one_can_come_back(first):
    home, old = first
    put_documents(home, {"new.md": "# New\n\nSaffron is harvested by hand in autumn."})
    new = build(home)
    assert open_searcher(home).search("saffron harvest")[0].uri == "new.md"
    home.index_store.rollback(old.digest)
    assert open_searcher(home).digest == old.digest
    assert open_searcher(home).search("saffron harvest", mode="bm25") == []
    assert build(home).digest == new.digest == home.index_store.current().digest


def test_a_document_that_is_gone_is_not_found(first):
    home, _ = first
    put_documents(home, {"rice.md": TEXTS["rice.md"]}, status="gone")
    build(home)
    assert "rice.md" not in {hit.uri for hit in open_searcher(home).search("rice fields", k=10)}


def test_a_new_licence_changes_the_index_though_no_text_changed(first):
    home, built = first
    put_documents(home, {"tea.md": TEXTS["tea.md"]}, licence="CC-BY-4.0")
    assert build(home).digest != built.digest
    assert open_searcher(home).search("green tea")[0].licence == "CC-BY-4.0"


def test_a_damaged_index_is_built_again(first):
    home, built = first
    path = home.index_store.current().path / "rows.parquet"
    path.write_bytes(b"PAR1 damaged")
    again = build(home)
    assert (again.rebuilt, again.digest) == (True, built.digest)
    assert home.index_store.check(built.digest) == []


def test_an_index_counts_its_passages_by_document(home):
    folder = home.index_store.current().path
    for doc_id, rows in pl.read_parquet(folder / "rows.parquet").group_by("doc_id"):
        assert count_passages(folder, list(doc_id)) == rows.height > 0


def test_a_missed_recall_leaves_the_published_index_in_place(tmp_path):
    home = new_home(tmp_path)
    put_documents(home, {f"{i}.md": f"# T{i}\n\nText {i} about {i * 7}." for i in range(60)})
    first = build(home)
    with pytest.raises(GateError):
        build(home, DenseOptions(factory="IVF8,PQ2x4"))
    assert home.index_store.current().digest == first.digest


def test_another_encoder_is_refused(home):
    class Other(FakeEncoder):
        spec = "other"

    with pytest.raises(ConflictError, match="suyuan features"):
        Searcher.open(home.index_store.current(), Other())


def test_an_index_without_features_says_what_to_do(tmp_path):
    home = new_home(tmp_path)
    put_documents(home, TEXTS)
    with pytest.raises(MissingError, match="suyuan features"):
        update_index(home, feature_run(home).specs, DenseOptions(), "run")


def test_the_ledger_knows_what_an_index_was_made_of(home):
    node = f"index:{home.index_store.current().digest}"
    sources = {edge.src for edge in home.ledger.up(node) if edge.dst == node}
    assert {"snap:chunks@1", "snap:vectors@1", "snap:counts@1", "run:run"} <= sources


def test_the_corpus_is_read_in_order_of_chunk_id(home):
    rows = read_corpus(home, feature_run(home).specs).rows
    assert rows["chunk_id"].to_list() == sorted(rows["chunk_id"].to_list())


def _query(text: str):
    return FakeEncoder().embed([text], "query")[0]
