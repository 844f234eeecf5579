"""The span index: what it finds, what it forgets, what it refuses, what lies on the disk."""

import json
import pickle
import sys
from pathlib import Path

import pytest

from storage.errors import CorruptError, InputError
from storage.spans.index import Passage, SpanHit, SpanIndex

GOLDEN = Path(__file__).parents[2] / "golden" / "spans.json"
FOX = b"The quick brown fox jumps over the lazy dog near the river bank."
WALL = "萬里長城是中國古代的偉大建築之一，東起山海關。".encode()
CODE = b"def scalar_product_of(x, y):\n    return sum(x[i] * y[i] for i in range(len(x)))\n"


@pytest.fixture
def index(tmp_path):
    index = SpanIndex(tmp_path / "spans")
    index.add([Passage("fox", FOX), Passage("wall", WALL), Passage("code", CODE)], "run-1")
    return index


def spans(index, text, **options):
    return [(text[m.start : m.end], m.count, m.hits) for m in index.trace(text, **options)]


def test_a_passage_is_found_in_other_case_layout_and_markup(index):
    text = b"He said: *the QUICK\n brown* fox jumps 'over' the lazy dog, then left."
    found = b"the QUICK\n brown* fox jumps 'over' the lazy dog"
    assert spans(index, text) == [(found, 1, (SpanHit("fox", 0, FOX.index(b" near")),))]


def test_simplified_text_is_found_in_a_traditional_document(index):
    text = "他说万里长城是中国古代的伟大建筑".encode()
    [match] = index.trace(text)
    [hit] = match.hits
    assert text[match.start : match.end].decode() == "万里长城是中国古代的伟大建筑"
    assert WALL[hit.start : hit.end].decode() == "萬里長城是中國古代的偉大建築"


def test_code_is_found_after_reformatting(index):
    [match] = index.trace(
        b"def scalar_product_of(x,y): return sum( x[i] * y[i] for i in range(len(x)) )"
    )
    assert match.hits == (SpanHit("code", 0, len(CODE) - len(b")))\n")),)


def test_a_text_of_fewer_units_than_asked_for_is_not_found(index):
    assert index.trace(b"the quick brown fox") == []
    assert len(index.trace(b"the quick brown fox", min_units=4)) == 1


def test_counts_and_first_hits_run_over_all_segments(index):
    index.add([Passage(f"copy-{n}", FOX) for n in range(3)])
    [match] = index.trace(FOX, max_hits=2)
    assert (match.count, [hit.doc_id for hit in match.hits]) == (4, ["fox", "copy-0"])
    assert index.trace(FOX, max_count=3) == []


def test_a_span_of_one_segment_hides_the_shorter_one_of_another(index):
    index.add([Passage("part", b"a quick brown fox jumps over the lazy dog near here")])
    [match] = index.trace(FOX)
    assert (match.start, match.end, match.count) == (0, len(FOX) - 1, 1)


def test_documents_that_are_live_are_left_out(index):
    assert index.add([Passage("fox", FOX)]) == ""
    assert index.add([Passage("new", FOX), Passage("new", FOX)]).startswith("000002-")
    assert index.documents() == ["fox", "wall", "code", "new"]


def test_documents_are_read_without_the_kernels(index, monkeypatch):
    index.tombstone(["wall"])
    monkeypatch.setitem(sys.modules, "storage.spans.reader", None)
    [(name, documents)] = index.documents_by_segment().items()
    assert (name, documents) == (index.segments()[0].name, ["fox", "code"])
    assert (index.has("fox"), index.has("wall")) == (True, False)
    with pytest.raises(ImportError):
        index.trace(FOX)


def test_a_changed_name_of_a_document_is_refused(index):
    data = index.folder / index.segments()[0].name / "data.bin"
    data.write_bytes(data.read_bytes().replace(b"fox\nwall", b"fox\nhall"))
    with pytest.raises(CorruptError, match="names"):
        SpanIndex(index.folder).documents()


def test_a_tombstone_works_at_once_and_the_document_can_come_back(index):
    assert index.tombstone(["fox", "never there"]) == 1
    assert (index.trace(FOX), index.has("fox"), index.n_documents()) == ([], False, 2)
    assert index.tombstone(["fox"]) == 0
    index.add([Passage("fox", FOX)])
    assert [match.count for match in index.trace(FOX)] == [1]


def test_purging_leaves_nothing_of_a_document_in_any_file(index, tmp_path):
    only = SpanIndex(tmp_path / "only")
    only.add([Passage("wall", WALL), Passage("code", CODE)])
    index.tombstone(["fox"])
    report = index.compact(purge=True)
    assert (report.purged, report.segments_after) == (1, 1)
    assert sections(index) == sections(only)
    assert index.absent([FOX]) == []


