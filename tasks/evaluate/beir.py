"""Question sets in BEIR layout: corpus.jsonl, queries.jsonl and qrels.tsv in one folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from storage.errors import MissingError
from tasks.evaluate.questions import Passage, QuestionSet
from tasks.evaluate.rows import Refusal, Row, RowError, numbered_lines, parse_rows, text_field

QRELS = ("qrels.tsv", "qrels/test.tsv", "qrels/dev.tsv")


def read_beir(folder: Path, queries: Path | None = None) -> QuestionSet:
    """Read `corpus.jsonl`, `queries.jsonl` and `qrels.tsv` or `qrels/test.tsv`, each maybe .gz."""
    refused: list[Refusal] = []
    corpus_file = _find(folder, "corpus.jsonl")
    corpus = tuple(_passages(corpus_file, refused)) if corpus_file else ()
    texts = _queries(queries or _need(folder, "queries.jsonl"), refused)
    known = {passage.id for passage in corpus} if corpus_file else None
    relevant = _qrels(_need(folder, *QRELS), texts, known, refused)
    judged = {query: text for query, text in texts.items() if query in relevant}
    return QuestionSet(
        name=folder.name,
        corpus=corpus,
        queries=judged,
        relevant={query: relevant[query] for query in judged},
        refused=tuple(refused),
        skipped=len(texts) - len(judged),
    )


def _find(folder: Path, *names: str) -> Path | None:
    tried = (folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz"))
    return next((path for path in tried if path.is_file()), None)


def _need(folder: Path, *names: str) -> Path:
    found = _find(folder, *names)
    if found is None:
        raise MissingError(
            f"holds no {' or '.join(names)}",
            item=str(folder),
            way_out="See docs/evaluation.md for the formats.",
        )
    return found


def _passages(path: Path, refused: list[Refusal]) -> Iterator[Passage]:
    def parse(row: Row, _: int) -> Passage:
        title = text_field(row, "title", default="")
        return Passage(text_field(row, "_id", "id"), title, text_field(row, "text"))

    seen: set[str] = set()
    for number, passage in parse_rows(path, parse, refused):
        if passage.id in seen:
            refused.append(Refusal(f"{path.name}:{number}", f"_id {passage.id!r} occurs twice"))
        else:
            seen.add(passage.id)
            yield passage


def _queries(path: Path, refused: list[Refusal]) -> dict[str, str]:
    def parse(row: Row, _: int) -> tuple[str, str]:
        return text_field(row, "_id", "id"), text_field(row, "text")

    texts: dict[str, str] = {}
    for number, (query, text) in parse_rows(path, parse, refused):
        if query in texts:
            refused.append(Refusal(f"{path.name}:{number}", f"_id {query!r} occurs twice"))
        else:
            texts[query] = text
    return texts


def _qrels(
    path: Path, queries: Mapping[str, str], passages: set[str] | None, refused: list[Refusal]
) -> dict[str, dict[str, int]]:
    """Read grades above 0; `passages` None accepts any id."""
    relevant: dict[str, dict[str, int]] = {}
    for number, line in numbered_lines(path, refused):
        if not line.strip() or (number == 1 and _is_header(line)):
            continue
        try:
            query, passage, grade = _judgement(line)
            _check_known(query, passage, queries, passages)
        except RowError as error:
            refused.append(Refusal(f"{path.name}:{number}", str(error)))
            continue
        if grade > 0:
            relevant.setdefault(query, {})[passage] = grade
    return relevant


def _is_header(line: bytes) -> bool:
    return not line.split(b"\t")[-1].strip().lstrip(b"-").isdigit()


def _judgement(line: bytes) -> tuple[str, str, int]:
    try:
        fields = [field.strip() for field in line.decode("utf-8-sig").split("\t")]
    except UnicodeDecodeError as error:
        raise RowError(f"not UTF-8 at byte {error.start}") from error
    if len(fields) == 4:  # TREC's own layout carries an unused second column
        fields.pop(1)
    if len(fields) != 3:
        raise RowError(f"{len(fields)} tab-separated fields, not query-id, corpus-id, score")
    try:
        return fields[0], fields[1], int(fields[2])
    except ValueError as error:
        raise RowError(f"score {fields[2]!r} is not a whole number") from error


def _check_known(
    query: str, passage: str, queries: Mapping[str, str], passages: set[str] | None
) -> None:
    if query not in queries:
        raise RowError(f"query {query!r} is not in the queries")
    if passages is not None and passage not in passages:
        raise RowError(f"passage {passage!r} is not in the corpus")
