"""The largest eigenvalue of the Hessian, and gradient descent on both sides of the limit 2/λmax that it sets."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sgd_tf import training
from sgd_tf.records import Progress, TrainConfig, check_int

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, kw_only=True)
class Eigenvalue:
    """What a power iteration found."""

    value: float  # λ, the Rayleigh quotient v · Hv of the unit vector v
    residual: float  # ‖Hv − λv‖: some eigenvalue of H is no farther from λ than this
    num_products: int  # products Hv that it took
    vector: Array  # (P,) v, of length 1

    @property
    def max_learning_rate(self) -> float:
        """2/λ: above it gradient descent on a quadratic grows along v. inf where nothing curves upwards."""
        return 2 / self.value if self.value > 0 else math.inf


def largest_eigenvalue(
    product: Callable[[Array], Array],
    num_parameters: int,
    *,
    tolerance: float = 1e-4,
    max_products: int = 1_000,
    seed: int = 0,
) -> Eigenvalue:
    """Largest eigenvalue of a symmetric matrix by power iteration: v ← Hv / ‖Hv‖, λ = v · Hv.

    Power iteration finds the eigenvalue that is largest in size. If that one is negative, −μ, a second iteration
    with H + μ I, all of whose eigenvalues are at least 0, finds the one that is largest with its sign.

    Args:
        product: gives Hv for a vector v of shape (P,).
        num_parameters: P.
        tolerance: of the residual ‖Hv − λv‖, as a share of the largest eigenvalue in size.
        max_products: it ends after so many products at the latest; the residual tells how far it came.
        seed: of the vector that it starts from.

    Raises:
        ValueError: if an argument is out of range.

    >>> found = largest_eigenvalue(np.diag([1.0, -5.0, 3.0]).dot, 3, tolerance=1e-9)
    >>> round(found.value, 6), round(found.max_learning_rate, 6)
    (3.0, 0.666667)
    """
    P = check_int("num_parameters", num_parameters, 1)
    check_int("max_products", max_products, 2)
    if not 0 < tolerance < 1:
        raise ValueError(f"`tolerance` must be in (0, 1); received {tolerance!r}.")
    start = np.random.default_rng(seed).standard_normal(P)
    first = _power_iteration(product, start, tolerance, max_products, shift=0.0)
    left = max_products - first.num_products
    if first.value >= 0 or left < 2:
        return first
    second = _power_iteration(product, start, tolerance, left, shift=-first.value)
    return Eigenvalue(
        value=second.value,
        residual=second.residual,
        num_products=first.num_products + second.num_products,
        vector=second.vector,
    )


def _power_iteration(
    product: Callable[[Array], Array], start: Array, tolerance: float, max_products: int, *, shift: float
) -> Eigenvalue:
    """Power iteration with H + shift I; value and residual are those of H."""
    v = start / np.linalg.norm(start)
    for num_products in range(1, max_products + 1):
        image = np.asarray(product(v), dtype=np.float64)
        value = float(v @ image)
        residual = float(np.linalg.norm(image - value * v))
        moved = image + shift * v
        size = float(np.linalg.norm(moved))
        if residual <= tolerance * max(abs(value), shift) or size == 0 or num_products == max_products:
            break
        v = moved / size
    return Eigenvalue(value=value, residual=residual, num_products=num_products, vector=v)


def descend(
    problem: Problem,
    learning_rate: float,
    *,
    name: str,
    model: training.Model | None = None,
    num_updates: int = 100,
    seed: int = 0,
) -> Iterator[tuple[Progress, Array]]:
    """Gradient descent with a record after each update (after each second one, from 20 on), and its weights.

    On a quadratic with the Hessian H, the part of the error along a unit eigenvector of λ is multiplied by 1 − γλ
    with each update, and its share of the loss by (1 − γλ)²: above γ = 2/λmax it grows.

    Args:
        problem: training and test samples.
        learning_rate: γ, in (0, 100].
        name: of the run in its records.
        model: as in `training.train`.
        num_updates: at least 1; a run that diverges ends before.
        seed: of the initial weights.

    Yields:
        The record and the (P,) weights of that moment; the first before any update.
    """
    check_int("num_updates", num_updates, 1)
    config = TrainConfig(batch_size="all", learning_rate=learning_rate, seed=seed)
    with contextlib.closing(training.Run(problem, config, name=name, model=model)) as run:
        while True:
            record = run.record()
            yield record, np.concatenate([variable.numpy().ravel() for variable in run.model.trainable_variables])
            if run.is_over or run.update >= num_updates:
                return
            run.advance(until=(min(num_updates, run.update + (1 if run.update < 20 else 2)), math.inf))
