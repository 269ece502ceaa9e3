"""The largest learning rate at which gradient descent is stable, where it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgd_tf.training.records import ModelConfig

if TYPE_CHECKING:
    from sgd_tf.problems import Problem


def largest_stable_rate(problem: Problem, model: ModelConfig) -> float | None:
    """2/λmax, above which gradient descent diverges; None where it is not the same for all weights.

    With a linear model the mean squared error is a quadratic. Its Hessian is 2/N Σ aᵢaᵢᵀ, aᵢ the features of sample i
    and a one for the bias; λmax is its largest eigenvalue.

    Args:
        problem: training samples.
        model: which model.
    """
    if problem.num_classes is not None or model.kind != "linear":
        return None
    a = np.column_stack([problem.x_train, np.ones(problem.num_examples, problem.x_train.dtype)])
    hessian = 2 / problem.num_examples * (a.T @ a).astype(np.float64)
    return 2 / float(np.linalg.eigvalsh(hessian)[-1])
