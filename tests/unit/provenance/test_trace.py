"""A text is traced to live documents with bytes on both sides; nothing is claimed that is not there."""

import json
import shutil

import pyarrow as pa
import pytest

from storage.errors import InputError, MissingError
from storage.schemas import DOCUMENTS
from tasks.provenance.tracing.coverage import coverage
from tasks.provenance.tracing.span_index import update_span_index
from tasks.provenance.tracing.trace import TraceOptions, render, trace_text
from tasks.provenance.verification.verify import verify_all
from tests.stored_home import document_row, fill_home, home_below

SHORT = TraceOptions(min_units=3)


@pytest.fixture(scope="module")
def traced_home(tmp_path_factory):
    """The stored home with its spans indexed; not to be changed."""
    home = fill_home(tmp_path_factory.mktemp("traced")).home
    update_span_index(home, "r1")
    return home


@pytest.fixture
def home(traced_home, tmp_path):
    shutil.copytree(traced_home.root, tmp_path, dirs_exist_ok=True)
    return home_below(tmp_path)


def set_rows(home, name, **changes):
    row = document_row(home, name) | changes
    home.table("documents").merge(pa.Table.from_pylist([row], schema=DOCUMENTS.schema), run_id="r2")


def documents(trace):
    return [document for span in trace.spans for document in span.documents]


def test_bytes_on_both_sides_and_in_the_original_are_the_passage(traced_home):
    text = "They say: 水是湿的。"
    (span,) = trace_text(traced_home, text, SHORT).spans
    (found,) = span.documents
    assert text.encode()[span.start : span.end].decode() == span.text == "水是湿的"
    assert traced_home.blobs.get(found.text_id)[found.start : found.end].decode() == "水是湿的"
    original = traced_home.blobs.get(found.doc_id)[found.src_start : found.src_end]
    assert original.decode("gb18030") == "水是湿的"
    assert (found.exact, found.source, found.licence) == (True, "docs", "CC-BY-4.0")


def test_case_white_space_and_script_are_found_but_not_called_exact(traced_home):
    for text in ("FIRE  is\nhot", "水是濕的"):
        assert [one.exact for one in documents(trace_text(traced_home, text, SHORT))] == [False]


def test_a_text_shorter_than_a_span_is_looked_for_whole(traced_home):
    trace = trace_text(traced_home, "fire is hot")
    assert (trace.min_units, len(trace.spans)) == (3, 1)
    assert trace_text(traced_home, "fire is cold").spans == ()


def test_coverage_counts_bytes_without_white_space(traced_home):
    trace = trace_text(traced_home, "Fire is hot xyzzyxyzz", SHORT)
    assert trace.coverage == 9 / 18
    assert coverage("水 \u3000 水".encode(), [(0, 3), (0, 2)]) == 0.5
    assert coverage(b" \n", []) == 0.0


def test_no_original_offsets_without_a_byte_map(traced_home):
    (found,) = documents(trace_text(traced_home, "Ice is cold", SHORT))
    assert (found.src_start, found.src_end) == (None, None)


def test_bytes_that_are_no_text_are_traced_around(traced_home):
    (span,) = trace_text(traced_home, b"\xff\xfe Fire is hot \x80", SHORT).spans
    assert (span.start, span.end) == (3, 14)


def test_nothing_to_trace_and_too_much_to_trace_are_refused(traced_home):
    with pytest.raises(InputError, match="no text"):
        trace_text(traced_home, " \n ")
    with pytest.raises(InputError, match="at most 4 are traced"):
        trace_text(traced_home, "Fire is hot", TraceOptions(max_bytes=4))


def test_without_an_index_the_way_out_is_named(tmp_path):
    with pytest.raises(MissingError, match="suyuan index"):
        trace_text(fill_home(tmp_path).home, "Fire is hot")


def test_a_superseded_document_is_not_shown_even_before_the_next_index(home):
    set_rows(home, "plain.md", status="superseded")
    trace = trace_text(home, "Fire is hot.", SHORT)
    assert (trace.spans, trace.hidden, trace.coverage) == ((), 1, 0.0)
    assert update_span_index(home, "r2").removed == 1
    assert trace_text(home, "Fire is hot.", SHORT).hidden == 0


