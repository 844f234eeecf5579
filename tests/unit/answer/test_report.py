from tasks.answer.gate import Gate
from tasks.answer.pipeline import AnswerOptions, answer_question
from tasks.answer.report import report_of
from tests.fakes import FakeSearcher, FakeTokenEncoder, hit

OPEN = Gate(intercept=0, max_sim=0, coverage=0, cosine=0, bm25_mass=0, threshold=0.0)
SHUT = Gate(intercept=0, max_sim=0, coverage=0, cosine=0, bm25_mass=0, threshold=1.0)


def report(text, gate=OPEN, **fields):
    searcher = FakeSearcher([hit(text, **fields)])
    options = AnswerOptions(gate=gate)
    return report_of(
        answer_question("Who built the pump?", searcher, FakeTokenEncoder(), None, options), 0.5
    )


def test_a_sentence_is_followed_by_the_number_of_its_source():
    shown = report("The pump was built by Ana.", uri="file:///a.md", licence="MIT").text("en")
    assert "The pump was built by Ana. [1]" in shown
    assert "[1] file:///a.md (MIT), bytes 0-26 of the original, quoted" in shown


def test_chinese_messages_are_chinese():
    assert "原始文件第 0-26 字节" in report("The pump was built by Ana.").text("zh")
    assert "索引中没有" in report("The pump was built by Ana.", SHUT).text("zh")


def test_offsets_of_text_without_a_byte_map_say_so():
    assert "of the extracted text" in report("The pump was built.", origin="extracted").text("en")


def test_a_refusal_shows_what_came_near():
    shown = report("The pump was built by Ana.", SHUT).text("en")
    assert "found nothing" in shown
    assert "- The pump was built by Ana." in shown


def test_document_text_cannot_steer_the_terminal_or_hide():
    shown = report("The pump was built\x1b[2J by \u202eAna \u200band\nBo.").text("en")
    assert "The pump was built[2J by Ana and Bo. [1]" in shown


def test_document_text_cannot_become_markup_on_the_run_page():
    assert "<script>" not in report("The pump <script>alert(1)</script> was built.").markdown()


def test_the_report_is_plain_data():
    plain = report("The pump was built by Ana.").model_dump(mode="json")
    assert plain["citations"][0]["quote"] == "The pump was built by Ana."
    assert plain["status"] == "answered"
