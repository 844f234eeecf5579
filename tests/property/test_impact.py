"""Laws of an impact: an answer counts once, by its strongest grade, unless it was erased."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import Ledger
from storage.ledger_impact import Listing, Selection, find_reached
from storage.records import Answer, Citation

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LICENCES = {"d1": "MIT", "d2": "CC0-1.0", "d3": "MIT"}
SPANS = st.lists(
    st.tuples(
        st.sampled_from(["quoted", "cited", "exposed"]),
        st.sampled_from(sorted(LICENCES)),
        st.sampled_from(["s1", "s2"]),
    ),
    max_size=4,
)
ANSWERS = st.lists(st.tuples(SPANS, st.booleans()), max_size=5)
SELECTIONS = (
    Selection("source", ("s1",)),
    Selection("doc_id", ("d2",)),
    Selection("licence", ("MIT",)),
)


@dataclass(frozen=True)
class Given:
    """An answer with its spans: (grade, document, source)."""

    name: str
    spans: list[tuple[str, str, str]]
    erased: bool

    def grade(self, selection: Selection) -> str:
        """Its strongest grade among the spans of a selection; "" for none."""
        grades = {grade for grade, doc, source in self.spans if rests(selection, doc, source)}
        return next((grade for grade in ("quoted", "cited") if grade in grades), "")


def rests(selection, doc, source):
    values = {"source": source, "doc_id": doc, "licence": LICENCES[doc]}
    return values[selection.column] in selection.values


def answer(one):
    citations = tuple(
        Citation(
            a_start=0, a_end=1, grade=grade, score=1.0, chunk_id=doc, doc_id=doc, text_id=doc,
            origin="identity", source=source, uri="u", licence=LICENCES[doc], start=0, end=1,
            src_start=0, src_end=1, quote_sha256="q",
        )
        for grade, doc, source in one.spans
    )  # fmt: skip
    return Answer(
        answer_id=one.name, question="q", status="answered", text="t", generator="extractive",
        index_digest="", run_id="", created_at=NOW, citations=citations,
    )  # fmt: skip


def expected(answers, selection, grade, limit):
    names = [a.name for a in answers if not a.erased and a.grade(selection) == grade]
    return Listing(len(names), tuple(sorted(names, reverse=True)[:limit]))


@settings(max_examples=20)
@given(found=ANSWERS)
def test_answers_count_once_by_their_strongest_grade_unless_erased(found):
    answers = [Given(f"a{n}", spans, erased) for n, (spans, erased) in enumerate(found)]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/l.db")
        ledger.add_documents(
            {"doc_id": doc, "source": source, "uri": "u", "n_bytes": 5, "licence": licence}
            for doc, licence in LICENCES.items()
            for source in ("s1", "s2")
        )
        ledger.add_answers(map(answer, answers))
        ledger.erase_answers([one.name for one in answers if one.erased], "gone")
        for selection in SELECTIONS:
            reached = find_reached(ledger.url, selection, 2)
            assert reached.quoted == expected(answers, selection, "quoted", 2)
            assert reached.cited == expected(answers, selection, "cited", 2)
            assert reached.documents.n_bytes == 5 * len(reached.documents.ids)
