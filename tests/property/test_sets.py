"""Laws of the set readers: what is written is read, and garbage is refused, never fatal."""

import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import InputError
from tasks.evaluate.rows import Refusal, parse_rows, text_field
from tasks.evaluate.sets import read_set

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1)
ids = st.from_regex(r"[a-z0-9一-龥/]{1,8}", fullmatch=True)
grades = st.integers(1, 3)


@st.composite
def sets(draw):
    corpus = draw(st.dictionaries(ids, words, min_size=1, max_size=5))
    queries = draw(st.dictionaries(ids, words, min_size=1, max_size=4))
    judged = st.dictionaries(st.sampled_from(sorted(corpus)), grades, min_size=1, max_size=3)
    return corpus, queries, {query: draw(judged) for query in queries}


def jsonl(path, texts, packed):
    body = "".join(json.dumps({"_id": name, "text": texts[name]}) + "\n" for name in texts).encode()
    path.write_bytes(gzip.compress(body) if packed else body)


@settings(deadline=None)
@given(sets(), st.booleans(), st.booleans())
def test_a_written_set_is_read_back_whole(parts, packed, header):
    corpus, queries, relevant = parts
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jsonl(folder / "corpus.jsonl", corpus, packed)
        jsonl(folder / "queries.jsonl", queries, packed)
        lines = [f"{q}\t{d}\t{grade}" for q, row in relevant.items() for d, grade in row.items()]
        lines = ["query-id\tcorpus-id\tscore", *lines] if header else lines
        (folder / "qrels.tsv").write_text("\n".join(lines), "utf-8")
        found = read_set(folder)
    assert {passage.id: passage.text for passage in found.corpus} == corpus
    assert (found.queries, found.relevant, found.refused) == (queries, relevant, ())


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), st.just(b'{"text": "ok"}')), max_size=8))
def test_every_line_is_either_read_or_refused_by_its_number(lines):
    lines = [line.replace(b"\n", b" ").replace(b"\r", b" ") for line in lines]
    refused: list[Refusal] = []
    with tempfile.NamedTemporaryFile() as file:
        # a leading blank keeps random bytes from looking like gzip
        Path(file.name).write_bytes(b"\n" + b"\n".join(lines))
        read = list(parse_rows(Path(file.name), lambda row, _: text_field(row, "text"), refused))
    seen = [number for number, _ in read] + [int(row.place.split(":")[1]) for row in refused]
    assert sorted(seen) == [n for n, line in enumerate(lines, 2) if line.strip()]
    assert [text for _, text in read] == ["ok"] * lines.count(b'{"text": "ok"}')


@settings(deadline=None)
@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), st.lists, max_leaves=6))
def test_json_of_any_shape_is_refused_as_a_set_not_a_crash(value):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "set.json"
        path.write_text(json.dumps({"data": [{"paragraphs": [value, {"qas": value}]}, value]}))
        with pytest.raises(InputError, match="no usable question"):
            read_set(path)
