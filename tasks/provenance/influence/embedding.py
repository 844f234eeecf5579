"""The term of the input embedding, which kronfluence leaves out: EK-FAC over its rows.

An embedding is a linear layer on one-hot inputs. Their covariance is diagonal, so its eigenbasis
is the vocabulary itself; the eigenvalues are second moments of gradient rows, in the eigenbasis of
the gradients, with targets drawn from the model (George et al. 2018). A sample touches few rows,
so gradients are sparse and a product of two sets costs little.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.provenance.influence.samples import PAD, Tokens

if TYPE_CHECKING:
    from torch import nn

    from tasks.provenance.influence.proxy import Influenceable

Floats = NDArray[np.float64]
DAMPING = 1.0
"""Share of the mean eigenvalue that is added to each: rows of rare words have few samples."""


def score_embedding(
    trainer: "Influenceable", model: "nn.Module", train: Tokens, queries: Tokens
) -> Floats:
    """Score all training samples for each query by the embedding's rows: [queries, samples]."""
    drawn = _gradients(trainer, model, train, sampled=True)
    basis = np.linalg.eigh(np.einsum("ntk,ntl->kl", drawn, drawn))[1]
    size = trainer.embedding(model).num_embeddings
    moments = _rows(train, drawn @ basis, size).power(2).sum(axis=0)
    values = np.asarray(moments).ravel() / len(train)
    damped = values + DAMPING * values[values > 0].mean()
    left = _rows(queries, _gradients(trainer, model, queries) @ basis, size)
    right = _rows(train, _gradients(trainer, model, train) @ basis, size)
    return (left.multiply(1.0 / damped).tocsr() @ right.T).toarray()


def _gradients(
    trainer: "Influenceable", model: "nn.Module", tokens: Tokens, *, sampled: bool = False
) -> Floats:
    """Give the gradient of each sample's loss at each embedded position: [samples, time, width]."""
    from tasks.provenance.influence.proxy import reproducible

    kept: list[Any] = []

    def keep(_: Any, __: Any, output: Any) -> Any:
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    hook = trainer.embedding(model).register_forward_hook(keep)
    try:
        with reproducible(0):
            trainer.losses(model, tokens, sampled=sampled).sum().backward()
    finally:
        hook.remove()
    model.zero_grad()
    return kept[0].grad.double().numpy()


def _rows(tokens: Tokens, gradients: Floats, size: int) -> Any:
    """Sum the gradients of a sample's equal tokens: sparse [samples, vocabulary x width]."""
    from scipy.sparse import csr_matrix

    num_samples, time, width = gradients.shape
    inputs = tokens[:, :time].astype(np.int64)
    values = np.where((inputs == PAD)[:, :, None], 0.0, gradients)
    columns = inputs.clip(min=0)[:, :, None] * width + np.arange(width)
    sample = np.repeat(np.arange(num_samples), time * width)
    shape = (num_samples, size * width)
    return csr_matrix((values.ravel(), (sample, columns.ravel())), shape=shape)
