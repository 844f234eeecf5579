"""Prefect tasks of answering."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.home import Home
from tasks.answer.generators import Generator
from tasks.answer.pipeline import AnswerOptions, Reply, Searcher, answer_question
from tasks.answer.scoring import TokenEncoder


@task(name="answer-question", cache_policy=NO_CACHE)
def answer(
    question: str,
    searcher: Searcher,
    encoder: TokenEncoder,
    generator: Generator | None,
    options: AnswerOptions,
) -> Reply:
    """Find passages, and quote, check or refuse."""
    return answer_question(question, searcher, encoder, generator, options)


@task(name="store-answer", cache_policy=NO_CACHE)
def store(home: Home, reply: Reply) -> None:
    """Record the answer with its citations and what it came from."""
    home.ledger.add_answer(reply.answer)
