"""The ledger on a real PostgreSQL: the same answers as on SQLite, from many processes at once."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing import get_context

import pytest
import sqlalchemy as sa

from storage.errors import NotFoundError
from storage.ledger import Ledger
from storage.records import Answer, Citation, Part

pytestmark = pytest.mark.server

WRITERS = 3
PER_WRITER = 200
TOGETHER = 20
"""After so many writes the writers wait for each other, so that a starved one is not left behind."""
WAIT_S = 120


def documents(prefix: str, number: int) -> list[dict[str, object]]:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "doc_id": f"{prefix}{n}",
            "source": "docs",
            "uri": f"file:///{prefix}/{n}",
            "n_bytes": n,
            "trust": 0.1 * n,
            "title": "标题\0",
            "fetched_at": time,
        }
        for n in range(number)
    ]


def citation() -> Citation:
    return Citation(
        a_start=0,
        a_end=3,
        grade="cited",
        score=0.1 + 0.2,
        chunk_id="c",
        doc_id="a0",
        text_id="t",
        origin="mapped",
        source="docs",
        uri="file:///a/0",
        licence="MIT",
        start=1,
        end=4,
        src_start=9,
        src_end=12,
        quote_sha256="0" * 64,
    )


def answer() -> Answer:
    return Answer(
        answer_id="01A",
        question="为什么？",
        status="answered",
        text="所",
        generator="extractive",
        index_digest="f" * 64,
        run_id="r1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        citations=(citation(), replace(citation(), src_start=None, src_end=None)),
        signals={"cosine": 0.1},
    )


def fill(ledger: Ledger) -> None:
    ledger.add_source("docs", "file:///", "MIT", 0.7)
    ledger.add_documents(documents("a", 20))
    ledger.start_run("r1", "ingest", {"x": 1})
    ledger.finish_run("r1", "finished", {"documents": 20.0})
    ledger.add_artifact("snap:documents@1", "snapshot", "/t", "ab", "r1", {})
    ledger.add_parts("documents", [Part(path="p", n_bytes=1 << 40, n_rows=1, sha256="s")], "r1")
    ledger.derive("index:" + "f" * 64, ["snap:documents@1"], "used")
    ledger.add_answer(answer())


def write_many(url: str, prefix: str, barrier) -> None:
    for number, row in enumerate(documents(prefix, PER_WRITER)):
        if number % TOGETHER == 0:
            barrier.wait(WAIT_S)
        Ledger(url).add_documents([row])


def timeless(value: object) -> object:
    """Rows without the times at which they were written."""
    times = {"recorded_at", "created_at", "started_at", "finished_at"}
    return {k: v for k, v in value.items() if k not in times} if isinstance(value, dict) else value


def test_both_databases_hold_the_same(postgres_url, tmp_path):
    ours = Ledger(postgres_url), Ledger(f"sqlite:///{tmp_path}/l.db")
    for ledger in ours:
        fill(ledger)
    keys = [("document", "a7"), ("doc_source", "a7|docs|file:///a/7"), ("run", "r1")]
    assert len({str([timeless(one.get(*key)) for key in keys]) for one in ours}) == 1
    assert len({str(one.up("answer:01A") + one.down("source:docs")) for one in ours}) == 1
    assert len({str(one.counts()) for one in ours}) == 1
    assert [one.answer("01A") for one in ours] == [answer(), answer()]
    assert ours[0].parts("documents") == ours[1].parts("documents")
    assert [one.verify() for one in ours] == [[], []]


def test_the_same_facts_again_add_nothing(postgres_url):
    ledger = Ledger(postgres_url)
    fill(ledger)
    head = ledger.head()
    ledger.add_documents(documents("a", 20))
    ledger.add_answer(answer())
    assert ledger.head() == head


def test_an_unknown_answer_is_not_found(postgres_url):
    with pytest.raises(NotFoundError, match="suyuan ask"):
        Ledger(postgres_url).answer("zz")


@pytest.mark.parametrize(
    ("statement", "node"),
    [
        ("UPDATE doc_source SET licence = 'GPL-2.0-only' WHERE doc_id = 'a3'", "doc_source/a3"),
        ("UPDATE answer_span SET score = 0.3 WHERE ordinal = 1", "answer_span/01A|1"),
        ("DELETE FROM run", "run/r1"),
        ("DELETE FROM log WHERE seq = 5", "log/5"),
    ],
)
def test_whatever_is_changed_behind_its_back_is_named(postgres_url, statement, node):
    ledger = Ledger(postgres_url)
    fill(ledger)
    with sa.create_engine(postgres_url).begin() as connection:
        assert connection.exec_driver_sql(statement).rowcount == 1
    assert any(problem.node.startswith(f"ledger:{node}") for problem in ledger.verify())


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_many_processes_write_one_chain(kind, postgres_url, tmp_path):
    url = postgres_url if kind == "postgresql" else f"sqlite:///{tmp_path}/l.db"
    spawn = get_context("spawn")
    barrier = spawn.Barrier(WRITERS)
    names = [f"w{number}-" for number in range(WRITERS)]
    writers = [spawn.Process(target=write_many, args=(url, name, barrier)) for name in names]
    for writer in writers:
        writer.start()
    seen = [ledger_is_sound(url)]
    while any(writer.is_alive() for writer in writers):
        seen.append(ledger_is_sound(url))
    for writer in writers:
        writer.join(WAIT_S)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert Ledger(url).counts()["document"] == WRITERS * PER_WRITER
    assert [*seen, ledger_is_sound(url)] == [True] * (len(seen) + 1)
    assert switches(url) >= WRITERS


def ledger_is_sound(url: str) -> bool:
    return Ledger(url).verify() == []


def switches(url: str) -> int:
    """How often the log goes from one writer to another: WRITERS - 1 times unless they overlapped."""
    query = "SELECT key FROM log WHERE kind = 'document' ORDER BY seq"
    with sa.create_engine(url).connect() as connection:
        writers = [key.partition("-")[0] for key in connection.exec_driver_sql(query).scalars()]
    return sum(one != other for one, other in pairwise(writers))
