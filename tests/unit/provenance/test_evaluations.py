"""The evaluations count what they say, and the shipped sets meet their bars."""

import gzip
import json

import pytest

from infra.settings import Settings
from tasks.provenance.licences.evaluation import evaluate_licences
from tasks.provenance.sensitivity.evaluation import evaluate_sensitivity, overlaps_half
from tasks.provenance.share import share


def rows_of(path):
    file = Settings().data / path
    if not file.exists():
        pytest.skip(f"labelled set {path} is not here; set SUYUAN_DATA")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_a_share_has_the_interval_of_wilson():
    found = share(8, 10)
    assert (round(found.low, 4), round(found.high, 4)) == (0.4902, 0.9433)


def test_no_trials_say_nothing():
    assert (share(0, 0).low, share(0, 0).high) == (0.0, 1.0)


def test_a_share_above_one_is_a_programming_error():
    with pytest.raises(ValueError, match="between 0 and n"):
        share(3, 2)


def test_licence_rows_are_scored_and_bad_rows_named():
    rows = [
        {
            "text": "# SPDX-License-Identifier: MIT OR ISC\n",
            "license": "ISC OR MIT",
            "license_header": "x",
        },
        {"text": "# SPDX-License-Identifier: ISC\n", "license": "MIT"},
        {"text": "nothing", "license": "MIT"},
        {"text": "", "license": "MIT"},
        {"text": "a", "license": "BSD"},
    ]
    scores = evaluate_licences(rows)
    assert (scores.n, scores.n_with_licence, len(scores.refused)) == (5, 3, 2)
    assert (scores.with_header.hits, scores.accuracy.hits, scores.claims.n) == (1, 1, 2)


def test_half_an_overlap_counts_and_less_does_not():
    assert overlaps_half(("A", 0, 10), ("A", 5, 15))
    assert not overlaps_half(("A", 0, 10), ("A", 6, 16))
    assert not overlaps_half(("A", 0, 2), ("A", 0, 10))


def test_sensitivity_rows_are_split_by_template_and_bad_rows_named():
    span = {"entity_type": "EMAIL_ADDRESS", "start_position": 3, "end_position": 9}
    name = {"entity_type": "PERSON", "start_position": 0, "end_position": 2}
    good = {"full_text": "Bo a@b.cn", "spans": [span, name], "template_id": 4}
    bad = {"full_text": "Bo", "spans": [span]}
    scores = evaluate_sensitivity([good, {**good, "template_id": 5}, bad])
    assert (scores.tuned.rows, scores.held_out.rows, len(scores.refused)) == (1, 1, 1)
    assert scores.held_out.types["EMAIL_ADDRESS"].exact_recall.value == 1.0
    assert scores.held_out.all_types.recall.value == 0.5
    assert scores.not_covered == {"PERSON": 2}


def test_every_licence_header_of_the_shared_set_is_read():
    scores = evaluate_licences(rows_of("docs-multilicense/docs.jsonl.gz"))
    assert scores.with_header.n == 447
    assert scores.with_header.value >= 0.99
    assert scores.claims.value >= 0.99


def test_the_promised_kinds_are_found_in_the_shared_set():
    scores = evaluate_sensitivity(rows_of("pii-spans/sentences.jsonl.gz"))
    assert scores.held_out.supported.recall.value >= 0.95
    assert scores.held_out.supported.precision.value >= 0.95
