"""Learning rates and target losses that were found by search, for each problem, model and batch size.

The values are in `data/learning_rates.json`, written by `scripts/tune_learning_rates.py`.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

import numpy as np

from sgd_tf.records import ModelKind

# 0.0001 … 10, evenly spaced in the logarithm: the rates that a search tries.
LEARNING_RATES = tuple(float(f"{10 ** (exponent / 4):.2g}") for exponent in range(-16, 5))


@functools.cache
def _table() -> dict[str, Any]:
    text = resources.files("sgd_tf").joinpath("data/learning_rates.json").read_text(encoding="utf-8")
    return json.loads(text)


def tuned_learning_rate(problem: str, model: ModelKind, batch_size: int) -> float | None:
    """The learning rate that trained best in a short search; between two searched batch sizes, on the line
    through both in log-log coordinates; beyond the searched ones, that of the nearest.

    Args:
        problem: name of a problem.
        model: kind of model; an MLP was searched with one hidden layer of 32 units.
        batch_size: k, at least 1; N for gradient descent.

    Returns:
        Learning rate to two significant digits, or None if this problem and model were never searched.

    >>> tuned_learning_rate("no such problem", "mlp", 32) is None
    True
    """
    rates = _table().get(problem, {}).get(model, {}).get("learning_rates")
    if not rates:
        return None
    sizes = sorted(map(int, rates))
    logarithm = np.interp(np.log(batch_size), np.log(sizes), [np.log(rates[str(k)]) for k in sizes])
    return float(f"{np.exp(logarithm):.2g}")


def target_loss(problem: str, model: ModelKind) -> float | None:
    """Training loss that gradient descent at its best learning rate reached after two seconds of training.

    Returns:
        Loss, rounded up to one significant digit, or None if this problem and model were never searched.

    >>> target_loss("no such problem", "mlp") is None
    True
    """
    return _table().get(problem, {}).get(model, {}).get("target")
