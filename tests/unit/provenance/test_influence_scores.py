"""Parts, weights, calibration and totals of influence, on numbers that are easy to check."""

import sys

import numpy as np
import polars as pl
import pytest

from storage.errors import CorruptError, MissingError, NotFoundError
from tasks.provenance.influence.calibrate import Retrained, calibrate, draw_subsets
from tasks.provenance.influence.combine import fit_weights
from tasks.provenance.influence.lexical import score_bigrams, score_tfidf
from tasks.provenance.influence.pipeline import Evaluation, Totals, enough_subsets
from tasks.provenance.influence.report import influence_report
from tasks.provenance.influence.samples import PAD, ROW_SCHEMA, Samples
from tasks.provenance.influence.scores import describe_score
from tasks.provenance.influence.scoring import calibrate_parts, halve, require_method
from tasks.provenance.influence.store import drop_exposed, open_index, write_index
from tasks.provenance.influence.totals import Effect, effect, totals

TRAIN = np.array([[1, 2, 3, 4], [1, 2, 5, 6], [7, 8, 9, PAD]], np.int32)
RARE = np.array([[0, 5, 6, PAD]], np.int32)
DRAW = np.random.default_rng(0)


def test_both_lexical_parts_prefer_the_sample_that_shares_words():
    for score in (score_tfidf, score_bigrams):
        found = score(TRAIN, RARE)[0]
        assert found.argmax() == 1
        assert found[2] == 0


def test_a_sample_is_as_near_to_itself_as_can_be():
    assert np.diag(score_tfidf(TRAIN, TRAIN)) == pytest.approx([1, 1, 1])


def test_words_in_the_same_context_weigh_more_than_the_words_alone():
    train = np.array([[1, 2, 3, 4], [3, 1, 4, 2]], np.int32)
    same_order = score_bigrams(train, np.array([[1, 2, 3, 4]], np.int32))[0]
    assert same_order[0] > same_order[1]


def made_up(num_queries=40, num_samples=40, num_subsets=40):
    """A truth that is exactly linear in one part; the other part is noise."""
    true, noise = DRAW.normal(size=(2, num_queries, num_samples))
    masks = draw_subsets([f"d{at // 2}" for at in range(num_samples)], num_subsets, seed=1)
    return {"true": true, "noise": noise}, Retrained(masks=masks, losses=-(true @ masks.T).T)


def test_the_lds_is_one_for_the_truth_and_near_zero_for_noise():
    parts, retrained = made_up()
    truth, noise = (calibrate(parts[name], retrained) for name in ("true", "noise"))
    assert truth.value == truth.low == truth.high == 1
    assert noise.low < noise.value < noise.high < 0.3
    assert (truth.num_queries, truth.num_subsets) == (40, 40)


def test_fitted_weights_find_the_part_that_predicts():
    parts, retrained = made_up()
    weights = fit_weights(parts, retrained)
    assert weights["true"] == 1.0
    assert weights["noise"] < 0.1


def test_weights_are_fitted_and_measured_on_different_queries_and_subsets():
    halves = halve(21, 14, seed=5)
    assert sorted(halves.fit_queries + halves.fresh_queries) == list(range(21))
    assert sorted(halves.fit_subsets + halves.fresh_subsets) == list(range(14))
    made, retrained = made_up(21, 40, 14)
    parts = dict(zip(("tfidf", "bigrams"), made.values(), strict=True))
    found = calibrate_parts(parts, retrained, halves)
    assert found.lds["lexical"].num_queries == len(halves.fresh_queries)
    assert found.lds["lexical"].num_subsets == len(halves.fresh_subsets)
    assert "combined" not in found.weights
    masks, losses = retrained.masks.copy(), retrained.losses.copy()
    spoilt = [list(halves.fit_subsets), list(halves.fit_queries)]
    masks[spoilt[0]], losses[:, spoilt[1]], losses[spoilt[0]] = True, 0, 0
    again = calibrate_parts(parts, Retrained(masks=masks, losses=losses), halves)
    assert again.lds["tfidf"] == found.lds["tfidf"]


def test_without_retraining_there_are_weights_and_no_lds():
    parts = {"tfidf": np.eye(3), "bigrams": np.eye(3)}
    found = calibrate_parts(parts, None, None)
    assert (dict(found.lds), list(found.weights)) == ({}, ["lexical"])


def test_too_few_subsets_or_queries_are_refused():
    parts, retrained = made_up(num_subsets=4)
    with pytest.raises(ValueError, match="at least 5"):
        calibrate(parts["true"], retrained)
    parts, retrained = made_up(num_queries=4)
    with pytest.raises(ValueError, match="5 queries"):
        calibrate(parts["true"], retrained)
    with pytest.raises(ValueError, match="at least 10"):
        enough_subsets(4)
    assert enough_subsets(0) == 0


def test_subsets_take_whole_documents_and_half_of_them():
    documents = [f"d{at // 3}" for at in range(30)]
    masks = draw_subsets(documents, 5, seed=2)
    assert (masks.reshape(5, 10, 3).all(axis=2) == masks.reshape(5, 10, 3).any(axis=2)).all()
    assert masks.sum(axis=1).tolist() == [15] * 5
    assert (draw_subsets(documents, 3, seed=2) == masks[:3]).all()


def rows(names="aabb"):
    return pl.DataFrame(
        [
            {"doc_id": f"{name}{at // 2}", "source": name, "licence": "MIT", "start": 0, "end": 9}
            for at, name in enumerate(names)
        ],
        schema=ROW_SCHEMA,
    )


