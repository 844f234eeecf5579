"""However documents came and went, the answers are those of one fresh index of what is left."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.spans.index import Passage, SpanIndex

TEXTS = st.lists(st.sampled_from(["aA", "b", "c\n", "d_", "里", "裏"]), max_size=30).map(" ".join)
BATCHES = st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=4)


@settings(max_examples=8)
@given(BATCHES, st.lists(TEXTS, min_size=1, max_size=3), st.data())
def test_segments_tombstones_joining_and_purging_answer_like_a_rebuild(batches, queries, data):
    with tempfile.TemporaryDirectory() as name:
        index, fresh = SpanIndex(Path(name) / "index"), SpanIndex(Path(name) / "fresh")
        passages = []
        for number, texts in enumerate(batches):
            batch = [Passage(f"{number}-{at}", text.encode()) for at, text in enumerate(texts)]
            index.add(batch)
            passages += batch
        dead = {passage.doc_id for passage in passages if data.draw(st.booleans())}
        assert index.tombstone(dead) == len(dead)
        fresh.add(passage for passage in passages if passage.doc_id not in dead)
        truth = [fresh.trace(query.encode(), min_units=2) for query in queries]
        for step in (lambda: None, index.compact, lambda: index.compact(purge=True)):
            step()
            assert [index.trace(query.encode(), min_units=2) for query in queries] == truth
        assert index.documents() == fresh.documents()
        assert all(not entry.dead for entry in index.segments())


@settings(max_examples=8)
@given(st.lists(TEXTS, min_size=1, max_size=4), TEXTS)
def test_both_sides_of_a_match_hold_the_same_units(texts, query):
    from storage.spans.units import current_rule, scanner

    cut = scanner(current_rule()).units
    with tempfile.TemporaryDirectory() as name:
        index = SpanIndex(Path(name))
        index.add(Passage(str(at), text.encode()) for at, text in enumerate(texts))
        for match in index.trace(query.encode(), min_units=3):
            own = cut(query.encode()[match.start : match.end]).hashes.tolist()
            assert len(own) >= 3
            for hit in match.hits:
                source = texts[int(hit.doc_id)].encode()[hit.start : hit.end]
                assert cut(source).hashes.tolist() == own
