"""Readers of labelled sets: formats, refusals by place, damage."""

import gzip
import json

import pytest

from storage.errors import InputError, MissingError
from tasks.evaluate import rows
from tasks.evaluate.sets import read_licences, read_sensitivity, read_set


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_bytes(
        gzip.compress(text.encode()) if path.suffix == ".gz" else (text + "\n").encode()
    )
    return path


@pytest.fixture
def beir(tmp_path):
    write(
        tmp_path / "corpus.jsonl",
        {"_id": "d1", "title": "Alpha", "text": "first"},
        {"_id": "d2", "title": "", "text": "second"},
    )
    write(
        tmp_path / "queries.jsonl",
        {"_id": "q1", "text": "what is first?"},
        {"_id": "q2", "text": "never judged"},
    )
    write(tmp_path / "qrels.tsv", "query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td2\t0")
    return tmp_path


def squad(*paragraphs):
    return json.dumps({"data": [{"title": "T", "paragraphs": list(paragraphs)}]})


def question(name, text="who?", **more):
    return {"id": name, "question": text, "answers": ["x"], **more}


def places(found):
    return [(row.place, row.reason) for row in found.refused]


def test_beir_folder_is_read_with_grades_and_titles(beir):
    found = read_set(beir)
    assert [passage.searched for passage in found.corpus] == ["Alpha\nfirst", "second"]
    assert found.relevant == {"q1": {"d1": 2}}
    assert (found.skipped, found.refused) == (1, ())


def test_qrels_header_is_optional_and_may_stand_in_a_folder(beir):
    (beir / "qrels.tsv").unlink()
    write(beir / "qrels" / "test.tsv", "q1\td2\t1")
    assert read_set(beir).relevant == {"q1": {"d2": 1}}


def test_trec_layout_with_its_unused_column_is_read(beir):
    write(beir / "qrels.tsv", "q1\t0\td2\t1")
    assert read_set(beir).relevant == {"q1": {"d2": 1}}


def test_gzip_files_are_found_and_read(beir):
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        path = beir / name
        path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert read_set(beir).relevant == {"q1": {"d1": 2}}


def test_bad_corpus_rows_are_refused_by_line_and_reason(beir):
    write(
        beir / "corpus.jsonl",
        {"_id": "d1", "text": "first"},
        "{broken",
        [1],
        {"_id": "d3"},
        {"_id": "d1", "text": "again"},
        {"_id": "d4", "text": "  "},
    )
    found = places(read_set(beir))
    assert [place for place, _ in found[:5]] == [f"corpus.jsonl:{n}" for n in (2, 3, 4, 5, 6)]
    assert [reason.split(":")[0] for _, reason in found[:5]] == [
        "not JSON",
        "a JSON list, not an object",
        "field text is missing or not text",
        "_id 'd1' occurs twice",
        "field text is empty",
    ]


def test_judgements_of_unknown_ids_and_odd_scores_are_refused(beir):
    write(beir / "qrels.tsv", "q1\td1\t1", "q9\td1\t1", "q1\td9\t1", "q1\td2\thigh", "q1 d2 1")
    found = places(read_set(beir))
    assert [place for place, _ in found] == [f"qrels.tsv:{n}" for n in (2, 3, 4, 5)]
    assert found[2][1] == "score 'high' is not a whole number"


def test_a_folder_without_corpus_judges_the_published_index(beir):
    (beir / "corpus.jsonl").unlink()
    write(beir / "qrels.tsv", "q1\tfile:///docs/a.md\t1")
    found = read_set(beir)
    assert (found.corpus, found.relevant) == ((), {"q1": {"file:///docs/a.md": 1}})


def test_a_missing_file_says_which(beir):
    (beir / "qrels.tsv").unlink()
    with pytest.raises(MissingError, match=r"qrels.tsv or qrels/test.tsv"):
        read_set(beir)
    with pytest.raises(MissingError, match="no such file"):
        read_set(beir / "absent.json")


def test_a_set_without_a_usable_question_is_refused_with_the_first_reasons(beir):
    write(beir / "qrels.tsv", "q1\td9\t1")
    with pytest.raises(InputError, match=r"no usable question .*passage 'd9' is not in the corpus"):
        read_set(beir)


def test_truncated_gzip_is_named_not_half_read(beir):
    whole = gzip.compress((beir / "corpus.jsonl").read_bytes() * 500)
    (beir / "corpus.jsonl").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged gzip data at line"):
        read_set(beir)


def test_a_line_over_the_bound_is_refused_and_the_next_one_read(beir, monkeypatch):
    monkeypatch.setattr(rows, "MAX_LINE_BYTES", 100)
    write(beir / "corpus.jsonl", {"_id": "d0", "text": "x" * 500}, {"_id": "d1", "text": "first"})
    found = read_set(beir)
    assert [passage.id for passage in found.corpus] == ["d1"]
    assert places(found)[0] == ("corpus.jsonl:1", "over 100 bytes")


def test_an_endless_last_line_is_refused(beir, monkeypatch):
    monkeypatch.setattr(rows, "MAX_LINE_BYTES", 100)
    (beir / "corpus.jsonl").write_text('{"_id": "d1", "text": "first"}\n{"text": "' + "x" * 500)
    assert places(read_set(beir))[0] == ("corpus.jsonl:2", "over 100 bytes")


