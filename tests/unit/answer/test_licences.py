"""What may not be quoted is neither read nor shown; what is quoted carries its notices."""

from dataclasses import dataclass
from types import SimpleNamespace

from tasks.answer.gate import Gate
from tasks.answer.pipeline import AnswerOptions, answer_question
from tasks.answer.report import report_of
from tests.fakes import FakeSearcher, FakeTokenEncoder, hit

OPEN = Gate(intercept=0, max_sim=0, coverage=0, cosine=0, bm25_mass=0, threshold=0.0)
CLOSED = hit("The old pump was built by Ana in 1990.", uri="file:///closed.md", licence="NONE")
FREE = hit("The old pump was built by Bo in 1980.", start=100, uri="file:///free.md", licence="MIT")


class Listener:
    """A generator that keeps what it was shown, and repeats the first passage."""

    name = "listener"

    def generate(self, question, passages):
        self.shown = list(passages)
        return passages[0] if passages else ""


def refuse(licence):
    return "nobody granted anything" if licence == "NONE" else ""


def ask(*hits, generator=None, **options):
    settings = AnswerOptions(gate=OPEN, refusal=refuse, **options)
    question = "Who built the old pump?"
    return answer_question(
        question, FakeSearcher(list(hits)), FakeTokenEncoder(), generator, settings
    )


def test_a_passage_that_may_not_be_quoted_appears_nowhere_but_is_named():
    reply = ask(CLOSED, FREE)
    report = report_of(reply, 0.1)
    assert {citation.uri for citation in reply.answer.citations} == {"file:///free.md"}
    assert "Ana" not in report.model_dump_json()
    assert [(p.uri, p.licence, p.reason) for p in report.withheld] == [
        ("file:///closed.md", "NONE", "nobody granted anything")
    ]
    assert "Found, but not to be quoted under its licence:" in report.text("en")
    assert "许可证不允许引用" in report.text("zh")
    assert reply.answer.signals["withheld"] == 1.0


def test_a_generator_never_sees_it():
    listener = Listener()
    ask(CLOSED, FREE, generator=listener)
    assert listener.shown == [FREE.text]


def test_when_nothing_may_be_quoted_the_answer_is_a_refusal_without_its_words():
    reply = ask(CLOSED)
    assert (reply.answer.status, reply.near_misses) == ("refused", ())
    assert "Ana" not in report_of(reply, 0.1).text("en")


def test_the_notices_owed_are_in_the_report_and_on_the_terminal():
    fields = dict.fromkeys(("title", "author", "publisher", "source", "uri", "licence"), "x")
    notice = SimpleNamespace(
        **fields, chosen="MIT", names=("MIT License",), urls=(), obligations=("attribute",),
        text="by Bo, MIT License", text_zh="Bo，MIT 许可证",
    )  # fmt: skip
    owed = SimpleNamespace(notices=(notice,), conflicts=("A", "B"))
    report = report_of(ask(FREE), 0.1, owed)
    assert report.notices[0].obligations == ["attribute"]
    assert "Notices owed:\n  - by Bo, MIT License" in report.text("en")
    assert "须附声明:\n  - Bo，MIT 许可证" in report.text("zh")
    assert "Keep these quotations apart" in report.text("en")
    assert report.metrics()["notices"] == 1.0


@dataclass(frozen=True)
class Trusted:
    trust: float
    by: str


def test_todays_trust_of_a_source_decides_ties_and_is_shown():
    same = "The old pump was built by Ana in 1990."
    hits = [hit(same, uri="file:///a.md", source="a", trust=0.9),
            hit(same, start=100, uri="file:///b.md", source="b", trust=0.1)]  # fmt: skip
    standings = {"a": Trusted(0.2, "override"), "b": Trusted(0.8, "computed")}
    report = report_of(ask(*hits, standing=standings.get), 0.1)
    shown = [(place.source, place.trust, place.trust_by) for place in report.citations]
    assert shown == [("b", 0.8, "computed"), ("a", 0.2, "override")]
    assert report.text("en").count("trust 0.20 by decision of a person") == 1


def test_without_standings_the_trust_of_the_index_is_shown_as_such():
    assert {place.trust_by for place in report_of(ask(FREE), 0.1).citations} == {"index"}
