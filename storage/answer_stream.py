"""All stored answers in batches, for checks that must read every one without holding them all."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from storage import ledger_schema as schema
from storage.answers import read_answer
from storage.ledger_engine import reading
from storage.records import Answer, Problem

BATCH_ANSWERS = 1_000


def stored_answers(
    ledger_url: str, size: int = BATCH_ANSWERS
) -> Iterator[tuple[list[Answer], list[Problem]]]:
    """Give the answers in order of their ids, batch by batch; one that cannot be read is a problem.

    No transaction stays open between batches: what is added meanwhile behind the place is left out.
    """
    last = ""
    while rows := _after(ledger_url, last, size):
        last = rows[-1][0]["answer_id"]
        answers, problems = [], []
        for row, spans in rows:
            try:
                answers.append(read_answer(row, spans))
            except (ValueError, TypeError) as error:
                node = f"answer:{row['answer_id']}"
                problems.append(Problem(node=node, reason=f"cannot be read ({error})"))
        yield answers, problems


def _after(
    ledger_url: str, last: str, size: int
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    answer, span = schema.answer, schema.answer_span
    query = sa.select(answer).where(answer.c.answer_id > last).order_by(answer.c.answer_id)
    with reading(ledger_url) as connection:
        rows = [row._asdict() for row in connection.execute(query.limit(size))]
        if not rows:
            return []
        inside = span.c.answer_id.between(rows[0]["answer_id"], rows[-1]["answer_id"])
        found = sa.select(span).where(inside).order_by(span.c.answer_id, span.c.ordinal)
        spans: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in connection.execute(found):
            spans[row.answer_id].append(row._asdict())
    return [(row, spans[row["answer_id"]]) for row in rows]