def test_last_line_without_an_end_is_read(beir):
    (beir / "qrels.tsv").write_bytes(b"q1\td2\t1")
    assert read_set(beir).relevant == {"q1": {"d2": 1}}


def test_squad_paragraphs_are_the_corpus(tmp_path):
    body = squad({"context": "one", "qas": [question("a")]}, {"context": "two", "qas": []})
    found = read_set(write(tmp_path / "s.json.gz", body))
    assert [(p.id, p.title, p.text) for p in found.corpus] == [
        ("0/0", "", "one"),
        ("0/1", "", "two"),
    ]
    assert found.relevant == {"a": {"0/0": 1}}


def test_impossible_questions_are_skipped_and_unanswered_ones_refused(tmp_path):
    qas = [
        question("a", answers=[{"text": "x", "answer_start": 0}]),
        question("b", is_impossible=True, answers=[]),
        question("c", answers=[]),
    ]
    found = read_set(write(tmp_path / "s.json", squad({"context": "one", "qas": qas})))
    assert (list(found.queries), found.skipped) == (["a"], 1)
    assert places(found) == [
        (
            "s.json:data[0].paragraphs[0].qas[2]",
            "has no answer and is not marked is_impossible",
        )
    ]


def test_paragraphs_of_equal_text_are_one_passage(tmp_path):
    body = squad(
        {"context": "same", "qas": [question("a")]}, {"context": "same", "qas": [question("b")]}
    )
    found = read_set(write(tmp_path / "s.json", body))
    assert len(found.corpus) == 1
    assert found.relevant == {"a": {"0/0": 1}, "b": {"0/0": 1}}


def test_parallel_file_gives_the_questions_by_position(tmp_path):
    english = write(tmp_path / "en.json", squad({"context": "one", "qas": [question("a")]}))
    qas = [question("a", "谁？"), question("z", "何时？")]
    chinese = write(tmp_path / "zh.json", squad({"context": "一", "qas": qas}))
    found = read_set(english, chinese)
    assert found.queries == {"a": "谁？"}
    assert found.corpus[0].text == "one"
    assert places(found) == [
        (
            "zh.json:data[0].paragraphs[0].qas[1]",
            "question 'z' stands where the corpus file has nothing",
        )
    ]


def test_a_question_of_another_id_at_the_same_place_is_refused(tmp_path):
    qas = [question("a"), question("b")]
    english = write(tmp_path / "en.json", squad({"context": "one", "qas": qas}))
    swapped = write(
        tmp_path / "zh.json", squad({"context": "一", "qas": [question("a"), question("c")]})
    )
    found = read_set(english, swapped)
    assert list(found.queries) == ["a"]
    assert "stands where the corpus file has question 'b'" in found.refused[0].reason


def test_questions_in_another_language_may_come_as_json_lines(tmp_path):
    english = write(tmp_path / "en.json", squad({"context": "one", "qas": [question("a")]}))
    other = write(tmp_path / "zh.jsonl", {"_id": "a", "text": "谁？"}, {"_id": "b", "text": "?"})
    found = read_set(english, other)
    assert found.queries == {"a": "谁？"}
    assert places(found) == [("zh.jsonl:2", "question 'b' is not in the corpus file")]


@pytest.mark.parametrize("body", ["[]", "{", '{"data": 3}', '"text"'])
def test_other_json_is_refused(tmp_path, body):
    with pytest.raises(InputError):
        read_set(write(tmp_path / "s.json", body))


def test_sampling_is_seeded_and_keeps_the_corpus(tmp_path):
    qas = [question(f"q{n}") for n in range(50)]
    found = read_set(write(tmp_path / "s.json", squad({"context": "one", "qas": qas})))
    few = found.sample(10, seed=1)
    assert len(few.queries) == len(few.relevant) == 10
    assert few == found.sample(10, seed=1) != found.sample(10, seed=2)
    assert few.corpus == found.corpus


def test_the_digest_follows_the_contents(beir):
    before = read_set(beir).digest()
    assert read_set(beir).digest() == before
    write(beir / "qrels.tsv", "q1\td1\t1")
    assert read_set(beir).digest() != before


def test_licence_rows_need_a_text_and_may_carry_no_licence(tmp_path):
    path = write(
        tmp_path / "docs.jsonl.gz",
        {"id": "a", "text": "t", "license": "MIT"},
        {"id": "b", "text": "t", "license": None},
        {"id": "c", "license": "MIT"},
    )
    found = read_licences(path)
    assert [(row["id"], row["license"]) for row in found.rows] == [("a", "MIT"), ("b", "")]
    assert places(found) == [("docs.jsonl.gz:3", "field text is missing or not text")]


def test_sensitivity_spans_must_lie_in_the_text(tmp_path):
    def row(start, end):
        span = {"entity_type": "EMAIL", "start_position": start, "end_position": end}
        return {"full_text": "a@b.c", "spans": [span]}

    path = write(tmp_path / "pii.jsonl", row(0, 5), row(0, 6), {"full_text": "x"})
    found = read_sensitivity(path)
    assert len(found.rows) == 1
    assert [place for place, _ in places(found)] == ["pii.jsonl:2", "pii.jsonl:3"]


def test_a_file_of_refused_rows_only_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no usable row; first refusal: x\.jsonl:1: not JSON"):
        read_licences(write(tmp_path / "x.jsonl", "nope"))
