"""Influence by EK-FAC: how much each training sample lowered the loss of each query.

Influence functions (Koh & Liang 2017) with the eigenvalue-corrected Kronecker-factored curvature
of George et al. 2018, as Grosse et al. 2023 use it for language models; the library kronfluence
computes them for the linear layers. A positive score says that the sample lowered the loss.
"""

import logging
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import MissingError
from tasks.provenance.influence.samples import Tokens

if TYPE_CHECKING:
    from torch import nn

    from tasks.provenance.influence.proxy import Influenceable

Floats = NDArray[np.float64]
EXTRA = "suyuan[influence]"
_TRAIN_BATCH = 32
_QUERY_BATCH = 16
_FACTORS = "factors"
_SCORES = "scores"


def require_kronfluence() -> None:
    """Raise MissingError naming the extra when kronfluence is not installed."""
    try:
        import kronfluence  # noqa: F401
    except ImportError as error:
        raise MissingError(
            "EK-FAC influence needs the library kronfluence",
            item="kronfluence",
            way_out=f"Install it with: pip install '{EXTRA}'; or use the method lexical",
        ) from error


def fit_factors(
    trainer: "Influenceable", models: Sequence["nn.Module"], train: Tokens, folder: Path
) -> None:
    """Estimate the curvature of each checkpoint on the training samples, into files of a folder."""
    require_kronfluence()
    from kronfluence.arguments import FactorArguments

    for number, model in enumerate(models):
        analyzer = _analyzer(trainer, model, folder, number)
        with _quiet():
            analyzer.fit_all_factors(
                _FACTORS,
                _dataset(train),
                per_device_batch_size=_TRAIN_BATCH,
                overwrite_output_dir=True,
                factor_args=FactorArguments(strategy="ekfac"),
            )


def score_queries(
    trainer: "Influenceable",
    models: Sequence["nn.Module"],
    train: Tokens,
    queries: Tokens,
    folder: Path,
    first: int = 0,
) -> Floats:
    """Score all training samples for each query and checkpoint: [checkpoints, queries, samples].

    The models are those of `fit_factors`, or its last ones from number `first` on.
    """
    require_kronfluence()
    from kronfluence.arguments import ScoreArguments

    heuristic = ScoreArguments(damping_factor=None)  # a tenth of the mean eigenvalue
    found = []
    for number, model in enumerate(models, start=first):
        analyzer = _analyzer(trainer, model, folder, number)
        with _quiet():
            analyzer.compute_pairwise_scores(
                _SCORES,
                _FACTORS,
                _dataset(queries),
                _dataset(train),
                per_device_query_batch_size=_QUERY_BATCH,
                per_device_train_batch_size=_TRAIN_BATCH,
                overwrite_output_dir=True,
                score_args=heuristic,
            )
        scores = analyzer.load_pairwise_scores(_SCORES)["all_modules"]
        found.append(scores.double().numpy())
    return np.array(found)


def _analyzer(trainer: "Influenceable", model: "nn.Module", folder: Path, number: int) -> Any:
    """Wrap a copy of a model; kronfluence changes the module that it is given."""
    import copy

    from kronfluence import Analyzer, Task, prepare_model

    class LossTask(Task):
        """Tells kronfluence what is trained and what is explained: the summed loss of each."""

        def compute_train_loss(self, batch: Any, model: Any, sample: bool = False) -> Any:
            return trainer.losses(model, batch[0], sampled=sample).sum()

        def compute_measurement(self, batch: Any, model: Any) -> Any:
            return trainer.losses(model, batch[0]).sum()

    task = LossTask()
    return Analyzer(
        analysis_name=f"checkpoint-{number}",
        model=prepare_model(copy.deepcopy(model), task),
        task=task,
        cpu=True,
        log_level=logging.ERROR,
        disable_tqdm=True,
        output_dir=str(folder),
    )


@contextmanager
def _quiet() -> Generator[None]:
    """Keep back the warnings of torch about calls that kronfluence makes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _dataset(tokens: Tokens) -> Any:
    import torch
    from torch.utils.data import TensorDataset

    return TensorDataset(torch.from_numpy(tokens).long())
