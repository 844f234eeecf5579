"""A throw-away index finds named passages, and fusion minds what BM25 cannot read."""

from pathlib import Path

import numpy as np
import pytest

from tasks.features.passages import index_passages
from tasks.features.search import fuse
from tasks.shared.engine import SerialEngine
from tests.fakes import load_fake

PASSAGES = [
    ("b", "The harbour of Rotterdam is the largest in Europe."),
    ("a", "Penguins live on the southern half of the globe."),
    ("c", "Rust is an iron oxide, usually reddish brown."),
]


@pytest.fixture
def searcher(tmp_path):
    return index_passages(PASSAGES, Path("fake"), load_fake, SerialEngine(), tmp_path)


@pytest.mark.parametrize("mode", ["bm25", "dense", "hybrid"])
def test_a_passage_is_found_under_its_own_id(searcher, mode):
    hits = searcher.search_many([text for _, text in PASSAGES], 1, mode)
    assert [row[0].doc_id for row in hits] == ["b", "a", "c"]
    assert hits[0][0].text == PASSAGES[0][1]


def test_two_passages_of_one_id_are_refused(tmp_path):
    twins = [("a", "one"), ("a", "two")]
    with pytest.raises(ValueError, match="same id"):
        index_passages(twins, Path("fake"), load_fake, SerialEngine(), tmp_path)


def test_the_known_share_counts_the_idf_of_terms_that_the_index_holds(searcher):
    share = searcher.lexical.known_share
    assert share(["penguin"]) == 1.0
    assert share(["企鹅"]) == 0.0 == share([])
    assert 0.2 < share(["penguin", "企鹅"]) < 0.5
    assert share(["the", "unheard"]) < share(["penguin", "unheard"])


def test_fusion_leaves_a_question_that_bm25_cannot_read_to_the_vectors():
    bm25, cosines = np.float32([9, 0, 1]), np.float32([0.1, 0.5, 0.9])
    assert fuse(bm25, cosines, 0.0).tolist() == pytest.approx([0, 0.5, 1])
    assert fuse(bm25, cosines, 1.0).tolist() == pytest.approx([0.5, 0.25, 0.5 / 9 + 0.5])
