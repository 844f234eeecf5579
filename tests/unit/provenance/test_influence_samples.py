"""Samples of influence: windows tied to bytes, fair draws, clear refusals."""

import polars as pl
import pytest

from storage.errors import InputError, MissingError, NotFoundError
from tasks.provenance.influence.evaluation import read_evaluation
from tasks.provenance.influence.pipeline import may_train
from tasks.provenance.influence.samples import (
    PAD,
    Cut,
    Document,
    choose_documents,
    cut_documents,
    encode_texts,
)
from tasks.provenance.policy.decisions import decide, default_policy
from tests.influence_home import WORDS, story

CUT = Cut(window=9, per_document=3, held_out=1, vocabulary=300)


def documents(count=6):
    return [
        Document(doc_id=f"{source}{at}", source=source, licence="MIT", text=story(source, at))
        for source in WORDS
        for at in range(count // 2)
    ]


@pytest.fixture(scope="module")
def split():
    return cut_documents(documents(), CUT)


def test_windows_follow_each_other_byte_by_byte_and_held_out_ones_come_last(split):
    texts = {document.doc_id: document.text for document in documents()}
    both = pl.concat([split.train.rows, split.held_out.rows])
    for doc_id, text in texts.items():
        rows = both.filter(pl.col("doc_id") == doc_id).sort("start")
        assert rows["start"].to_list() == [0, *rows["end"][:-1]]
        assert rows["end"][-1] <= len(text.encode())
        held_out = split.held_out.rows.filter(pl.col("doc_id") == doc_id)
        assert held_out["start"].to_list() == [rows["start"][-1]]


def test_exposures_count_every_sample_and_byte(split):
    exposures = split.train.exposures()
    assert [one.n_samples for one in exposures] == [3] * 6
    rows = split.train.rows
    assert sum(one.n_bytes for one in exposures) == (rows["end"] - rows["start"]).sum()
    assert {(one.source, one.licence) for one in exposures} == {(name, "MIT") for name in WORDS}


def test_equal_documents_give_equal_samples_and_tokenizer(split):
    again = cut_documents(documents(), CUT)
    assert (again.train.tokens == split.train.tokens).all()
    assert again.tokenizer == split.tokenizer


def test_a_short_document_is_left_out_of_samples_and_tokenizer(split):
    short = Document(doc_id="short", source="sea", licence="MIT", text="zyzzyva zyzzyva")
    again = cut_documents([*documents(), short], CUT)
    assert "short" not in set(again.train.rows["doc_id"])
    assert again.tokenizer == split.tokenizer


def test_too_little_text_is_refused_with_the_way_out():
    with pytest.raises(MissingError, match="Ingest more"):
        cut_documents(documents()[:1], CUT)


def test_the_end_of_a_text_is_padded_and_its_windows_are_one_text(split):
    found = encode_texts({"a": "ship " * 20, "b": "cow in the hay"}, split.tokenizer, CUT.window)
    assert found.tokens.shape[1] == CUT.window
    assert (found.tokens[-1] == PAD).any()
    summed = found.by_text((found.tokens != PAD).sum(axis=1).astype(float))
    lengths = {"a": 0, "b": 0}
    for key, row in zip(found.rows["doc_id"], found.tokens, strict=True):
        lengths[key] += int((row != PAD).sum())
    assert summed.tolist() == list(lengths.values())
    assert lengths["a"] > lengths["b"]
    with pytest.raises(InputError):
        encode_texts({"a": ""}, split.tokenizer, CUT.window)


def rows_of(names):
    return pl.DataFrame([{"doc_id": name, "source": name[0]} for name in names])


def test_the_draw_is_fair_to_sources_and_does_not_depend_on_the_order_of_rows():
    names = [f"a{at}" for at in range(30)] + ["b0", "b1", "b2"]
    drawn = choose_documents(rows_of(names), 6, seed=3)
    assert sorted(drawn["source"]) == ["a", "a", "a", "b", "b", "b"]
    assert choose_documents(rows_of(names[::-1]), 6, seed=3).equals(drawn)
    assert not choose_documents(rows_of(names), 6, seed=4).equals(drawn)


def test_a_document_of_two_sources_is_drawn_once():
    rows = pl.DataFrame({"doc_id": ["x", "x", "y"], "source": ["b", "a", "b"]})
    drawn = choose_documents(rows, 10, seed=0)
    assert sorted(zip(drawn["doc_id"], drawn["source"], strict=True)) == [("x", "a"), ("y", "b")]


def test_what_the_licence_policy_denies_is_not_trained_on():
    rows = pl.DataFrame(
        {"doc_id": list("abc"), "licence": ["MIT", "LicenseRef-Odd", "NOASSERTION"]}
    )
    kept = may_train(rows, default_policy())
    assert {decide(licence, "train").allowed for licence in kept["licence"]} == {True}
    assert not any(decide(x, "train").allowed for x in set(rows["licence"]) - set(kept["licence"]))
    assert "MIT" in set(kept["licence"])


def test_bad_lines_of_an_evaluation_are_refused_by_number_and_the_rest_is_used(tmp_path):
    path = tmp_path / "texts.jsonl"
    lines = [
        '{"id": "1", "text": "影响"}',
        "{",
        '{"id": "1", "text": "b"}',
        '{"id": true, "text": "c"}',
    ]
    path.write_text("\n".join([*lines, "", '{"id": 2, "text": " "}', "[" * 100_000]), "utf-8")
    found = read_evaluation(path)
    assert found.texts == {"1": "影响"}
    assert [line.split(":")[1] for line in found.refused] == ["2", "3", "4", "6", "7"]


def test_an_evaluation_without_a_usable_line_names_the_format(tmp_path):
    (tmp_path / "texts.jsonl").write_text("hello")
    with pytest.raises(InputError, match='"text"'):
        read_evaluation(tmp_path / "texts.jsonl")
    with pytest.raises(NotFoundError):
        read_evaluation(tmp_path / "none.jsonl")
