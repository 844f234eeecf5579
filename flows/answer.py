"""Answer a question from the published index, with a citation for every sentence, or refuse."""

import sys
import time
from functools import partial

from prefect import flow
from pydantic import BaseModel, Field

from infra.settings import Settings, home
from infra.tracking import tracked
from tasks.answer import steps
from tasks.answer.choosing import choose_generator
from tasks.answer.origins import OriginalRanges
from tasks.answer.pipeline import MAX_QUESTION_CHARS, AnswerOptions
from tasks.answer.report import AnswerReport, report_of
from tasks.features.search import Searcher
from tasks.provenance.policy.decisions import load_policy, refusal_to_quote
from tasks.provenance.policy.notices import owed_notices
from tasks.shared.embedding import encoder
from tasks.shared.weights import prepare_encoder


class AnswerParams(BaseModel):
    """What is asked, and who words the answer."""

    question: str = Field(
        min_length=1, max_length=MAX_QUESTION_CHARS, description="In English or Chinese."
    )
    k: int = Field(10, ge=1, le=100, description="Passages to retrieve.")
    max_sentences: int = Field(3, ge=1, le=10, description="Sentences that are quoted at most.")
    generator: str = Field(
        "extractive",
        description="extractive, smollm2, or the base URL of an OpenAI-compatible server.",
    )
    model: str = Field("default", description="Model to ask for at that URL.")
    api_key_env: str = Field("", description="Environment variable with the API key of that URL.")


@flow(name="answer")
def answer(params: AnswerParams) -> AnswerReport:
    """Search, read the best passages, and quote what answers; store the answer with its proof."""
    started = time.monotonic()
    settings = Settings().apply()
    store = home(settings)
    index, policy = store.index_store.current(), load_policy(settings.policy)
    with tracked("answer", settings, params.model_dump() | {"policy": policy.digest}) as run:
        run.dataset("index", index.digest)
        model = encoder(
            prepare_encoder(settings.embedder, settings.models, _tell), settings.workers
        )
        generator = choose_generator(
            params.generator,
            settings.models,
            model=params.model,
            api_key_env=params.api_key_env,
            progress=_tell,
        )
        options = AnswerOptions(
            k=params.k,
            max_sentences=params.max_sentences,
            run_id=run.id,
            index_digest=index.digest,
            source_range=OriginalRanges(store),
            refusal=partial(refusal_to_quote, policy),
            standing=store.trust_records.effective,
        )
        searcher = Searcher.open(index, model)
        reply = steps.answer(params.question, searcher, model, generator, options)
        steps.store(store, reply)
        owed = owed_notices(store, reply.answer, policy)
        report = report_of(reply, time.monotonic() - started, owed)
        run.metrics(report.metrics())
        run.text("answer.md", report.markdown())
        run.summary(report.markdown())
    return report


def _tell(line: str) -> None:
    """Say on stderr what takes its time."""
    sys.stderr.write(f"{line}\n")
