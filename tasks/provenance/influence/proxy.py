"""A small trainable language model whose influence is explained: a decoder in plain torch.

Two pre-norm transformer layers (Vaswani et al. 2017; Radford et al. 2019), next-token loss, AdamW
(Loshchilov & Hutter 2019) with warm-up and linear decay. One thread and one seed: the same samples
in the same order give the same weights on one machine. A larger training system plugs in behind
`Influenceable`.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from tasks.provenance.influence.samples import PAD, Tokens

Floats = NDArray[np.float64]
MAX_POSITIONS = 512
_MASKED = -1e9


class Influenceable(Protocol):
    """A way to train a model, from which influence can be computed and calibrated."""

    def train(self, tokens: Tokens, seed: int) -> list[nn.Module]:
        """Train on samples and give the models at the checkpoints; the last one is the result."""
        ...

    def losses(self, model: nn.Module, tokens: Any, *, sampled: bool = False) -> Any:
        """Give the summed next-token loss of each sample, as a tensor that has a gradient.

        With `sampled` the targets are drawn from the model's own predictions (true Fisher).
        """
        ...

    def embedding(self, model: nn.Module) -> nn.Embedding:
        """Give the layer that embeds input tokens."""
        ...


@dataclass(frozen=True, kw_only=True)
class ProxyOptions:
    """Size and training of the small model."""

    vocabulary: int = 2000
    width: int = 64
    layers: int = 2
    heads: int = 4
    positions: int = 64
    epochs: int = 15
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup_steps: int = 10
    checkpoints: tuple[int, ...] = (1, 2, 3, 5)
    """Epochs after which a model is kept; the last epoch is always kept."""

    @staticmethod
    def early(epochs: int) -> tuple[int, ...]:
        """Give the epochs whose models explain most: the first three, and one third of the way."""
        return tuple(sorted({1, 2, 3, max(4, epochs // 3)} & set(range(1, epochs))))


class Block(nn.Module):
    """One pre-norm layer: causal attention, then a feed-forward network."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, hidden: Any) -> Any:
        """Map [batch, time, width] to the same shape."""
        batch, time, width = hidden.shape
        parts = self.qkv(self.norm1(hidden)).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mask = torch.full((time, time), _MASKED).triu(1)
        weights = (query @ key.transpose(-1, -2)) * (width // self.heads) ** -0.5 + mask
        mixed = (weights.softmax(-1) @ value).transpose(1, 2).reshape(batch, time, width)
        hidden = hidden + self.out(mixed)
        return hidden + self.down(functional.gelu(self.up(self.norm2(hidden))))


class SmallLm(nn.Module):
    """A decoder with learned positions and an output layer of its own."""

    def __init__(self, options: ProxyOptions) -> None:
        super().__init__()
        self.tokens = nn.Embedding(options.vocabulary, options.width)
        self.positions = nn.Parameter(torch.randn(options.positions, options.width) * 0.02)
        self.blocks = nn.ModuleList(
            Block(options.width, options.heads) for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(options.width)
        self.head = nn.Linear(options.width, options.vocabulary, bias=False)
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, ids: Any) -> Any:
        """Map token ids [batch, time] to logits [batch, time, vocabulary]."""
        hidden = self.tokens(ids) + self.positions[: ids.shape[1]]
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(self.norm(hidden))


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """Trains small models; the `Influenceable` of this package."""

    options: ProxyOptions = ProxyOptions()

    def train(self, tokens: Tokens, seed: int) -> list[nn.Module]:
        """Train from scratch, every sample once an epoch in an order that the seed decides."""
        with reproducible(seed):
            model = SmallLm(self.options)
            return self._fit(model, torch.from_numpy(tokens).long(), seed)

    def losses(self, model: nn.Module, tokens: Any, *, sampled: bool = False) -> Any:
        """Give the summed next-token loss of each sample; padding counts nothing."""
        ids = tokens if isinstance(tokens, torch.Tensor) else torch.from_numpy(tokens)
        ids = ids.long()
        logits, targets = model(ids[:, :-1].clamp(min=0)), ids[:, 1:]
        if sampled:
            with torch.no_grad():
                drawn = torch.multinomial(logits.softmax(-1).flatten(0, 1), 1).view(targets.shape)
            targets = torch.where(targets == PAD, targets, drawn)
        each = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="none"
        )
        return each.view(targets.shape).sum(1)

    def embedding(self, model: nn.Module) -> nn.Embedding:
        """Give the token embedding."""
        return model.tokens

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Proxy":
        """Make a trainer of stored options."""
        checkpoints = tuple(facts["checkpoints"])
        return cls(options=ProxyOptions(**{**facts, "checkpoints": checkpoints}))

    def load(self, state: Mapping[str, Any]) -> nn.Module:
        """Make a model of stored weights."""
        model = SmallLm(self.options)
        model.load_state_dict(state)
        return model.eval()

    def load_bytes(self, data: bytes) -> nn.Module:
        """Make a model of the bytes of a safetensors file."""
        from safetensors.torch import load

        return self.load(load(data))

    def facts(self) -> dict[str, Any]:
        """Give size and training as JSON values."""
        return asdict(self.options) | {"checkpoints": list(self.options.checkpoints)}

    def _fit(self, model: nn.Module, ids: Any, seed: int) -> list[nn.Module]:
        options = self.options
        batch = min(options.batch, len(ids))
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        order = torch.Generator().manual_seed(seed)
        steps, step, kept = options.epochs * (len(ids) // batch), 0, []
        for epoch in range(1, options.epochs + 1):
            shuffled = ids[torch.randperm(len(ids), generator=order)]
            for first in range(0, len(ids) - batch + 1, batch):
                rate = min(1.0, (step + 1) / options.warmup_steps) * (1 - step / steps)
                optimizer.param_groups[0]["lr"] = options.learning_rate * rate
                part = shuffled[first : first + batch]
                loss = self.losses(model, part).sum() / (part[:, 1:] != PAD).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
            if epoch in options.checkpoints or epoch == options.epochs:
                kept.append(self.load(model.state_dict()))
        return kept


def measure_losses(trainer: Influenceable, model: nn.Module, tokens: Tokens) -> Floats:
    """Compute the loss of each sample, without gradients."""
    with torch.no_grad(), reproducible(0):
        return trainer.losses(model, tokens).double().numpy()


def dump_weights(model: nn.Module) -> bytes:
    """Write weights as safetensors; equal weights give equal bytes."""
    from safetensors.torch import save

    return save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})


@contextmanager
def reproducible(seed: int) -> Generator[None]:
    """Run the block on one thread with its own random state; the caller's comes back after it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two threads on a busy machine stand in each other's way
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
