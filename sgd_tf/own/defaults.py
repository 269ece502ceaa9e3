"""What a race on an own table starts from: the scale of its learning rates, and a loss worth racing to."""

from __future__ import annotations

import warnings

import numpy as np

from sgd_tf.problems.problem import Problem

MAX_ROWS = 2_000  # of the training part, from which both are computed
MAX_WORK = 20_000_000  # rows · features · classes of the linear fit
SHARE = 0.9  # of what a linear model gains over a constant
ITERATIONS = 30


def largest_eigenvalue(problem: Problem) -> float:
    """Largest eigenvalue of E[x xᵀ], x with a 1 for the bias, by power iteration.

    >>> x = np.linspace(-1, 1, 40)
    >>> round(largest_eigenvalue(Problem.from_arrays(np.c_[x, x], x)), 2)
    2.0
    """
    x = _with_bias(problem)
    vector = np.asarray(np.random.default_rng(0).standard_normal(x.shape[1]))
    value = 0.0
    for _iteration in range(ITERATIONS):
        vector = vector / np.linalg.norm(vector)
        product = x.T @ (x @ vector) / len(x)
        value, vector = float(np.linalg.norm(product)), product
    return value


def target_loss(problem: Problem) -> float | None:
    """Training loss after most of what a linear model can learn; None where it learns nothing, or is too large to fit.

    L = L₀ - 0.9 (L₀ - L₁), with the loss L₀ of the best constant and the loss L₁ of a linear model that is fitted by
    scikit-learn. So a linear model reaches it, and so should a network.

    >>> x = np.linspace(-1, 1, 40)
    >>> target_loss(Problem.from_arrays(x, 3 * x))
    0.1
    """
    y, x = problem.y_train[:MAX_ROWS], _with_bias(problem)
    if problem.task == "regression":
        constant = float(np.var(y))
        linear = float(np.mean((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2))
    else:
        shares = np.bincount(y, minlength=problem.num_classes or 2) / len(y)
        constant = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
        fitted = _logistic_loss(x[:, :-1], y)
        if fitted is None:
            return None
        linear = fitted
    if linear > 0.98 * constant:
        return None
    return float(f"{constant - SHARE * (constant - linear):.2g}")


def _with_bias(problem: Problem) -> np.ndarray:
    x = problem.x_train[:MAX_ROWS].astype(np.float64)
    return np.c_[x, np.ones(len(x))]


def _logistic_loss(x: np.ndarray, y: np.ndarray) -> float | None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    num_classes = len(np.unique(y))
    if num_classes < 2 or x.size * num_classes > MAX_WORK:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that has not converged is good enough
        model = LogisticRegression(max_iter=ITERATIONS).fit(x, y)
    return float(log_loss(y, model.predict_proba(x), labels=model.classes_))
