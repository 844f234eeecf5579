"""The byte map as stored: exact, canonical, and refused when it is damaged."""

import pytest

from storage.errors import CorruptError
from storage.records import Extraction, Heading, Run
from tasks.shared.layout import NO_MAP, Layout, check_range, dump_layout, load_layout, source_range

ORIGINAL = b"<p>a &amp; b</p><p>c"
TEXT = b"a & b\n\nc"
RUNS = (
    Run(start=0, end=2, src_start=3, src_end=5, kind="copy"),
    Run(start=2, end=3, src_start=5, src_end=10, kind="entity"),
    Run(start=3, end=5, src_start=10, src_end=12, kind="copy"),
    Run(start=5, end=7, src_start=19, src_end=19, kind="inserted"),
    Run(start=7, end=8, src_start=19, src_end=20, kind="copy"),
)
MAPPED = Layout(origin="mapped", runs=RUNS)


def test_a_layout_comes_back_and_equal_ones_have_equal_bytes():
    extraction = Extraction(
        text=TEXT.decode(),
        origin="mapped",
        runs=RUNS,
        outline=(Heading(start=0, level=1, title="标题"),),
        pages=(0, 7),
    )
    layout = load_layout(dump_layout(extraction))
    assert (layout.runs, layout.outline, layout.pages) == (RUNS, extraction.outline, (0, 7))
    assert dump_layout(extraction) == dump_layout(extraction)


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ((0, 1), (3, 4)),
        ((1, 4), (4, 11)),
        ((2, 3), (5, 10)),
        ((5, 7), (19, 19)),
        ((4, 8), (11, 20)),
    ],
)
def test_a_part_of_the_text_points_at_its_bytes_in_the_original(part, source):
    assert source_range(TEXT, MAPPED, *part) == source
    assert check_range(ORIGINAL, TEXT, MAPPED, *part) == ""


def test_without_a_layout_text_and_original_are_the_same_bytes():
    assert source_range(TEXT, None, 2, 4) == (2, 4)
    assert check_range(TEXT, TEXT, None, 0, len(TEXT)) == ""
    assert "differ" in check_range(ORIGINAL, TEXT, None, 0, 3)


def test_extracted_text_has_no_place_in_the_original_and_says_so():
    layout = Layout(origin="extracted")
    assert source_range(TEXT, layout, 0, 3) is None
    assert check_range(ORIGINAL, TEXT, layout, 0, 3) == NO_MAP


@pytest.mark.parametrize("part", [(-1, 2), (0, 99), (3, 2)])
def test_a_range_outside_the_text_is_refused(part):
    assert "outside" in check_range(ORIGINAL, TEXT, MAPPED, *part)
    with pytest.raises(ValueError, match="outside"):
        source_range(TEXT, MAPPED, *part)


def test_inserted_bytes_must_be_white_space():
    forged = TEXT.replace(b"\n\n", b"no")
    assert "white space" in check_range(ORIGINAL, forged, MAPPED, 0, 8)


def test_a_gap_between_runs_is_found():
    layout = Layout(origin="mapped", runs=(RUNS[0], RUNS[2]))
    assert "no run covers byte 2" in check_range(ORIGINAL, TEXT, layout, 0, 5)


def test_a_copy_may_not_reach_beyond_its_run():
    layout = Layout(
        origin="mapped",
        runs=(Run(start=0, end=5, src_start=3, src_end=4, kind="copy"),),
    )
    assert check_range(b"   a & b", b"a & b", layout, 0, 5) != ""


def test_anchors_of_a_long_recoded_text_agree_with_counting_from_its_start():
    text = "中文 abc " * 30_000
    source = text.encode("gb18030")
    extraction = Extraction(text=text, origin="recoded", encoding="gb18030")
    layout = load_layout(dump_layout(extraction))
    assert len(layout.anchors) > 2
    start = len(text[:147_000].encode())
    expected = len(text[:147_000].encode("gb18030"))
    assert source_range(text.encode(), layout, start, start + 3) == (expected, expected + 2)
    assert check_range(source, text.encode(), layout, start, start + 300) == ""


def test_an_offset_inside_a_character_of_a_recoded_text_is_refused():
    extraction = Extraction(text="中文", origin="recoded", encoding="gb18030")
    layout = load_layout(dump_layout(extraction))
    assert check_range("中文".encode("gb18030"), "中文".encode(), layout, 1, 3) != ""


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"origin":"magic","encoding":"utf-8","kinds":"","sizes":[],"outline":[],"pages":[],"anchors":[]}',
        b'{"origin":"mapped","encoding":"utf-8","kinds":"c","sizes":[1],"outline":[],"pages":[],"anchors":[]}',
        b'{"origin":"mapped","encoding":"nope","kinds":"","sizes":[],"outline":[],"pages":[],"anchors":[]}',
    ],
)
def test_a_damaged_layout_is_refused(damaged):
    with pytest.raises(CorruptError, match="not a layout"):
        load_layout(damaged)


def test_runs_that_leave_a_gap_cannot_be_stored():
    with pytest.raises(ValueError, match="do not tile"):
        dump_layout(Extraction(text="abc", origin="mapped", runs=RUNS[1:]))