def test_a_text_of_two_sources_stays_while_one_of_them_is_revoked(home):
    home.ledger.add_source("mirror", trust=0.3)
    set_rows(home, "plain.md", source="mirror", trust=0.3)
    both = documents(trace_text(home, "Fire is hot.", SHORT))
    assert [one.source for one in both] == ["docs", "mirror"]
    home.ledger.add_source("docs", status="revoked")
    left = documents(trace_text(home, "Fire is hot.", SHORT))
    assert [one.source for one in left] == ["mirror"]
    assert update_span_index(home, "r2").documents == 1


def test_a_damaged_text_is_a_problem_and_no_source(home):
    (found,) = documents(trace_text(home, "Fire is hot.", SHORT))
    home.blobs.delete(found.text_id)
    trace = trace_text(home, "Fire is hot.", SHORT)
    assert trace.spans == ()
    assert [problem.node for problem in trace.problems] == [f"blob:{found.text_id}"]


def test_segments_are_recorded_with_what_they_were_made_of(home):
    (segment,) = home.spans.segments()
    node = f"spans:{segment.name}"
    assert home.ledger.get("artifact", node)["status"] == "live"
    assert f"snap:documents@{home.table('documents').version()}" in {
        edge.src for edge in home.ledger.up(node)
    }
    set_rows(home, "plain.md", status="gone")
    update_span_index(home, "r2")
    assert home.ledger.get("artifact", node)["status"] == "purged"


def test_a_flipped_byte_of_a_segment_is_found_and_named(home):
    (segment,) = home.spans.segments()
    assert not verify_all(home).problems
    files = [file for file in (home.spans.folder / segment.name).iterdir() if file.is_file()]
    path = max(files, key=lambda file: (file.stat().st_size, file.name))
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(bytes(data))
    assert any(segment.name in problem.node for problem in verify_all(home).problems)


def test_the_same_again_adds_nothing(home):
    update = update_span_index(home, "r2")
    assert (update.added, update.removed, update.documents) == (0, 0, 4)


def test_an_edit_is_shown_in_a_near_verbatim_passage(home):
    words = [f"word{number}" for number in range(20)]
    text_id = home.blobs.put(" ".join(words).encode())
    set_rows(home, "plain.md", uri="file:///docs/words", doc_id=text_id, text_id=text_id)
    update_span_index(home, "r2")
    query = " ".join([*words[:9], "ANOTHER", *words[10:]])
    trace = trace_text(home, query)
    (passage,) = trace.stitched
    edit = next(one for one in passage.edits if one.kind != "kept")
    assert (edit.kind, edit.text.strip(), edit.doc_text.strip()) == ("replaced", "ANOTHER", "word9")
    assert "ANOTHER" in render(trace, query.encode())
    assert "替换" in render(trace, query.encode(), "zh")


def test_short_pieces_make_one_passage_when_together_they_are_long_enough(home):
    words = [f"word{number}" for number in range(20)]
    text_id = home.blobs.put(" ".join(words).encode())
    set_rows(home, "plain.md", uri="file:///docs/words", doc_id=text_id, text_id=text_id)
    update_span_index(home, "r2")
    trace = trace_text(home, " ".join([*words[:5], "NEW", *words[5:10]]))
    assert (trace.spans, trace.coverage) == ((), 0.0)
    assert [edit.kind for edit in trace.stitched[0].edits] == ["kept", "inserted", "kept"]
    assert trace.coverage_stitched > 0.9
    assert trace_text(home, " ".join([*words[:4], "NEW", *words[12:15]])).stitched == ()


def test_a_trace_is_json_and_shows_its_documents(traced_home):
    trace = trace_text(traced_home, "Fire is hot.", SHORT)
    found = json.loads(json.dumps(trace.as_dict()))
    assert {"start", "end", "count", "documents"} <= found["spans"][0].keys()
    shown = render(trace, b"Fire is hot.")
    assert "file:///docs/plain.md" in shown
    assert "没有找到来源" in render(trace_text(traced_home, "no such words"), b"", "zh")
