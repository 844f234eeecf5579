"""Spans of one document are joined across small edits, and the edits are shown."""

import re

import numpy as np

from storage.spans.units import Units
from tasks.provenance.tracing.stitching import Match, may_join, stitch


def units(text: str) -> Units:
    """Words as units."""
    places = [match.span() for match in re.finditer(r"\w+", text)]
    starts, ends = (np.array([place[side] for place in places], np.int64) for side in (0, 1))
    hashes = np.array([hash(text[a:b]) & 0xFFFF for a, b in places], np.uint64)
    return Units(hashes, starts, ends)


def match(text: str, document: str, words: str) -> Match:
    start, doc_start = text.index(words), document.index(words)
    return Match(start, start + len(words), doc_start, doc_start + len(words))


def stitched(text: str, document: str, *parts: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Stitch the parts; give the text of each passage and its edits with both sides."""
    matches = [match(text, document, part) for part in parts]
    return [
        (
            text[one.start : one.end],
            [
                (edit.kind, text[edit.start : edit.end], document[edit.doc_start : edit.doc_end])
                for edit in one.edits
            ],
        )
        for one in stitch(matches, units(text), units(document))
    ]


def changes(text: str, document: str, *parts: str) -> list[tuple[str, str, str]]:
    ((_, edits),) = stitched(text, document, *parts)
    return [(kind, a.strip(), b.strip()) for kind, a, b in edits if kind != "kept"]


def test_a_replaced_word_is_shown_with_both_sides():
    found = changes("a b c NEW d e f", "x a b c old d e f", "a b c", "d e f")
    assert found == [("replaced", "NEW", "old")]


def test_an_inserted_and_a_deleted_word_are_told_apart():
    assert changes("a b NEW c d", "a b c d", "a b", "c d") == [("inserted", "NEW", "")]
    assert changes("a b c d", "a b old c d", "a b", "c d") == [("deleted", "", "old")]


def test_edits_tile_both_sides():
    text, document = "a b NEW c d e f", "z a b c d old words e f"
    ((passage, edits),) = stitched(text, document, "a b", "c d", "e f")
    assert "".join(edit[1] for edit in edits) == passage == text
    assert "".join(edit[2] for edit in edits) == document[2:]


def test_four_words_between_are_too_many_on_either_side():
    assert stitched("a b 1 2 3 4 c d", "a b c d", "a b", "c d") == []
    assert stitched("a b c d", "a b 1 2 3 4 c d", "a b", "c d") == []
    assert stitched("a b 1 2 3 c d", "a b 1 2 3 c d", "a b", "c d")


def test_spans_in_another_order_are_not_joined():
    assert stitched("a b c d", "c d a b", "a b", "c d") == []


def test_a_span_alone_is_no_near_verbatim_passage():
    assert stitched("a b c", "a b c", "a b c") == []


def test_a_word_said_twice_is_an_insertion_not_an_overlap():
    text, document = "x y b b c d", "x y b c d"
    found = stitch(
        [Match(0, 5, 0, 5), Match(6, 11, 4, 9)], units(text), units(document)
    )  # "x y b" and "b c d" share the b of the document
    assert [
        (edit.kind, text[edit.start : edit.end].strip())
        for edit in found[0].edits
        if edit.kind != "kept"
    ] == [("inserted", "b")]


def test_each_repetition_of_a_passage_is_joined_to_its_own_neighbour():
    document = "a b 1 c d | filler filler filler filler filler | a b 2 c d"
    text = "a b 9 c d"
    at = [document.index("a b"), document.rindex("a b")]
    then = [document.index("c d"), document.rindex("c d")]
    matches = [Match(0, 3, place, place + 3) for place in at]
    matches += [Match(6, 9, place, place + 3) for place in then]
    found = stitch(matches, units(text), units(document))
    assert [(one.doc_start, one.doc_end) for one in found] == [
        (at[0], then[0] + 3),
        (at[1], then[1] + 3),
    ]


def test_a_match_whose_units_differ_is_left_out():
    text, document = "a b c d e", "ab c d e"
    found = stitch([Match(0, 3, 0, 2), Match(4, 9, 3, 8)], units(text), units(document))
    assert found == []
    assert stitch([Match(0, 3, 0, 2), Match(4, 9, 3, 7)], units(text), units("xy c d e")) == []


def test_only_neighbours_on_both_sides_may_be_joined():
    assert may_join([Match(0, 5, 100, 105), Match(6, 9, 110, 113)])
    assert not may_join([Match(0, 5, 100, 105), Match(6, 9, 20, 23)])
    assert not may_join([Match(0, 5, 100, 105), Match(6, 9, 1000, 1003)])
    assert not may_join([Match(0, 5, 100, 105), Match(1000, 1003, 110, 113)])
    assert not may_join([Match(0, 5, 100, 105)])
