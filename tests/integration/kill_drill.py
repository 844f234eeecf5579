"""Kill the pipeline at random points and compare what the rerun leaves with an undisturbed run.

Full drill: python -m tests.integration.kill_drill --points 10
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from infra.settings import Settings, home
from storage.digest import sha256_hex
from storage.schemas import TABLES

RUN_TIMEOUT_S = 300
POLL_S = 0.005
WATCHED = ("blobs", "tables", "indexes")
TOPICS = {
    "en": ["A {0} keeps the {1} of each {2}.", "When the {2} fails, the {0} reads the {1} again."],
    "zh": ["{0}保存每个{2}的{1}。", "如果{2}失败,{0}会重新读取{1}。"],
}
WORDS = {
    "en": ["ledger", "worker", "table", "digest", "source", "index", "cache", "reader", "licence"],
    "zh": ["账本", "工作进程", "数据表", "摘要", "来源", "索引", "缓存", "读者", "许可证"],
}
PIPELINE = """
import sys
from infra.settings import Settings
from flows.launch import run_here
settings = Settings().apply()
run_here("ingest", {"name": "drill", "locations": [sys.argv[1]], "licence": "MIT"}, settings)
run_here("features", {}, settings)
run_here("index", {}, settings)
"""


def write_corpus(folder: Path, n_documents: int = 60) -> None:
    """Write small English and Chinese documents, the same ones every time."""
    rng = random.Random(7)
    folder.mkdir(parents=True)
    for number in range(n_documents):
        lang = "zh" if number % 4 == 0 else "en"
        lines = [
            rng.choice(TOPICS[lang]).format(*rng.sample(WORDS[lang], 3))
            for _ in range(rng.randint(5, 60))
        ]
        (folder / f"{number:03}.md").write_text(f"# {number}\n\n" + "\n".join(lines), "utf-8")


def environment(state: Path, models: Path, **extra: str) -> dict[str, str]:
    """Variables of a run with its own state and shared models."""
    state.mkdir(parents=True)
    (state / "models").symlink_to(models)
    return {
        **os.environ,
        "SUYUAN_HOME": str(state),
        "SUYUAN_EMBEDDER": "minilm",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        **extra,
    }


def start(corpus: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the pipeline in a process of its own."""
    log = Path(env["SUYUAN_HOME"]).with_suffix(".log").open("ab")
    command = [sys.executable, "-c", PIPELINE, str(corpus)]
    return subprocess.Popen(command, env=env, stdout=log, stderr=log)


def run(corpus: Path, env: dict[str, str]) -> None:
    """Run the pipeline to its end; raise when it fails."""
    process = start(corpus, env)
    if process.wait(RUN_TIMEOUT_S) != 0:
        raise AssertionError(Path(env["SUYUAN_HOME"]).with_suffix(".log").read_text()[-4000:])


def n_files(state: Path) -> int:
    """Count the files that the run has stored so far: its progress."""
    return sum(len(names) for top in WATCHED for _, _, names in os.walk(state / top))


def wait_for(process: subprocess.Popen[bytes], state: Path, target: int) -> bool:
    """Wait until the run has stored `target` files; False when it ended first."""
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while time.monotonic() < deadline:
        if n_files(state) >= target:
            return process.poll() is None
        if process.poll() is not None:
            return False
        time.sleep(POLL_S)  # polls the disk: progress has no other signal across processes
    raise AssertionError(f"no progress to {target} files in {RUN_TIMEOUT_S} s")


def fingerprint(env: dict[str, str]) -> dict[str, object]:
    """Digest all that the pipeline made: table roots, counts, vectors, and the index."""
    store = home(Settings(home=Path(env["SUYUAN_HOME"])))
    result: dict[str, object] = {}
    for name, spec in TABLES.items():
        if name == "quarantine":
            continue
        frame = store.table(name).scan().collect()
        assert not frame.select(spec.key).is_duplicated().any(), f"duplicate rows in {name}"
        result[name] = (frame.height, store.table(name).root())
    vectors = store.table("vectors").scan().collect().sort("text_sha")
    result["vector values"] = sha256_hex(vectors["vector"].to_numpy().tobytes())
    result["index"] = store.index_store.current().digest
    result["ledger"] = [problem.node for problem in store.ledger.verify()]
    return result


def kill_flow(process: subprocess.Popen[bytes]) -> None:
    """Kill the process that runs the flows, and nothing else."""
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def kill_worker(process: subprocess.Popen[bytes]) -> bool:
    """Kill one Dask worker of the run; False when there is none at this moment."""
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if any("spawn_main" in word for word in child.cmdline())
    ]
    if workers:
        workers[-1].kill()
    return bool(workers)


@contextmanager
def scheduler(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Dask scheduler with two workers; leave with all of them stopped."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    main = subprocess.Popen([*command, "--host", "127.0.0.1", "--no-dashboard"], **quiet)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}"]
    flags = ["--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
    workers = [subprocess.Popen([*worker, *flags], **quiet) for _ in range(2)]
    try:
        yield main
    finally:
        for process in (main, *workers):
            process.terminate()
        for process in (main, *workers):
            process.wait(30)


def drill(target: str, at: int, corpus: Path, env: dict[str, str], port: int) -> bool:
    """Disturb one run when it has stored `at` files; rerun it; tell whether the kill hit it."""
    state = Path(env["SUYUAN_HOME"])
    if target == "scheduler":
        env = {**env, "SUYUAN_DASK_ADDRESS": f"tcp://127.0.0.1:{port}"}
        with scheduler(port) as main:
            process = start(corpus, env)
            hit = wait_for(process, state, at)
            main.kill()
            process.wait(RUN_TIMEOUT_S)
        with scheduler(port):
            run(corpus, env)
        return hit
    process = start(corpus, env)
    hit = wait_for(process, state, at)
    if hit and target == "flow":
        kill_flow(process)
    elif hit:
        hit = kill_worker(process)
    process.wait(RUN_TIMEOUT_S)
    run(corpus, env)
    return hit


def main() -> None:
    """Run the whole drill and print one JSON line per kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = folder / "corpus"
        write_corpus(corpus)
        models = prepared_models(folder)
        calm = environment(folder / "calm", models)
        run(corpus, calm)
        expected, total = fingerprint(calm), n_files(folder / "calm")
        print(json.dumps({"undisturbed": expected, "files": total}))  # noqa: T201  its output
        failed = 0
        for target in ("flow", "worker", "scheduler"):
            for point in range(options.points):
                env = environment(folder / f"{target}-{point}", models)
                at = rng.randrange(1, total)
                hit = drill(target, at, corpus, env, port=18786)
                same = fingerprint(env) == expected
                failed += not same
                line = {"killed": target, "at_files": at, "hit": hit, "equal": same}
                print(json.dumps(line), flush=True)  # noqa: T201  its output
    raise SystemExit(1 if failed else 0)


def prepared_models(folder: Path) -> Path:
    """Convert the encoder once for all runs."""
    from tasks.shared.weights import prepare_encoder

    models = folder / "models"
    models.mkdir()
    prepare_encoder("minilm", models)
    return models


if __name__ == "__main__":
    main()
