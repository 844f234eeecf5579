"""Near-duplicates share a cluster; other texts do not."""

import gzip
import json
import re
import subprocess
import sys

import pytest

from infra.settings import Settings
from tasks.ingest.duplicates import SIGNATURE_BYTES, Clusters, signature, similarity

TEXT = (
    "Provenance means that every sentence of an answer leads back to the bytes it came from. " * 3
)
LONG = " ".join(f"word{i * i % 9973} and item{i * 7 % 8887}" for i in range(20_000))


def test_white_space_case_and_punctuation_do_not_matter():
    assert signature(TEXT) == signature(TEXT.upper().replace(" ", "\n\n").replace(".", " ;"))


def test_a_small_change_keeps_texts_alike_and_a_large_one_does_not():
    words = LONG.split()
    assert similarity(signature(LONG), signature(" ".join(words[400:]))) > 0.9
    assert similarity(signature(LONG), signature(" ".join(words[20_000:]))) < 0.7


def test_signatures_are_the_same_in_every_process():
    code = "import sys; from tasks.ingest.duplicates import signature as s; print(s(sys.argv[1]).hex())"
    done = subprocess.run(
        [sys.executable, "-c", code, TEXT], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == signature(TEXT).hex()


def test_the_signature_is_pinned():
    assert signature(TEXT).hex()[:32] == "9187834dd265d852f47db7eb52fb1001"
    assert len(signature(TEXT)) == SIGNATURE_BYTES


def test_short_texts_are_alike_only_when_their_words_are_equal():
    assert similarity(signature("Hello, world"), signature("hello world!")) == 1.0
    assert similarity(signature("Hello, world"), signature("hello worlds")) == 0.0


def test_texts_without_words_are_never_alike():
    clusters = Clusters()
    assert signature(" \n—。") == b""
    assert [clusters.assign("a", b""), clusters.assign("b", b"")] == ["a", "b"]


def test_a_repetitive_text_has_a_signature():
    assert similarity(signature("ab" * 50_000), signature("ab" * 60_000)) == 1.0


def test_texts_that_share_two_thirds_stay_apart():
    words = LONG.split()
    most, other = " ".join(words[:20_000]), " ".join(words[3_500:23_500])
    assert 0.6 < similarity(signature(most), signature(other)) < 0.78
    clusters = Clusters()
    assert [clusters.assign("a", signature(most)), clusters.assign("b", signature(other))] == [
        "a",
        "b",
    ]


def test_clusters_go_on_from_stored_documents():
    first = Clusters([("a", signature(TEXT), "a"), ("b", signature(TEXT), "a")])
    assert [first.assign("b", signature(TEXT)), first.assign("c", signature(TEXT))] == ["a", "a"]


def test_a_cluster_survives_the_loss_of_its_first_document():
    assert Clusters([("b", signature(TEXT), "a")]).assign("c", signature(TEXT)) == "a"


def poems(name):
    file = Settings().data / "chinese-classics" / name
    if not file.exists():
        pytest.skip(f"chinese-classics/{name} is not here; set SUYUAN_DATA")
    return [poem["paragraphs"] for poem in json.loads(gzip.decompress(file.read_bytes()))]


def bigrams(lines):
    text = re.sub(r"[\W_]+", "", "".join(lines))
    return {text[at : at + 2] for at in range(len(text) - 1)}


def alike(one, other):
    mine, its = bigrams(one), bigrams(other)
    return len(mine & its) / len(mine | its)


def test_an_anthology_meets_the_collection_it_was_taken_from():
    collection, anthology = poems("poet.tang.5000.json.gz"), poems("tang300.json.gz")
    clusters = Clusters()
    home = [
        clusters.assign(f"c{at}", signature("".join(poem))) for at, poem in enumerate(collection)
    ]
    place = {line: at for at, poem in enumerate(collection) for line in poem}
    twins = 0
    for at, poem in enumerate(anthology):
        joined = clusters.assign(f"anthology {at}", signature("".join(poem)))
        for other in {place[line] for line in poem if line in place}:
            if alike(poem, collection[other]) >= 0.85:
                twins += 1
                assert joined == home[other]
        if joined.startswith("c"):
            assert alike(poem, collection[int(joined[1:])]) >= 0.65
    assert twins >= 10
