"""Cost of proof: tree over a log of a million entries, bundles of its citations, their check offline.

    python -m benchmarks.proof [--entries 1000000] [--out benchmarks/results/proof.json]

Times are CPU seconds of this process; sizes are bytes of files.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from storage.attest import Keyring
from storage.digest import sha256_hex
from storage.home import Home
from storage.ledger import Ledger
from storage.records import Answer, Citation
from storage.transparency import Tree
from tasks.provenance.bundle import make_bundle, verify_bundle

QUOTES = (
    "The server waits until every transaction that began before it has ended, and only then "
    "marks the index as valid; a failure in between leaves an index that must be dropped.",
    "如果事务在提交之前失败，服务器会撤销它所做的全部更改，并释放它持有的所有锁，其他会话随后可以继续。",
)


def measure(entries: int, folder: Path) -> dict[str, float]:
    """Fill a ledger, then time what proof needs."""
    home = Home(
        str(folder / "blobs"),
        str(folder / "tables"),
        f"sqlite:///{folder}/ledger.db",
        folder / "indexes",
        folder,
    )
    ids = _fill(home, entries)
    tree, keyring = Tree(home.ledger_url), Keyring(home.root / "keys")
    figures = {"entries": float(entries)}
    figures["build_tiles_s"] = _cpu(tree.extend)
    figures["sign_first_head_s"] = _cpu(lambda: tree.sign_head(keyring))
    Ledger(home.ledger_url).derive("doc:y", [f"source:{n}" for n in range(1_000)], "from")
    figures["sign_next_head_1000_entries_ms"] = 1e3 * _cpu(lambda: tree.sign_head(keyring))
    size = tree.head().size
    seqs = [1 + number * (size - 1) // 49 for number in range(50)]
    figures["inclusion_ms"] = _median_ms([lambda seq=seq: tree.inclusion(seq) for seq in seqs])
    olds = [1 + number * (size - 2) // 19 for number in range(20)]
    figures["consistency_ms"] = _median_ms([lambda old=o: tree.consistency(old) for o in olds])
    bundles = {name: make_bundle(home, name, 0) for name in ids}
    figures["make_bundle_ms"] = _median_ms([lambda n=n: make_bundle(home, n, 0) for n in ids[:8]])
    for grade in ("quoted", "cited"):
        sizes = [len(data) for name, data in bundles.items() if grade in name.lower()]
        figures[f"bundle_{grade}_bytes_median"] = float(statistics.median(sizes))
        figures[f"bundle_{grade}_bytes_max"] = float(max(sizes))
    public = keyring.public_key()
    checks = [lambda d=d: verify_bundle(d, public) for d in bundles.values()] * 20
    figures["verify_bundle_ms"] = _median_ms(checks)
    if not all(verify_bundle(data, public).ok for data in bundles.values()):
        raise SystemExit("a bundle does not verify")
    figures["verify_tree_s"] = _cpu(lambda: _expect_sound(tree))
    return {name: round(value, 4) for name, value in figures.items()}


def _fill(home: Home, entries: int) -> list[str]:
    """Write answers in the first tenth of the log, then edges up to the number of entries."""
    ledger = home.ledger
    ledger.derive("doc:first", [f"source:{n}" for n in range(entries // 10)], "from")
    ids = []
    for number in range(20):
        for grade in ("quoted", "cited"):
            quote = QUOTES[number % 2]
            name = f"01{grade.upper()}{number:018d}"[:26]
            ledger.add_answer(_answer(home, name, grade, quote))
            ids.append(name)
    left = entries - ledger.head().seq
    ledger.derive("doc:x", [f"source:{n:07d}" for n in range(left)], "from")
    return ids


def _answer(home: Home, name: str, grade: str, quote: str) -> Answer:
    text = f"{quote} {QUOTES[0]}"
    lead = "Preface. "
    doc = home.blobs.put(f"{lead}{quote}".encode())
    size = len(quote.encode())
    citation = Citation(
        a_start=0,
        a_end=size,
        grade="quoted" if grade == "quoted" else "cited",
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


def _median_ms(calls: list[Callable[[], object]]) -> float:
    return 1e3 * statistics.median(_cpu(call) for call in calls)


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(given.entries, Path(folder))
    print(json.dumps(figures, indent=2))
    if given.out:
        given.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
