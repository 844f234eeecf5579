"""Features are computed once, survive a kill, and never sink with one bad document."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from storage.errors import MissingError
from tasks.features.chunking import ChunkOptions
from tasks.features.plan import BatchSizes, Limits
from tasks.features.stages import (
    FeatureRun,
    chunk_documents,
    count_texts,
    embed_texts,
    specs_of,
    store_statistics,
)
from tasks.shared.engine import SerialEngine
from tests.fakes import (
    CALLS,
    POISON,
    DyingEngine,
    FakeEncoder,
    Killed,
    load_failing,
    load_fake,
    new_home,
    put_documents,
)

OPTIONS = ChunkOptions(target_tokens=20, max_tokens=30, min_tokens=3)
SMALL = BatchSizes(
    chunk_bytes=Limits(1000, 2000), count_tokens=Limits(80, 200), embed_tokens=Limits(80, 200)
)
FEATURES = ("chunks", "counts", "vectors")


def paragraphs(name: str, count: int = 5) -> str:
    """Give a text of some distinct paragraphs."""
    body = "\n\n".join(
        f"The {name} paragraph number {i} speaks of topic {name}{i} in fifteen plain words here."
        for i in range(count)
    )
    return f"# About {name}\n\n{body}\n"


def feature_run(home, load=load_fake) -> FeatureRun:
    return FeatureRun(
        home=home,
        run_id="run",
        encoder=Path("fake"),
        load=load,
        specs=specs_of(FakeEncoder(), OPTIONS),
        sizes=SMALL,
    )


def compute(run, engine=None):
    """Run all stages."""
    engine = engine or SerialEngine()
    return chunk_documents(run, engine), count_texts(run, engine), embed_texts(run, engine)


def contents(home):
    """Give the roots of all features, whatever their versions."""
    return {name: home.table(name).root() for name in FEATURES}


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """A home with three documents, which no test changes."""
    home = new_home(tmp_path_factory.mktemp("documents"))
    put_documents(home, {f"{name}.md": paragraphs(name) for name in ("tea", "rice", "茶")})
    return home


@pytest.fixture
def home(documents, tmp_path):
    shutil.copytree(documents.root, tmp_path, dirs_exist_ok=True)
    return new_home(tmp_path)


def test_every_live_document_gets_chunks_counts_and_vectors(home):
    chunks, counts, vectors = compute(feature_run(home))
    table = home.table("chunks").scan().collect()
    assert chunks.planned == 3
    assert chunks.rows == table.height == counts.rows == vectors.rows
    assert table["doc_id"].n_unique() == 3
    assert {heading for (heading,) in table["heading"]} == {"About tea", "About rice", "About 茶"}


def test_the_text_of_every_chunk_is_the_bytes_at_its_offsets_in_text_and_original(home):
    compute(feature_run(home))
    for row in home.table("chunks").scan().collect().iter_rows(named=True):
        text = home.blobs.get(row["text_id"])
        assert text[row["start"] : row["end"]].decode() == row["text"]
        assert (
            home.blobs.get(row["doc_id"])[row["src_start"] : row["src_end"]] == row["text"].encode()
        )


def test_unchanged_input_computes_and_writes_nothing(home):
    run = feature_run(home)
    compute(run)
    statistics = store_statistics(run)
    before = {name: home.table(name).version() for name in FEATURES}
    entries = home.ledger.counts()
    CALLS.clear()
    again = compute(run)
    assert [stage.planned for stage in again] == [0, 0, 0]
    assert CALLS == {}
    assert {name: home.table(name).version() for name in FEATURES} == before
    assert not store_statistics(run).written
    assert statistics.written
    assert home.ledger.counts() == entries


def test_only_a_changed_document_is_computed_again(home):
    run = feature_run(home)
    compute(run)
    put_documents(home, {"new.md": paragraphs("coffee")})
    chunks, _, vectors = compute(run)
    assert chunks.planned == 1
    assert vectors.planned == chunks.rows


def test_a_text_that_occurs_in_many_documents_is_embedded_once(tmp_path):
    home = new_home(tmp_path)
    same = "The same licence text stands in every one of these documents, word for word."
    put_documents(home, {f"{i}.md": f"{same}\n\n# H{i}\n\nOwn text number {i}." for i in range(12)})
    _, counts, vectors = compute(feature_run(home))
    table = home.table("chunks").scan().collect()
    assert table.height == 24
    assert vectors.rows == counts.rows == 13


def test_equal_bytes_in_two_sources_are_chunked_once(home):
    put_documents(home, {"copy.md": paragraphs("tea")}, source="other")
    chunks, *_ = compute(feature_run(home))
    assert chunks.planned == 3


def test_documents_that_are_gone_cost_nothing(home):
    put_documents(home, {"old.md": paragraphs("old")}, status="gone")
    chunks, *_ = compute(feature_run(home))
    assert chunks.planned == 3


def test_a_home_without_documents_says_what_to_do(tmp_path):
    with pytest.raises(MissingError, match="suyuan ingest"):
        chunk_documents(feature_run(new_home(tmp_path)), SerialEngine())


def many_documents(home) -> None:
    """Put enough text for several batches a stage."""
    put_documents(home, {f"{i}.md": paragraphs(f"word{i}") for i in range(6)})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What a run that nothing kills makes of them."""
    home = new_home(tmp_path_factory.mktemp("undisturbed"))
    many_documents(home)
    compute(feature_run(home))
    return contents(home)