def test_purging_all_documents_leaves_no_segment(index):
    index.tombstone(index.live())
    index.compact(purge=True)
    assert (index.segments(), index.trace(FOX), index.n_bytes()) == ((), [], 0)
    index.add([Passage("fox", FOX)])
    assert len(index.trace(FOX)) == 1


def test_absent_names_what_is_still_there_even_when_short(index):
    gone = b"words that nobody has ever written in this order before today"
    [(number, match)] = index.absent([gone, b"lazy dog"])
    assert (number, match.count) == (1, 1)


def test_small_segments_are_joined_and_answer_the_same(index):
    for n in range(4):
        index.add([Passage(f"copy-{n}", FOX + str(n).encode())])
    before = index.trace(FOX, max_hits=9)
    index.tombstone(["copy-1"])
    assert index.compact().segments_after < 5
    [match] = index.trace(FOX, max_hits=9)
    gone = [hit for hit in before[0].hits if hit.doc_id != "copy-1"]
    assert (match.count, list(match.hits)) == (before[0].count - 1, gone)


def test_long_input_is_split_into_segments(tmp_path):
    index = SpanIndex(tmp_path, segment_units=20)
    index.add(Passage(f"copy-{n}", FOX) for n in range(5))
    assert [entry.documents for entry in index.segments()] == [2, 2, 1]
    assert index.trace(FOX)[0].count == 5


def test_it_pickles_and_an_index_that_is_not_there_finds_nothing(tmp_path):
    index = pickle.loads(pickle.dumps(SpanIndex(tmp_path / "none")))
    assert (index.trace(FOX), index.documents(), index.verify()) == ([], [], [])


def test_a_changed_byte_of_any_section_is_named(index):
    [entry] = index.segments()
    folder = index.folder / entry.name
    sections = json.loads((folder / "segment.json").read_text())["sections"]
    data = (folder / "data.bin").read_bytes()
    for name, section in sections.items():
        at = section["start"]
        (folder / "data.bin").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert [problem.node for problem in index.verify()] == [
            f"spans:{entry.name}/data.bin#{name}"
        ]


@pytest.mark.parametrize("name", ["segment.json", "data.bin"])
def test_a_file_that_was_cut_is_refused_and_named(index, name):
    [entry] = index.segments()
    path = index.folder / entry.name / name
    path.write_bytes(path.read_bytes()[:-1])
    assert len(index.verify()) == 1
    with pytest.raises(CorruptError, match=entry.name):
        index.trace(FOX)


def test_a_changed_or_missing_rule_is_named(index):
    [rule] = index.folder.glob("rule-*.json")
    rule.write_bytes(rule.read_bytes().replace(b'"unicode":"1', b'"unicode":"2'))
    assert [problem.node for problem in index.verify()] == [f"spans:{rule.name}"]
    rule.unlink()
    assert [problem.node for problem in index.verify()] == [f"spans:{rule.name}"]


def test_a_manifest_of_another_format_is_refused(index):
    path = index.folder / "MANIFEST.json"
    path.write_text(path.read_text().replace("suyuan-spans/1", "suyuan-spans/9"))
    with pytest.raises(CorruptError, match="suyuan-spans/9"):
        index.segments()


@pytest.mark.parametrize("doc_id", ["", "two\nlines"])
def test_a_name_that_cannot_be_kept_is_refused(index, doc_id):
    with pytest.raises(InputError):
        index.add([Passage(doc_id, b"text")])


def test_empty_texts_and_texts_without_units_are_documents(index):
    index.add([Passage("empty", b""), Passage("dots", b"...")])
    index.tombstone(["fox"])
    index.compact(purge=True)
    assert index.documents() == ["wall", "code", "empty", "dots"]


def test_format_1_stays_as_it_is(index):
    """Other bytes for the same documents mean a new format: name it, and refuse the old one."""
    [entry] = index.segments()
    found = {
        "manifest": keys(index.folder / "MANIFEST.json"),
        "segment": keys(index.folder / entry.name / "segment.json"),
        "sections": sections(index),
    }
    assert found == json.loads(GOLDEN.read_text())


def sections(index):
    """Give what the only segment stores, without what names rule and version of Unicode."""
    [entry] = index.segments()
    return json.loads((index.folder / entry.name / "segment.json").read_text())["sections"]


def keys(path):
    values = json.loads(path.read_text())
    nested = values.pop("segments", [])
    return [values["format"], sorted(values), *(sorted(row) for row in nested)]
