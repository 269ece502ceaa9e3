"""Learning rates and target losses that were found by search, for each problem, model and batch size.

The values are in `data/learning_rates.json`, written by `scripts/tune_learning_rates.py`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from sgd_tf.checks import resolve_batch_size
from sgd_tf.problems import ProblemInfo, given
from sgd_tf.training.records import BatchSize, ModelConfig, ModelKind

# 0.0001 … 10, evenly spaced in the logarithm: the rates that a search tries.
LEARNING_RATES = tuple(float(f"{10 ** (exponent / 4):.2g}") for exponent in range(-16, 5))


@dataclass(frozen=True, kw_only=True)
class SweepBudget:
    """What a sweep over batch sizes asks of each run: a target that all k reach in moments, and equal budgets."""

    target: float  # training loss to reach
    epochs: float  # after which all are compared
    seconds: float  # training time after which all are compared
    max_seconds: float  # training time after which a run gives up


# Chosen by hand, so that a small k is not yet through with its seconds and gradient descent reaches the target.
_BUDGETS: dict[tuple[str, ModelKind], tuple[float, float, float, float]] = {
    ("digits", "linear"): (0.06, 10, 0.1, 0.6),
    ("digits", "mlp"): (0.05, 10, 0.1, 0.6),
    ("digits", "cnn"): (0.3, 3, 1.0, 4.0),
    ("spirals", "linear"): (0.6, 10, 0.1, 0.4),
    ("spirals", "mlp"): (0.1, 30, 0.2, 0.8),
    ("line", "linear"): (0.27, 3, 0.05, 0.3),
    ("line", "mlp"): (0.27, 3, 0.05, 0.3),
    ("teacher", "linear"): (0.54, 2, 0.1, 0.4),
    ("teacher", "mlp"): (0.45, 5, 0.3, 1.2),
    ("flights", "linear"): (0.157, 1, 0.3, 1.5),
    ("flights", "mlp"): (0.28, 1, 0.5, 12.0),
    ("diabetes", "linear"): (0.46, 20, 0.1, 0.4),
    ("diabetes", "mlp"): (0.3, 20, 0.1, 0.4),
    ("breast_cancer", "linear"): (0.05, 10, 0.1, 0.4),
    ("breast_cancer", "mlp"): (0.02, 10, 0.1, 0.4),
    ("california", "linear"): (0.4, 3, 0.5, 2.0),
    ("california", "mlp"): (0.3, 3, 0.5, 2.0),
    ("mnist", "linear"): (0.6, 2, 0.5, 8.0),
    ("mnist", "mlp"): (0.6, 2, 1.0, 12.0),
    ("fashion_mnist", "linear"): (0.5, 2, 0.5, 2.0),
    ("fashion_mnist", "mlp"): (0.45, 2, 1.0, 4.0),
}


def sweep_budget(problem: str, model: ModelKind) -> SweepBudget:
    """Target and budgets of a sweep over batch sizes; where none were chosen, the target of a race.

    >>> sweep_budget("digits", "mlp").target
    0.05
    """
    known = _BUDGETS.get((problem, model), (target_loss(problem, model) or 0.3, 3, 0.5, 2.0))
    target, epochs, seconds, max_seconds = known
    return SweepBudget(target=target, epochs=epochs, seconds=seconds, max_seconds=max_seconds)


@functools.cache
def _table() -> dict[str, Any]:
    text = resources.files("sgd_tf").joinpath("data/learning_rates.json").read_text(encoding="utf-8")
    return json.loads(text)


def tuned_learning_rate(
    problem: str, kind: ModelKind, batch_size: BatchSize, num_examples: int | None = None
) -> float | None:
    """The learning rate that trained best in a short search, or an estimate of it.

    Gradient descent takes the rate that was searched for gradient descent, whatever N. For k < N it is the rate on the
    line between the neighbouring searched batch sizes in log-log coordinates, gradient descent at k = N being the last.
    `is_searched` says whether the rate was searched or estimated.

    Args:
        problem: name of a problem.
        kind: kind of model.
        batch_size: k, in [1, N], or "all" for gradient descent.
        num_examples: N; by default as many training samples as in the search.

    Returns:
        Learning rate to two significant digits, or None if this problem and model were never searched.

    Raises:
        ValueError: if an argument is out of range.

    >>> tuned_learning_rate("no such problem", "mlp", 32) is None
    True
    """
    own = given.find(problem)
    if own is not None:
        return rate_of_own(own.info, batch_size, num_examples)
    rates = tuned_learning_rates(problem, kind)
    if not rates:
        return None
    of_all = max(rates)  # the last batch size that was searched is the N of the search
    N = of_all if num_examples is None else num_examples
    k = resolve_batch_size(N, batch_size)
    points = {size: rate for size, rate in rates.items() if size < min(N, of_all)} | {N: rates[of_all]}
    logarithm = np.interp(np.log(k), np.log(list(points)), np.log(list(points.values())))
    return float(f"{np.exp(logarithm):.2g}")


def rate_of_own(info: ProblemInfo, batch_size: BatchSize, num_examples: int | None = None) -> float | None:
    """A learning rate for data that no search has seen: γ = c / (λ + (d + 1)/k), at most 1.

    The samples x of d standardised features and a 1 for the bias have E‖x‖² = d + 1, and λ is the largest eigenvalue of
    E[x xᵀ]. Gradient descent on the squared error of a linear model is stable below 1/λ, and a step on k samples sees
    about λ + (d + 1)/k in its place (S. Ma, R. Bassily, M. Belkin 2018, arXiv 1712.06559). The constant c = 0.2 for a
    regression and 1 for a classification, whose loss is flatter, is between the searched rates of the lab's own tables
    for most k. A search finds a better one.

    >>> from sgd_tf.problems import CATALOGUE
    >>> from dataclasses import replace
    >>> info = replace(CATALOGUE["diabetes"], largest_eigenvalue=4.0)
    >>> rate_of_own(info, "all"), rate_of_own(info, 1)
    (0.05, 0.013)
    """
    if info.largest_eigenvalue is None:
        return None
    k = resolve_batch_size(num_examples or info.num_examples, batch_size)
    constant = 0.2 if info.task == "regression" else 1.0
    return float(f"{min(1.0, constant / (info.largest_eigenvalue + (info.num_features + 1) / k)):.2g}")


def is_searched(problem: str, model: ModelConfig, batch_size: BatchSize, num_examples: int | None = None) -> bool:
    """Whether a search was made for exactly this: problem, model, k and N. If not, `tuned_learning_rate` estimates.

    With `batch_size="all"` it also says whether `target_loss` is that of this model and this N.

    Args:
        problem: name of a problem.
        model: kind, widths and activation; own layers were never searched.
        batch_size: k, in [1, N], or "all" for gradient descent.
        num_examples: N; by default as many training samples as in the search.

    Raises:
        ValueError: if an argument is out of range.

    >>> is_searched("digits", ModelConfig(), 32), is_searched("digits", ModelConfig(widths=(64, 64)), 32)
    (True, False)
    >>> is_searched("digits", ModelConfig(), 33), is_searched("digits", ModelConfig(), 32, num_examples=500)
    (False, False)
    """
    rates = tuned_learning_rates(problem, model.kind)
    if not rates:
        return False
    N = max(rates) if num_examples is None else num_examples
    return resolve_batch_size(N, batch_size) in rates and max(rates) == N and _is_model_of_search(model)


def _is_model_of_search(model: ModelConfig) -> bool:
    """Whether a model has the widths and the activation of the searches: the defaults, where the kind has them."""
    usual = ModelConfig()
    has_usual_widths = model.kind != "mlp" or model.widths == usual.widths
    return has_usual_widths and (model.kind == "linear" or model.activation == usual.activation)


def tuned_learning_rates(problem: str, model: ModelKind) -> dict[int, float]:
    """The learning rates that trained best in a short search, by the batch sizes that were searched, in their order.

    >>> tuned_learning_rates("no such problem", "mlp")
    {}
    """
    rates = _table().get(problem, {}).get(model, {}).get("learning_rates", {})
    return {k: rates[str(k)] for k in sorted(map(int, rates))}


def target_loss(problem: str, model: ModelKind) -> float | None:
    """Training loss that makes the default race worth watching: its last contestant gets there at a third of its time.

    Returns:
        Loss with few significant digits, or None if this problem and model were never searched.

    >>> target_loss("no such problem", "mlp") is None
    True
    """
    own = given.find(problem)
    if own is not None:
        return own.info.target_loss
    return _table().get(problem, {}).get(model, {}).get("target")
