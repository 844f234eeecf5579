"""Choose who words an answer, by name or URL."""

from collections.abc import Callable
from pathlib import Path

from storage.errors import InputError
from tasks.answer.generators import Endpoint, Generator
from tasks.answer.pipeline import EXTRACTIVE
from tasks.answer.smollm2 import SmolLM2, prepare_smollm2

SMOLLM2 = "smollm2"


def choose_generator(
    name: str,
    models: Path,
    *,
    model: str = "default",
    api_key_env: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> Generator | None:
    """Give the generator of a name or URL; None for the extractive one, which only quotes."""
    if name == EXTRACTIVE:
        return None
    if name == SMOLLM2:
        return SmolLM2(prepare_smollm2(models, progress))
    if "://" in name:
        return Endpoint(base_url=name, model=model, api_key_env=api_key_env)
    raise InputError(
        "unknown generator",
        item=name,
        way_out=f"Use {EXTRACTIVE}, {SMOLLM2}, or the URL of an OpenAI-compatible server",
    )
