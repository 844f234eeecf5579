"""A revocation that is killed inside any step is completed by the next one, with the same result.

One chain kills every step once, at a place drawn at random; SUYUAN_KILL_POINTS draws more chains.
"""

import multiprocessing
import os
import random
import shutil
import signal
import sys
from collections import Counter
from dataclasses import replace

import pytest

from storage.byte_search import search_folder
from storage.fingerprints import fingerprint, spellings
from tasks.provenance.revocation.certificate import certificate_of
from tasks.provenance.revocation.run import STEPS, Request, revoke
from tasks.provenance.revocation.scope import parse_scope
from tasks.provenance.verification.verify import verify_all
from tests.fakes import new_home
from tests.revocable_home import ALPHA, BETA, CHINESE, SECRET, fill, searcher, tools_for

CHAINS = int(os.environ.get("SUYUAN_KILL_POINTS", "1"))
LIMIT_S = 120
REQUEST = Request(scope=parse_scope("source:alpha"), reason="takedown", who="tester")
NAMES = [*(name for name, _ in STEPS), "certificate"]
WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "sqlite3.connect"}

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    [
        *("tests.revocable_home", "tasks.provenance.revocation.run", "storage.spans.writer"),
        *("storage.spans.reader", "tasks.features.lexical", "bm25s", "faiss", "filelock"),
        *("pandas", "infra.scrub"),
    ]
)


class Watch:
    """Counts what each step changes on the disk, and kills this process at one of the changes."""

    def __init__(self, step: str = "", at: int = -1) -> None:
        self.counts: Counter[str] = Counter()
        self._step, self._at, self._now = step, at, ""
        sys.addaudithook(self._hook)

    def progress(self, label: str, done: int, total: int) -> None:
        """Note which step has begun."""
        if label in NAMES:
            self._now = label
            self._seen()

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        wrote = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
        if self._now and (wrote or event in WRITES):
            self._seen()

    def _seen(self) -> None:
        self.counts[self._now] += 1
        if (self._now, self.counts[self._now]) == (self._step, self._at):
            os.kill(os.getpid(), signal.SIGKILL)


def child(folder, step, at, results):
    """Revoke in a process of its own, which dies inside a step unless `step` is empty."""
    home, watch = new_home(folder), Watch(step, at)
    revoke(home, REQUEST, replace(tools_for(home), progress=watch.progress), "r2")
    results.put(dict(watch.counts))


def run(folder, step="", at=-1):
    """Give the number of changes by step; None when the process was killed."""
    results = processes.SimpleQueue()
    process = processes.Process(target=child, args=(folder, step, at, results))
    process.start()
    process.join(LIMIT_S)
    assert process.exitcode in {0, -signal.SIGKILL}, process.exitcode
    return results.get() if process.exitcode == 0 else None


def counted(home):
    """What the certificate counts, as far as it does not depend on when files were left behind."""
    (revocation,) = home.revocations.list()
    said = certificate_of(home, revocation.revocation_id)
    details = {one["step"]: one["detail"] for one in said["steps"]}
    names = ("blobs", "ledger_rows")
    return details["answers"], {name: details["bytes"][name] for name in names}, said["plan"]


def state_of(home):
    """Digest all that a revocation leaves."""
    names = ("documents", "chunks", "counts", "vectors", "quarantine")
    texts = [*ALPHA.values(), *BETA.values()]
    return {
        "tables": {name: home.table(name).root() for name in names},
        "index": home.index_store.current().digest,
        "indexes": len(home.index_store.names()),
        "hits": [[hit.chunk_id for hit in searcher(home).search(text[:200])] for text in texts],
        "spans": [home.spans.trace(text.encode()) for text in texts],
        "blobs": list(home.blobs.ids()),
        "answers": {a.answer_id: (a.state, a.text) for a in home.ledger.answers()},
        "models": {model.node: model.status for model in home.models.list()},
        "revocations": [(one.scope, one.state) for one in home.revocations.list()],
        "counted": counted(home),
        "problems": verify_all(home).problems,
    }


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The filled home, what an undisturbed revocation leaves, and its changes by step."""
    folder = tmp_path_factory.mktemp("kills")
    fill(folder / "filled")
    shutil.copytree(folder / "filled", folder / "calm")
    counts = run(folder / "calm")
    assert set(counts) == set(NAMES)
    return folder, state_of(new_home(folder / "calm")), counts


@pytest.mark.parametrize("seed", range(CHAINS))
def test_killed_inside_every_step_it_ends_as_if_undisturbed(calm, seed):
    folder, expected, counts = calm
    place = folder / f"chain-{seed}"
    shutil.copytree(folder / "filled", place)
    draw = random.Random(seed)
    for step in NAMES:
        at = draw.randint(1, counts[step])
        assert run(place, step, at) is None, f"{step} ended before its change number {at}"
    assert run(place) is not None
    home = new_home(place)
    assert state_of(home) == expected
    (revocation,) = home.revocations.list()
    assert certificate_of(home, revocation.revocation_id)["scope"] == "source:alpha"
    wanted = fingerprint(form for text in (SECRET, CHINESE) for form in spellings(text.encode()))
    assert search_folder(home.root, wanted).places == ()
