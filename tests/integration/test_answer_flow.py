"""The main job on a small bilingual folder: ingest, features, index, ask, verify; real encoder."""

import pytest

from infra.settings import Settings, home
from tasks.provenance.verification.verify import verify_answer

pytestmark = [pytest.mark.slow, pytest.mark.server]

HTML = """<html><head><title>Pump manual</title></head><body><h1>Pump</h1>
<p>The village pump was built by Ana Mart&iacute;nez in 1990.</p>
<p>It lifts forty litres of water a minute when the valve is open.</p></body></html>"""
CHINESE = """青石桥

青石桥建于一八九六年，由当地的石匠出资修建。
桥全长四十米，每年春天都会举行灯会。
"""
MARKDOWN = """# Work pools

A work pool hands scheduled flow runs to the workers that poll it.
Each worker belongs to exactly one pool.
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory, prefect_api):
    """A home with the folder indexed."""
    from flows.launch import run_here

    root = tmp_path_factory.mktemp("answer")
    sources = root / "sources"
    sources.mkdir()
    (sources / "pump.html").write_text(HTML, encoding="utf-8")
    (sources / "bridge.txt").write_bytes(CHINESE.encode("gb18030"))
    (sources / "pools.md").write_text(MARKDOWN, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUYUAN_HOME", str(root / "home"))
        settings = Settings(workers=1).apply()
        run_here("ingest", {"locations": [str(sources)], "licence": "CC0-1.0"}, settings)
        run_here("features", {}, settings)
        run_here("index", {}, settings)
        yield settings


def ask(settings, question, **fields):
    from flows.launch import run_here

    return run_here("answer", {"question": question, **fields}, settings)


def original(settings, place):
    data = home(settings).blobs.get(place.doc_id)
    return data[place.src_start : place.src_end]


def test_an_english_question_is_answered_from_html_with_original_bytes(settings):
    report = ask(settings, "Who built the village pump?")
    place = report.citations[0]
    assert place.quote == "The village pump was built by Ana Martínez in 1990."
    assert (
        original(settings, place) == b"The village pump was built by Ana Mart&iacute;nez in 1990."
    )
    assert place.licence == "CC0-1.0"


def test_a_chinese_question_is_answered_from_a_gb18030_file(settings):
    report = ask(settings, "青石桥是哪一年建的？")
    place = report.citations[0]
    assert "一八九六年" in place.quote
    assert original(settings, place).decode("gb18030") == place.quote
    assert "来源" in report.text("zh")


def test_each_answer_is_stored_and_proven(settings):
    report = ask(settings, "What does a work pool do?")
    proof = verify_answer(report.answer_id, home(settings))
    assert not proof.problems
    assert proof.citations_ok == len(report.citations) > 0
    assert home(settings).ledger.answer(report.answer_id).question == "What does a work pool do?"


@pytest.mark.parametrize(
    "question", ["Who won the football world cup in 1998?", "谁赢得了一九九八年世界杯足球赛？"]
)
def test_what_the_folder_does_not_speak_about_is_refused_and_stored(settings, question):
    report = ask(settings, question)
    assert (report.status, report.answer, report.citations) == ("refused", "", [])
    assert home(settings).ledger.answer(report.answer_id).status == "refused"


def test_whatever_the_small_model_writes_is_supported_or_replaced(settings):
    report = ask(settings, "Who built the village pump?", generator="smollm2")
    proof = verify_answer(report.answer_id, home(settings))
    assert report.generator == "smollm2-135m-instruct"
    assert "Ana" in report.answer
    assert not proof.problems


def test_what_the_policy_forbids_to_quote_is_withheld(settings, tmp_path, monkeypatch):
    table = '[[family]]\nname = "unknown"\nindex = "allow"\ntrain = "deny"\nquote = "deny"\n'
    (tmp_path / "policy.toml").write_text(table + 'redistribute = "deny"\n')
    monkeypatch.setenv("SUYUAN_POLICY", str(tmp_path / "policy.toml"))
    report = ask(settings, "Who built the village pump?")
    assert (report.status, report.citations, report.near_misses) == ("refused", [], [])
    assert {place.licence for place in report.withheld} == {"CC0-1.0"}
    assert "Ana" not in report.model_dump_json()
