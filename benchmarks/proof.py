"""Cost of proof: tree over a log of a million entries, bundles of its citations, their check offline.

    python -m benchmarks.proof [--entries 1000000]

Times are CPU seconds of this process; sizes are bytes of files.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.report import Result, environment, publish
from storage.attest import Keyring
from storage.digest import sha256_hex
from storage.home import Home
from storage.ledger import Ledger
from storage.records import Answer, Citation
from storage.transparency import Tree
from tasks.provenance.proof.bundle import make_bundle, verify_bundle

T = TypeVar("T")

MILLION = 1_000_000
MOST_BYTES = 2_048
GRADES = ("quoted", "cited")
QUOTES = (
    "The server waits until every transaction that began before it has ended, and only then "
    "marks the index as valid; a failure in between leaves an index that must be dropped.",
    "如果事务在提交之前失败，服务器会撤销它所做的全部更改，并释放它持有的所有锁，其他会话随后可以继续。",
)
PARAPHRASES = (
    "An index becomes valid only after all transactions that are older than it have ended, and one "
    "that fails while it is being built stays behind invalid and has to be dropped by hand.",
    "提交之前一旦失败，服务器就撤销该事务的所有更改并放开其全部锁，此后其他会话不再等待而可以接着运行。",
)


def measure(entries: int, folder: Path) -> Iterator[Result]:
    """Fill a ledger, then time what proof needs."""
    home = Home(
        str(folder / "blobs"),
        str(folder / "tables"),
        f"sqlite:///{folder}/ledger.db",
        folder / "indexes",
        folder,
    )
    answers = _fill(home, entries)
    keyring = Keyring(home.root / "keys")
    yield from trees(home, Tree(home.ledger_url), keyring)
    yield from bundles(home, answers, keyring.public_key())


def trees(home: Home, tree: Tree, keyring: Keyring) -> Iterator[Result]:
    """Time the tree: its tiles, heads, proofs of inclusion and of consistency, its check."""
    size = home.ledger.head().seq
    yield _figure("tiles of the whole log", _cpu(tree.extend), "CPU-s", size)
    sign = partial(tree.sign_head, keyring)
    yield _figure("first signed head", 1e3 * _cpu(sign), "CPU-ms", 1)
    Ledger(home.ledger_url).derive("doc:y", [f"source:{n}" for n in range(1_000)], "from")
    yield _figure("signed head after 1,000 entries", 1e3 * _cpu(sign), "CPU-ms", 1)
    size = tree.head().size
    seqs = [1 + number * (size - 1) // 49 for number in range(50)]
    yield _figure("proof of inclusion, p50", _median_ms(tree.inclusion, seqs), "CPU-ms", len(seqs))
    olds = [1 + number * (size - 2) // 19 for number in range(20)]
    took = _median_ms(tree.consistency, olds)
    yield _figure("proof of consistency, p50", took, "CPU-ms", len(olds))
    yield _figure("check of all tiles and heads", _cpu(partial(_expect_sound, tree)), "CPU-s", size)


def bundles(home: Home, answers: Sequence[tuple[str, str]], public: bytes) -> Iterator[Result]:
    """Measure bundles of citations, and their check with a public key alone."""
    names = [name for name, _ in answers]
    took = _median_ms(lambda name: make_bundle(home, name, 0), names)
    yield _figure("making a bundle, p50", took, "CPU-ms", len(names))
    made = {name: make_bundle(home, name, 0) for name in names}
    for wanted in GRADES:
        sizes = [len(made[name]) for name, grade in answers if grade == wanted]
        largest, most = max(sizes), f"<= {MOST_BYTES}"
        yield Result(
            name=f"bundle of a {wanted} span, largest", ours=largest, unit="bytes", n=len(sizes),
            bar=most, passes=largest <= MOST_BYTES, detail={"median": statistics.median(sizes)},
        )  # fmt: skip
    took = _median_ms(lambda data: verify_bundle(data, public), [*made.values()] * 20)
    yield _figure("check of a bundle offline, p50", took, "CPU-ms", 20 * len(made))
    sound = sum(verify_bundle(data, public).ok for data in made.values())
    yield Result(
        name="bundles that verify", ours=sound / len(made), unit="share", n=len(made),
        bar="1", passes=sound == len(made),
    )  # fmt: skip


def _fill(home: Home, entries: int) -> list[tuple[str, str]]:
    """Write answers after the first tenth of the log, then edges; give their names and grades."""
    ledger = home.ledger
    ledger.derive("doc:first", [f"source:{n}" for n in range(entries // 10)], "from")
    answers = []
    for number in range(20):
        for grade in GRADES:
            quote = QUOTES[number % 2]
            sentence = quote if grade == "quoted" else PARAPHRASES[number % 2]
            name = f"01{grade.upper()}{number:018d}"[:26]
            ledger.add_answer(_answer(home, name, sentence, quote))
            answers.append((name, grade))
    left = entries - ledger.head().seq
    ledger.derive("doc:x", [f"source:{n:07d}" for n in range(left)], "from")
    return answers


def _answer(home: Home, name: str, sentence: str, quote: str) -> Answer:
    text = f"{sentence} {QUOTES[0]}"
    lead = "Preface. "
    doc = home.blobs.put(f"{lead}{quote}".encode())
    size = len(quote.encode())
    citation = Citation(
        a_start=0,
        a_end=len(sentence.encode()),
        grade="quoted" if sentence == quote else "cited",
        score=0.8123456789012345,
        chunk_id=sha256_hex(doc.encode()),
        doc_id=doc,
        text_id=doc,
        origin="identity",
        source="debian-documentation",
        uri="file:///usr/share/doc/postgresql-doc-15/html/sql-createindex.html",
        licence="PostgreSQL",
        start=len(lead),
        end=len(lead) + size,
        src_start=len(lead),
        src_end=len(lead) + size,
        quote_sha256=sha256_hex(quote.encode()),
    )
    return Answer(
        answer_id=name,
        question="What happens to an index when a concurrent build fails?",
        status="answered",
        text=text,
        generator="extractive",
        index_digest=sha256_hex(b"index"),
        run_id="0a1b2c3d-0000-4000-8000-000000000000",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        citations=(citation,),
        signals=dict.fromkeys(("bm25", "cosine", "coverage", "margin"), 0.123456789012),
    )


def _expect_sound(tree: Tree) -> None:
    if problems := tree.verify():
        raise SystemExit(f"the tree does not verify: {problems[0]}")


def _cpu(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _median_ms(call: Callable[[T], object], subjects: Sequence[T]) -> float:
    return 1e3 * statistics.median(_cpu(partial(call, subject)) for subject in subjects)


def _figure(name: str, value: float, unit: str, n: int) -> Result:
    return Result(name=name, ours=value, unit=unit, n=n)


def main() -> int:
    """Run it, print and keep the figures; exit 1 when a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=MILLION)
    entries: int = parser.parse_args().entries
    env = environment(entries=entries)
    with tempfile.TemporaryDirectory() as folder:
        results = list(measure(entries, Path(folder)))
    publish("proof", env, results, quick=entries < MILLION)
    return 0 if all(result.passes is not False for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
