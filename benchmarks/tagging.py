"""What tagging a document costs: licence, sensitive spans and signature, per MB of text.

Signatures are compared with datasketch's MinHash (128 permutations, xxhash of three-word
shingles). The bundled licence texts are those of the installed distributions whose metadata
states an SPDX expression. Rounds alternate; the best of each is kept, as other work on the
machine can only add time. `--quick` takes every eighth document.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import Distribution, distributions

import xxhash
from datasketch import MinHash

from benchmarks.report import Result, environment, measured, publish
from infra.settings import Settings
from tasks.evaluate.sets import read_licences
from tasks.ingest.duplicates import BINS, signature
from tasks.provenance.licences.detection import find_licence, match_text, normalise
from tasks.provenance.licences.names import spdx
from tasks.provenance.sensitivity.detection import find_sensitive

ROUNDS = 5
TAG_BAR, SIGNATURE_BAR = 30.0, 10.0
_WORD = re.compile(r"\w+")
_SIDE_FILES = re.compile(r"AUTHORS|NOTICE|README|CHANGELOG|CONTRIBUTORS|THIRD", re.IGNORECASE)


def main() -> int:
    """Measure, and write benchmarks/results/tagging.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    env = environment(rounds=ROUNDS)
    rows = read_licences(Settings().data / "docs-multilicense/docs.jsonl.gz").rows
    texts = [str(row["text"]) for row in rows][:: 8 if quick else 1]
    results = [*speeds(texts), *spans_per_megabyte(texts), licence_files()]
    publish("tagging", env, results, quick=quick)
    return 0 if all(result.passes is not False for result in results) else 1


def speeds(texts: Sequence[str]) -> Iterator[Result]:
    """Measure megabytes per CPU second of each tagger."""
    works: dict[str, Callable[[str], object]] = {
        "licence": lambda text: find_licence("", "none", text),
        "sensitive spans": find_sensitive,
        "licence and sensitive spans": _tag,
        "near-duplicate signature": signature,
        "datasketch": datasketch_signature,
    }
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            best[name] = min(best[name], _cpu_seconds(work, texts))
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    rates = {name: megabytes / cpu for name, cpu in best.items()}
    peer = rates.pop("datasketch")
    bars = {"licence and sensitive spans": TAG_BAR, "near-duplicate signature": SIGNATURE_BAR}
    for name, rate in rates.items():
        signs = name == "near-duplicate signature"
        yield Result(
            name=name,
            ours=rate,
            unit="MB/CPU-s",
            n=len(texts),
            peer=peer if signs else None,
            peer_name="datasketch" if signs else "",
            bar=f">= {bars[name]:.0f}" if name in bars else "",
            passes=rate >= bars[name] if name in bars else None,
        )


def _cpu_seconds(work: Callable[[str], object], texts: Sequence[str]) -> float:
    with measured() as spent:
        for text in texts:
            work(text)
    return spent.cpu


def _tag(text: str) -> None:
    find_licence("", "none", text)
    find_sensitive(text)


def datasketch_signature(text: str) -> object:
    """Sign a text as datasketch does, on shingles of three words."""
    words = _WORD.findall(text.lower())
    shingles = {" ".join(words[at : at + 3]).encode() for at in range(len(words) - 2)}
    minhash = MinHash(num_perm=BINS, seed=1, hashfunc=xxhash.xxh32_intdigest)
    minhash.update_batch(shingles)
    return minhash.digest()


def spans_per_megabyte(texts: Sequence[str]) -> Iterator[Result]:
    """Count what is found in technical documents, where little is personal."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    counts = Counter(span.kind for text in texts for span in find_sensitive(text))
    for kind, n in sorted(counts.items()):
        yield Result(
            name=f"{kind} found in technical documents", ours=n / megabytes, unit="1/MB", n=n
        )


def licence_files() -> Result:
    """Compare the licence files of installed distributions with their declared expressions."""
    cases = [case for dist in distributions() if (case := _case(dist))]
    right = [name for name, truth, found in cases if truth == found]
    wrong = {name: [sorted(truth), sorted(found)] for name, truth, found in cases if truth != found}
    return Result(
        name="licence files equal the declared SPDX expression",
        ours=len(right) / len(cases),
        unit="share",
        n=len(cases),
        detail={"declared and found where they differ": wrong},
    )


def _case(dist: Distribution) -> tuple[str, frozenset[str], frozenset[str]] | None:
    declared = "".join(dist.metadata.get_all("License-Expression") or [])
    files = [name for name in dist.metadata.get_all("License-File") or [] if "/" not in name]
    files = [name for name in files if not _SIDE_FILES.search(name)]
    texts = [text for name in files if (text := _licence_text(dist, name))]
    if not declared or not texts:
        return None
    found = frozenset[str]().union(*(_licences(match_text(text)) for text in texts))
    return dist.name, _licences(normalise(declared)), found


def _licence_text(dist: Distribution, name: str) -> str:
    text = dist.read_text(f"licenses/{name}") or dist.read_text(name)
    return text or ""


def _licences(expression: str) -> frozenset[str]:
    """Give the ids of an expression; "only" and "or later" cannot be told from a text."""
    if expression == "NOASSERTION":
        return frozenset()
    keys: list[str] = spdx().license_keys(expression)
    return frozenset(key.removesuffix("-only").removesuffix("-or-later") for key in keys)


if __name__ == "__main__":
    sys.exit(main())
