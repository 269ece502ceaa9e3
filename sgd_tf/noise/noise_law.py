"""Formulas of minibatch gradients: the law of their noise, and the exact gradients of a straight line."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from sgd_tf.training.records import check_int

Array: TypeAlias = "np.ndarray[Any, Any]"


def sample_variance(per_example: Array) -> float:
    """Spread of the per-sample gradients about their mean: S² = Σᵢ ‖gᵢ − g‖² / (N − 1).

    Args:
        per_example: (N, P) gradients of N samples, N at least 2.

    >>> sample_variance(np.array([[1.0, 0.0], [3.0, 0.0]]))
    2.0
    """
    check_int("len(per_example)", len(per_example), 2)
    values = np.asarray(per_example, dtype=np.float64)
    return float(np.square(values - values.mean(axis=0)).sum() / (len(values) - 1))


def variance_law(
    s_squared: float, batch_size: float | Array, num_examples: int, *, with_replacement: bool = False
) -> Array:
    """How far a minibatch gradient lies from the full gradient, in the mean square.

    Drawn without replacement, E‖g_B − g‖² = (S²/k) (1 − k/N), which is exactly 0 at k = N. Drawn with
    replacement it is (S²/k) (N − 1)/N, which is not. Here g_B is the mean over the k samples of B, and S² the
    `sample_variance` of the per-sample gradients. (W. Cochran, Sampling Techniques, 1977, theorem 2.2.)

    Args:
        s_squared: S², at least 0.
        batch_size: k, in [1, N], also between the whole numbers; or an array of these.
        num_examples: N, at least 2.
        with_replacement: whether a sample may be drawn twice for one minibatch; then k may exceed N.

    Returns:
        float64, in the shape of ``batch_size``.

    Raises:
        ValueError: if an argument is out of range.

    >>> variance_law(8.0, np.array([1, 2, 4]), 4).tolist()
    [6.0, 2.0, 0.0]
    >>> float(variance_law(8.0, 4, 4, with_replacement=True))
    1.5
    """
    N = check_int("num_examples", num_examples, 2)
    k = np.asarray(batch_size, dtype=np.float64)
    if not s_squared >= 0:
        raise ValueError(f"`s_squared` must be at least 0; received {s_squared!r}.")
    if (k < 1).any() or ((k > N).any() and not with_replacement):
        raise ValueError(f"`batch_size` must be in [1, {N}]; received {batch_size!r}.")
    return s_squared / k * ((N - 1) / N if with_replacement else 1 - k / N)


def noise_scale(s_squared: float, signal: float) -> float:
    """B = S²/‖g‖², also of estimates, which may lie below 0: 0 without noise, inf without a gradient, nan without both.

    >>> noise_scale(8.0, 2.0), noise_scale(-1.0, 2.0), noise_scale(8.0, -0.1), noise_scale(0.0, 0.0)
    (4.0, 0.0, inf, nan)
    """
    if not max(s_squared, signal) > 0 or not math.isfinite(s_squared + signal):
        return math.nan
    return math.inf if signal <= 0 else max(0.0, s_squared / signal)


def equal_noise_batch_size(noise_scale: float, num_examples: int) -> float:
    """The k at which the noise of a minibatch gradient is as large as the gradient: E‖g_B − g‖² = ‖g‖².

    With B = S²/‖g‖² that is k = 1 / (1/B + 1/N): B itself, as long as N is much larger.

    Args:
        noise_scale: B, at least 0; inf gives N, nan gives nan.
        num_examples: N.

    >>> round(equal_noise_batch_size(100.0, 300), 9)
    75.0
    """
    return 1 / (1 / noise_scale + 1 / num_examples) if noise_scale else 0.0


# The straight line ŷ = w x + b with the loss (ŷ − y)²: all in closed form


def line_gradients(x: Array, y: Array, w: float, b: float) -> Array:
    """Per-sample gradients of the squared error of a line: 2 (w x + b − y) (x, 1).

    Args:
        x: (N,) inputs.
        y: (N,) targets.
        w: slope of the line.
        b: its intercept.

    Returns:
        (N, 2) float64: ∂/∂w and ∂/∂b of each sample's loss.

    >>> line_gradients(np.array([3.0]), np.array([1.0]), w=1.0, b=0.0).tolist()
    [[12.0, 4.0]]
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return 2 * (w * x + b - y)[:, None] * np.column_stack([x, np.ones_like(x)])


