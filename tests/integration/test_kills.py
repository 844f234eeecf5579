"""A run that was killed anywhere is completed by the next one, with the same result.

CI disturbs a few points; `python -m tests.integration.kill_drill --points 10` does the whole drill.
"""

import os
import random
import socket

import pytest

from tests.integration import kill_drill

pytestmark = [pytest.mark.server, pytest.mark.slow]
POINTS = int(os.environ.get("SUYUAN_KILL_POINTS", "1"))


@pytest.fixture(scope="module")
def calm(tmp_path_factory, prefect_api):
    from prefect.settings import PREFECT_API_URL

    os.environ["SUYUAN_PREFECT_API_URL"] = str(PREFECT_API_URL.value())
    folder = tmp_path_factory.mktemp("kills")
    corpus = folder / "corpus"
    kill_drill.write_corpus(corpus)
    models = kill_drill.prepared_models(folder)
    env = kill_drill.environment(folder / "calm", models)
    kill_drill.run(corpus, env)
    total = kill_drill.n_files(folder / "calm")
    yield folder, corpus, models, kill_drill.fingerprint(env), total
    del os.environ["SUYUAN_PREFECT_API_URL"]


@pytest.mark.parametrize("point", range(POINTS))
@pytest.mark.parametrize("target", ["flow", "worker", "scheduler"])
def test_a_killed_run_is_completed_by_the_next_one_with_the_same_result(target, point, calm):
    folder, corpus, models, expected, total = calm
    env = kill_drill.environment(folder / f"{target}-{point}", models)
    at = random.Random(f"{target}{point}").randrange(1, total)
    hit = kill_drill.drill(target, at, corpus, env, free_port())
    assert kill_drill.fingerprint(env) == expected
    assert hit, f"the run ended before it had stored {at} files"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