def test_totals_of_sources_and_documents_add_up_and_name_who_hurt():
    scores = np.array([[1.0, 2.0, -1.0, -2.0]] * 8)
    sources = totals(scores, rows(), "source", {"a": Effect(value=0.1, low=-0.1, high=0.2)})
    assert [(t.name, t.score.value, t.score.verdict) for t in sources] == [
        ("a", 3.0, "helped"),
        ("b", -3.0, "hurt"),
    ]
    assert sources[0].removed.verdict == "unclear"
    assert sources[1].removed is None
    documents = totals(scores, rows(), "doc_id")
    assert sum(t.num_samples for t in documents) == 4


def test_nobody_is_said_to_hurt_or_help_when_the_interval_holds_zero():
    assert effect(np.array([-3.0, 2.0, -1.0, 1.0])).verdict == "unclear"
    assert effect(np.array([-3.0, -2.0, -1.0])).verdict == "hurt"


def index(tmp_path, weights=b"model", facts=None):
    samples = Samples(tokens=np.zeros((4, 3), np.int32), rows=rows())
    facts = facts or {"method": "lexical"}
    return write_index(tmp_path, samples, "{}", [b"early", weights], facts)


def test_an_index_is_replaced_whole_and_survives_a_kill_before_its_manifest(tmp_path):
    first = index(tmp_path)
    digest = first.parent.name
    (first.parent / "half-written").mkdir()  # what a killed run leaves
    assert open_index(tmp_path, digest).path == first
    second = index(tmp_path, facts={"method": "lexical", "lds": {}})
    assert second.parent == first.parent
    assert [p for p in first.parent.iterdir() if p.is_dir()] == [second]
    opened = open_index(tmp_path, digest)
    assert opened.weights == [b"early", b"model"]
    assert len(opened.samples) == 4


def test_a_damaged_or_missing_file_of_an_index_is_named(tmp_path):
    folder = index(tmp_path)
    rows = folder / "samples.parquet"
    whole = rows.read_bytes()
    rows.write_bytes(whole[:9] + bytes([whole[9] ^ 1]) + whole[10:])
    with pytest.raises(CorruptError, match=r"samples\.parquet"):
        _ = open_index(tmp_path, folder.parent.name).samples
    rows.write_bytes(whole)
    assert len(open_index(tmp_path, folder.parent.name).samples) == 4
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CorruptError, match=r"tokenizer\.json"):
        _ = open_index(tmp_path, folder.parent.name).tokenizer
    with pytest.raises(NotFoundError, match="suyuan influence"):
        open_index(tmp_path, "0" * 64)


def test_only_the_indexes_that_hold_a_removed_document_go(tmp_path):
    kept = write_index(
        tmp_path, Samples(tokens=np.zeros((2, 3), np.int32), rows=rows("cc")), "{}", [b"m2"], {}
    )
    gone = index(tmp_path)
    assert drop_exposed(tmp_path, ["b1"]) == [gone.parent.name]
    assert [path.name for path in tmp_path.iterdir()] == [kept.parent.name]
    assert drop_exposed(tmp_path / "nowhere", ["b1"]) == []


def test_without_kronfluence_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "kronfluence", None)
    require_method("lexical")
    with pytest.raises(MissingError, match=r"suyuan\[influence\]"):
        require_method("combined")


def test_a_score_is_never_shown_without_its_standing():
    known = (0.651, 0.6, 0.704)
    assert describe_score(2.309, known) == "influence 2.31, LDS 0.65 [0.60, 0.70] on this model"
    assert describe_score(2.309, known, "zh") == "影响力 2.31,此模型上 LDS 0.65 [0.60, 0.70]"
    unknown = (None, None, None)
    assert describe_score(-1.0, unknown) == "influence -1.00, uncalibrated on this model"
    assert describe_score(-1.0, unknown, "zh") == "影响力 -1.00,此模型上 未校准"


@pytest.mark.parametrize("calibrated", [True, False])
def test_the_report_says_lds_or_uncalibrated_wherever_it_shows_a_score(calibrated):
    parts = {"tfidf": DRAW.normal(size=(10, 4)), "bigrams": DRAW.normal(size=(10, 4))}
    masks = draw_subsets(list("wxyz"), 10, seed=0)
    retrained = Retrained(masks=masks, losses=DRAW.normal(size=(10, 10)))
    args = (retrained, halve(10, 10, 0)) if calibrated else (None, None)
    calibration = calibrate_parts(parts, *args)
    removed = {"a": effect(np.ones(3))} if calibrated else {}
    scores = np.array([[1.0, 2.0, -1.0, -2.0]] * 8)
    found = Totals(
        sources=totals(scores, rows(), "source", removed),
        documents=totals(scores, rows(), "doc_id"),
    )
    about = {
        "run_id": "r",
        "model": "model:m@1",
        "sha256": "0",
        "trained_on": "snap:documents@1",
        "num_denied": 0,
    }
    samples = Samples(tokens=TRAIN, rows=rows("aab"))
    report = influence_report(
        about, Evaluation(name="set", samples=samples), "lexical", calibration, found
    )
    shown = "LDS " if calibrated else "uncalibrated"
    assert all(row["standing"].startswith(shown) for row in report.rows())
    assert shown in report.markdown()
    assert ("lds" in report.metrics()) is calibrated
