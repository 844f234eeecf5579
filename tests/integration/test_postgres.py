"""The ledger on a real PostgreSQL: the same answers as on SQLite, from many processes at once."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.errors import MissingError, NotFoundError
from storage.home import Home
from storage.ledger import Ledger
from storage.ledger_engine import writing
from storage.models import ModelRecords
from storage.records import Answer, Citation, Exposure, Part
from tasks.provenance.lineage.impact import impact
from tasks.provenance.lineage.model_why import explain_model

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


def stable(value: object) -> object:
    """Rows without the times at which they were written and without their random salts."""
    left = {"recorded_at", "created_at", "started_at", "finished_at", "salt"}
    return {k: v for k, v in value.items() if k not in left} if isinstance(value, dict) else value


def test_both_databases_hold_the_same(postgres_url, tmp_path):
    ours = Ledger(postgres_url), Ledger(f"sqlite:///{tmp_path}/l.db")
    for ledger in ours:
        fill(ledger)
    keys = [("document", "a7"), ("doc_source", "a7|docs|file:///a/7"), ("run", "r1")]
    assert len({str([stable(one.get(*key)) for key in keys]) for one in ours}) == 1
    assert len({str(one.up("answer:01A") + one.down("source:docs")) for one in ours}) == 1
    assert len({str(one.counts()) for one in ours}) == 1
    assert [one.answer("01A") for one in ours] == [answer(), answer()]
    assert ours[0].parts("documents") == ours[1].parts("documents")
    assert [one.verify() for one in ours] == [[], []]


def home_of(ledger: Ledger, folder: Path) -> Home:
    return Home(f"{folder}/blobs", f"{folder}/tables", ledger.url, folder / "indexes", folder)


def test_both_databases_tell_the_same(postgres_url, tmp_path):
    """Impact, models, revocations, trust and erasure ask and write in one dialect."""
    ours = Ledger(postgres_url), Ledger(f"sqlite:///{tmp_path}/l.db")
    told = []
    for number, ledger in enumerate(ours):
        home = home_of(ledger, tmp_path / str(number))
        fill(ledger)
        ledger.add_source("mirror")
        row = {**documents("a", 1)[0], "source": "mirror", "uri": "m", "licence": "MIT"}
        ledger.add_documents([row])
        samples = [Exposure(doc_id="a0", source="docs", licence="MIT", n_samples=1, n_bytes=5)]
        node = ModelRecords(ledger.url).add(
            "tiny", "1", path="", sha256="s", run_id="r1", trained_on="snap:documents@1",
            samples=samples,
        )  # fmt: skip
        ledger.add_answer(replace(answer(), answer_id="01B", generator=node, citations=()))
        ledger.derive("cache:1", ["answer:01A"], "wasDerivedFrom")
        home.trust_records.override("docs", 0.2, "me", "why")
        revocation = home.revocations.open("source:docs", "x", "me", {"n": 1})
        home.revocations.step_done(revocation, "plan", {})
        nodes = ("source:docs", "licence:M*", "source:mirror")
        touched = [asdict(impact(home, name)) for name in nodes]
        told.append(
            str([
                touched, ledger.cited("01A"), ledger.answers_of(["a0", "a1"]), ledger.answers_of(["a0"]),
                home.models.shares(node), home.models.exposed(["a0"]), explain_shares(home, node),
                home.trust_records.effective("docs").trust,
                [(one.scope, one.state) for one in home.revocations.list()],
            ])
        )  # fmt: skip
        assert ledger.verify() == []
    assert told[0] == told[1]


def explain_shares(home: Home, node: str) -> object:
    found = explain_model(home, node)
    return found.sources, found.revoked, found.trained_on


def test_what_is_erased_is_in_no_row(postgres_url):
    ledger = Ledger(postgres_url)
    fill(ledger)
    before = ledger.head()
    assert ledger.erase_answers(["01A"], "gone") == 1
    assert ledger.erase_documents([("a0", "docs")], "gone") == 1
    ledger.shrink()
    assert (ledger.answer("01A").text, ledger.answer("01A").state) == ("", "erased")
    assert ledger.verify(before) == []


def test_a_database_of_another_version_is_refused(postgres_url):
    with sa.create_engine(postgres_url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE answer (answer_id TEXT PRIMARY KEY)")
    with pytest.raises(MissingError, match="another version"):
        Ledger(postgres_url).counts()


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


def test_opening_a_ledger_waits_for_no_writer(postgres_url):
    Ledger(postgres_url).add_documents(documents("a", 2))
    with writing(postgres_url) as connection:
        changed = connection.exec_driver_sql("UPDATE doc_source SET status = 'gone'")
        late = Ledger(f"{postgres_url}?application_name=late")
        assert late.counts()["doc_source"] == changed.rowcount == 2


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