def line_contours(x: Array, y: Array, *, num_levels: int = 7, spacing: float = 0.8, num_points: int = 73) -> Array:
    """Contours of the mean squared error of a line over (w, b): ellipses about the best line.

    With A = [[mean x², mean x], [mean x, 1]] and θ* the least-squares line, L(θ) = L(θ*) + (θ − θ*)ᵀ A (θ − θ*).
    The contour of the loss L(θ*) + ρ² is θ* + ρ A^(−1/2) (cos φ, sin φ).

    Args:
        x: (N,) inputs.
        y: (N,) targets.
        num_levels: number of contours.
        spacing: ρ grows by so much from one to the next.
        num_points: of each contour; the last is the first.

    Returns:
        (num_levels, num_points, 3) float64: w, b and the loss.

    >>> line = line_contours(np.array([-1.0, 1.0]), np.array([1.0, 3.0]), num_levels=1, spacing=1.0)  # y = x + 2
    >>> np.round(line[0, 0], 9).tolist()
    [2.0, 2.0, 1.0]
    """
    design = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    target = np.asarray(y, dtype=np.float64)
    best, *_ = np.linalg.lstsq(design, target, rcond=None)
    lowest = float(np.mean(np.square(design @ best - target)))
    values, vectors = np.linalg.eigh(design.T @ design / len(design))
    root = vectors / np.sqrt(values) @ vectors.T  # A^(−1/2)
    angle = np.linspace(0, 2 * np.pi, num_points)
    circle = np.column_stack([np.cos(angle), np.sin(angle)]) @ root
    radii = spacing * np.arange(1, num_levels + 1)
    planes = best + radii[:, None, None] * circle
    losses = np.broadcast_to((lowest + np.square(radii))[:, None, None], (num_levels, num_points, 1))
    return np.concatenate([planes, losses], axis=2)


def cut_order(order: Array, batch_size: int) -> list[Array]:
    """The minibatches of one epoch: an order of the samples, cut every k of them; the last may be smaller.

    >>> [minibatch.tolist() for minibatch in cut_order(np.array([4, 0, 3, 1, 2]), 2)]
    [[4, 0], [3, 1], [2]]
    """
    return np.split(np.asarray(order), range(batch_size, len(order), batch_size))


def minibatch_means(per_example: Array, minibatches: list[Array]) -> tuple[Array, Array]:
    """Gradient of each minibatch of an epoch, and its share of the samples.

    Weighted by their shares they add up to the full gradient, Σ (kᵢ/N) g_Bᵢ = g, whatever the order: each sample
    is in one of them. Where k divides N all shares are the same, and the plain mean does it too.

    Args:
        per_example: (N, P) gradients of the samples.
        minibatches: indices of each.

    Returns:
        (number of minibatches, P) gradients; (number of minibatches,) shares kᵢ/N.

    >>> gradients, shares = minibatch_means(np.array([[0.0], [2.0], [7.0]]), [np.array([0, 1]), np.array([2])])
    >>> gradients.tolist(), round(float(shares @ gradients[:, 0]), 9)
    ([[1.0], [7.0]], 3.0)
    """
    sizes = np.array([len(minibatch) for minibatch in minibatches])
    sums = np.add.reduceat(per_example[np.concatenate(minibatches)], np.cumsum(sizes) - sizes, axis=0)
    return sums / sizes[:, None], sizes / len(per_example)
