"""Labelled texts are traced to their true documents, through ingestion and the stored index."""

import pytest

from infra.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark's own functions, so that test and published figures measure the same."""
    from benchmarks import tracing

    return tracing


def folder_of(name):
    folder = Settings().data / name
    if not folder.is_dir():
        pytest.skip(f"labelled set {name} is not here; set SUYUAN_DATA")
    return folder


def test_altered_passages_are_found_and_random_words_are_not(benchmark, tmp_path):
    from tasks.provenance.tracing.evaluation import evaluate_trace
    from tasks.provenance.tracing.span_index import update_span_index

    folder = folder_of("docs-multilicense")
    store = benchmark.home_of(tmp_path, str(folder / "docs.jsonl.gz"))
    assert update_span_index(store, "r1").documents == 859
    queries = benchmark.rows_of(folder / "trace_queries.jsonl.gz")
    scores = {score.kind: score for score in evaluate_trace(store, queries)}
    found = {kind: scores[kind].coverage for kind in benchmark.BARS}
    assert [kind for kind, bar in benchmark.BARS.items() if found[kind] < bar] == []
    assert all(scores[kind].attributed == scores[kind].coverage for kind in benchmark.BARS)
    assert scores["novel"].false_alarms.value <= benchmark.MOST_FALSE_ALARMS


@pytest.mark.parametrize("kind", ["lines", "verses"])
def test_author_and_work_of_a_chinese_line_are_found_in_either_script(kind, benchmark, classics):
    import random

    from opencc import OpenCC

    from tasks.provenance.tracing.evaluation import Line, evaluate_lines

    store, poems = classics
    lines = {"lines": benchmark.lines_of, "verses": benchmark.verses_of}[kind](poems)
    sample = random.Random(3).sample(lines, 300)
    for convert in (str, OpenCC("t2s").convert, OpenCC("s2t").convert):
        asked = [Line(convert(one.text), one.author, one.title) for one in sample]
        assert evaluate_lines(store, asked).found.value >= benchmark.LEAST_LINES


@pytest.fixture(scope="module")
def classics(benchmark, tmp_path_factory):
    """A home with poems in both scripts, indexed."""
    from tasks.provenance.tracing.span_index import update_span_index

    place = tmp_path_factory.mktemp("classics")
    folder = folder_of("chinese-classics")
    names = ("tang300.*", "songci300.*", "shijing.*", "poet.tang.0.*")
    poems = [poem for name in names for poem in benchmark.read_poems(folder, name)]
    store = benchmark.home_of(place / "home", str(benchmark.write_poems(place, poems)))
    update_span_index(store, "r1")
    return store, poems
