"""The largest eigenvalue of the Hessian, and gradient descent on both sides of the limit 2/λmax that it sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sgd_tf.noise.rows import Curvature
from sgd_tf.training.records import Progress, TrainConfig, check_int
from sgd_tf.training.run import Model, Run
from sgd_tf.training.vectors import get_weights

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Array: TypeAlias = "np.ndarray[Any, Any]"


NUM_VECTORS = 20  # of a Krylov basis: ARPACK makes about as many products before it first looks at what it has


@dataclass(frozen=True, kw_only=True)
class Eigenvalue(Curvature):
    """The largest eigenvalue with its vector."""

    vector: Array  # (P,) v, of length 1

    def without_vector(self) -> Curvature:
        """What travels from a worker to a page."""
        names = (field.name for field in fields(Curvature))
        return Curvature(**{name: getattr(self, name) for name in names})


def largest_eigenvalue(
    product: Callable[[Array], Array],
    num_parameters: int,
    *,
    tolerance: float = 1e-4,
    max_products: int = 1_000,
    seed: int = 0,
) -> Eigenvalue:
    """Largest eigenvalue of a symmetric matrix, with its sign, from products with vectors.

    The Lanczos method with restarts, as ARPACK has it (`scipy.sparse.linalg.eigsh`; R. Lehoucq, D. Sorensen, C. Yang,
    ARPACK Users' Guide, 1998): in the space that v, Hv, H²v, … span, λ is the largest v · Hv of a unit vector. Both
    ends of the spectrum may be equally far from 0, as at a saddle. Up to P = 20 the space is all of ℝᴾ: λ is exact.

    Args:
        product: gives Hv for a vector v of shape (P,).
        num_parameters: P.
        tolerance: Largest residual ‖Hv − λv‖, as a fraction of the largest eigenvalue in absolute value.
        max_products: Largest number of products. If it is too small, the result is not ``converged``.
        seed: Seed of the first vector.

    Raises:
        ValueError: if an argument is out of range.

    >>> found = largest_eigenvalue(np.diag([5.0, -5.0, 1.0]).dot, 3)
    >>> round(found.value, 6), round(found.max_learning_rate, 6), found.num_products
    (5.0, 0.4, 3)
    """
    P = check_int("num_parameters", num_parameters, 1)
    check_int("max_products", max_products, 2)
    if not 0 < tolerance < 1:
        raise ValueError(f"`tolerance` must be in (0, 1); received {tolerance!r}.")
    random = np.random.default_rng(seed)
    products = _Products(product, max_products)
    try:
        if P <= NUM_VECTORS:
            basis, _triangle = np.linalg.qr(random.standard_normal((P, P)))
            v, image = _ritz([products.of(direction) for direction in basis.T[:max_products]])[-1]
        else:
            v, image = products.by_arpack(random.standard_normal(P), tolerance)
    except _NotFiniteError:
        v = image = np.full(P, math.nan)
    value = float(v @ image)
    residual = float(np.linalg.norm(image - value * v))
    return Eigenvalue(
        value=value,
        residual=residual,
        num_products=products.num,
        converged=residual <= tolerance * max(abs(value), products.largest),
        vector=v,
    )


class _NotFiniteError(Exception):
    """A product with an inf or a nan in it."""


class _NoMoreError(Exception):
    """All products that were allowed are made."""


class _Products:
    """Products of a matrix with vectors: counted, and the latest of them kept."""

    def __init__(self, product: Callable[[Array], Array], most: int) -> None:
        self.product, self.most = product, most
        self.num = 0
        self.largest = 0.0  # ‖Hv‖ of a unit vector v so far: no eigenvalue is known to be larger in size
        self.kept: list[tuple[Array, Array]] = []  # the best of the earlier products, and the latest ones

    def of(self, v: Array) -> tuple[Array, Array]:
        """The unit vector along v, and the product with it."""
        v = np.ravel(v) / np.linalg.norm(v)
        image = np.asarray(self.product(v), dtype=np.float64)
        self.num += 1
        if not np.isfinite(image).all():
            raise _NotFiniteError
        self.largest = max(self.largest, float(np.linalg.norm(image)))
        return v, image

    def by_arpack(self, start: Array, tolerance: float) -> tuple[Array, Array]:
        """Unit vector of the largest eigenvalue and the product with it; the best so far, if no more are allowed."""
        from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

        def matvec(v: Array) -> Array:
            if self.num >= self.most - 1:  # one is left for the residual
                raise _NoMoreError
            if len(self.kept) == 2 * NUM_VECTORS:
                self.kept = _ritz(self.kept)[-NUM_VECTORS:]
            self.kept.append(self.of(v))
            return self.kept[-1][1] * np.linalg.norm(v)

        matrix = LinearOperator((len(start), len(start)), matvec=matvec, dtype=np.float64)
        try:
            _values, vectors = eigsh(matrix, k=1, which="LA", v0=start, ncv=NUM_VECTORS, tol=tolerance)
        except (_NoMoreError, ArpackError):  # ArpackNoConvergence is one; another is raised where H is 0
            return _ritz(self.kept)[-1]
        return self.of(vectors[:, 0])


def _ritz(pairs: Sequence[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
    """Of the space that some vectors span the unit vectors at which v · Hv is stationary, the largest last.

    The method of W. Ritz (1909).

    Args:
        pairs: vectors v with their products Hv.

    Returns:
        Such pairs again, of orthogonal vectors; fewer, where vectors lie in the space of the others.
    """
    vectors, images = (np.array(rows) for rows in zip(*pairs, strict=True))
    axes, squares, _axes = np.linalg.svd(vectors @ vectors.T)
    is_new = squares > 1e-10 * squares[0]
    to_basis = axes[:, is_new] / np.sqrt(squares[is_new])
    inner = to_basis.T @ (vectors @ images.T) @ to_basis
    _values, coordinates = np.linalg.eigh((inner + inner.T) / 2)
    mix = (to_basis @ coordinates).T
    return list(zip(mix @ vectors, mix @ images, strict=True))


def descend(
    problem: Problem,
    learning_rate: float,
    *,
    name: str,
    model: Model | None = None,
    num_updates: int = 100,
    seed: int = 0,
) -> Iterator[tuple[Progress, Array]]:
    """Gradient descent with a record after each update (after each second one, from 20 on), and its weights.

    On a quadratic with the Hessian H, the part of the error along a unit eigenvector of λ is multiplied by 1 − γλ
    with each update, and its share of the loss by (1 − γλ)²: above γ = 2/λmax it grows.

    Args:
        problem: training and test samples.
        learning_rate: γ, in (0, 100].
        name: Name of the run in its records.
        model: Model, as in `training.train`.
        num_updates: Number of updates, at least 1. A run that diverges ends earlier.
        seed: Seed of the initial weights.

    Yields:
        The record and the (P,) weights of that moment; the first before any update.
    """
    check_int("num_updates", num_updates, 1)
    config = TrainConfig(batch_size="all", learning_rate=learning_rate, seed=seed)
    with Run(problem, config, name=name, model=model) as run:
        while True:
            record = run.record()
            yield record, get_weights(run.model)
            if run.is_over or run.update >= num_updates:
                return
            run.advance(update=min(num_updates, run.update + (1 if run.update < 20 else 2)))