@pytest.mark.parametrize("num_jobs", [0, 2, 5, 9])
def test_a_killed_run_is_resumed_and_the_result_is_the_same(tmp_path, undisturbed, num_jobs):
    killed = new_home(tmp_path)
    many_documents(killed)
    with pytest.raises(Killed):
        compute(feature_run(killed), DyingEngine(num_jobs))
    CALLS.clear()
    stages = compute(feature_run(killed))
    assert sum(stage.reused_parts for stage in stages) <= num_jobs
    assert contents(killed) == undisturbed


def test_parts_of_a_killed_run_are_taken_over_not_computed(tmp_path):
    home = new_home(tmp_path)
    many_documents(home)
    run = feature_run(home)
    with pytest.raises(Killed):
        chunk_documents(run, DyingEngine(2))
    CALLS.clear()
    chunks = chunk_documents(run, SerialEngine())
    assert chunks.reused_parts == 2
    assert 0 < CALLS["counted"] < home.table("chunks").scan().collect().height


def test_a_document_that_fails_is_quarantined_and_the_others_go_on(home):
    put_documents(home, {"bad.md": f"This {POISON} document."})
    chunks, _, vectors = compute(feature_run(home, load_failing))
    quarantine = home.table("quarantine").scan().collect()
    assert quarantine.select("uri", "reason").rows() == [("bad.md", "features.failed")]
    assert "cannot tokenise this" in quarantine["detail"][0]
    assert chunks.quarantined_new == 1
    assert home.table("chunks").scan().collect()["doc_id"].n_unique() == 3
    assert vectors.rows == chunks.rows


def test_a_text_that_cannot_be_embedded_is_quarantined_under_its_document(home):
    put_documents(home, {"bad.md": f"This {POISON} vector text."})
    chunks, _, vectors = compute(feature_run(home))
    assert vectors.rows == chunks.rows - 1
    assert home.table("quarantine").scan().collect()["uri"].to_list() == ["bad.md"]


def test_the_same_failure_is_quarantined_once(home):
    put_documents(home, {"bad.md": f"This {POISON} document."})
    compute(feature_run(home, load_failing))
    again, *_ = compute(feature_run(home, load_failing))
    assert (len(again.failures), again.quarantined_new) == (1, 0)


def test_a_damaged_text_is_named_and_left_out(home):
    documents = home.table("documents").scan().filter(pl.col("uri") == "tea.md").collect()
    text_id = documents["text_id"][0]
    (blob,) = Path(home.blobs_url).rglob(f"{text_id}*")
    blob.write_bytes(blob.read_bytes()[:-3] + b"xyz")
    chunks, *_ = compute(feature_run(home))
    assert [failure.item for failure in chunks.failures] == [text_id]
    assert "CorruptError" in chunks.failures[0].detail


def test_the_ledger_knows_where_each_table_came_from(home):
    compute(feature_run(home))
    edges = {(edge.dst, edge.src) for edge in home.ledger.up("snap:vectors@1")}
    assert ("snap:vectors@1", "snap:chunks@1") in edges
    assert ("snap:chunks@1", "snap:documents@1") in edges
    assert home.ledger.verify() == []


def test_statistics_are_a_parquet_file_with_its_totals(home):
    run = feature_run(home)
    compute(run)
    stored = store_statistics(run)
    frame = pl.read_parquet(stored.path)
    chunks = home.table("chunks").scan().collect()
    assert stored.statistics.num_texts == chunks.height
    assert frame.filter(pl.col("term") == "paragraph")["df"].to_list() == [15]
    assert frame["idf"].min() > 0
