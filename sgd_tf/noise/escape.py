"""Whether noise leads out of a local minimum: many small SGD runs on a curve with two valleys."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from sgd_tf.noise.rows import Escapes
from sgd_tf.noise.valleys import TILT, stationary_points
from sgd_tf.training.counting import resolve_batch_size
from sgd_tf.training.records import BatchSize, check_int

Array: TypeAlias = "np.ndarray[Any, Any]"


def epoch_orders(num_runs: int, num_examples: int, *, seed: int, epoch: int | tf.Tensor) -> tf.Tensor:
    """One order of the samples for each run: rows are permutations of 0, …, N − 1, drawn independently.

    `pipeline.order` draws the same for one run with "reshuffle"; here each order sorts N random numbers.

    Args:
        num_runs: R.
        num_examples: N.
        seed: Seed of all orders.
        epoch: Number of the epoch; each epoch has its own orders.

    Returns:
        (R, N) int32.
    """
    keys = tf.random.stateless_uniform([num_runs, num_examples], tf.stack([seed, epoch]), dtype=tf.float32)
    return tf.argsort(keys, axis=1)


def share_interval(num_escaped: int, num_runs: int) -> tuple[float, float]:
    """95 % confidence interval of a share (E. Wilson, 1927).

    >>> [round(end, 4) for end in share_interval(0, 100)]
    [0.0, 0.037]
    """
    from scipy.stats import binomtest

    interval = binomtest(num_escaped, num_runs).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def sample_slopes(num_examples: int, spread: float) -> Array:
    """What distinguishes the samples: slopes aᵢ with mean 0 and standard deviation ``spread``, normally distributed.

    Sample i has the loss f(w) + aᵢ w. The mean over all samples is f itself, since Σ aᵢ = 0.

    Args:
        num_examples: N, at least 2.
        spread: standard deviation, with divisor N, at least 0.

    Returns:
        (N,) float64: quantiles of the normal distribution, scaled.

    >>> sample_slopes(2, 3.0).tolist()
    [-3.0, 3.0]
    """
    from scipy.stats import norm

    N = check_int("num_examples", num_examples, 2)
    if not (math.isfinite(spread) and spread >= 0):
        raise ValueError(f"`spread` must be a finite number of at least 0; received {spread!r}.")
    quantiles = norm.ppf((np.arange(N) + 0.5) / N)
    quantiles = (quantiles - quantiles[::-1]) / 2  # symmetric to the last bit, so that they add up to 0
    return spread * quantiles / quantiles.std()


def escapes(
    batch_size: BatchSize,
    *,
    num_examples: int = 512,
    spread: float = 3.0,
    learning_rate: float = 0.2,
    num_updates: int = 300,
    num_runs: int = 300,
    seed: int = 0,
) -> Escapes:
    """Run minibatch SGD many times from the bottom of the shallow valley, and count where it ends.

    The mean loss is f of `valleys`; sample i has the loss f(w) + aᵢ w, with `sample_slopes` aᵢ. An update draws k
    of the N samples without replacement and goes w ← w − γ (f′(w) + mean of their aᵢ). At k = N the mean is 0: that
    is gradient descent, which does not move.

    Far out the loss is as steep as w³, and an update leads still farther to the other side where |1 + γ − γ w²| > 1,
    that is |w| > √(1 + 2/γ). A run that ends there or at nan has diverged.

    Args:
        batch_size: k, in [1, N], or "all".
        num_examples: N, at least 2.
        spread: Standard deviation of the slopes.
        learning_rate: γ, in (0, 0.5]. With a larger one the valleys themselves are not stable.
        num_updates: Number of updates of each run, at least 1.
        num_runs: R, at least 1.
        seed: Seed of the sample orders.

    Raises:
        ValueError: if an argument is out of range.
    """
    N, R = check_int("num_examples", num_examples, 2), check_int("num_runs", num_runs, 1)
    k = resolve_batch_size(N, batch_size)
    if not 0 < learning_rate <= 0.5:
        raise ValueError(f"`learning_rate` must be in (0, 0.5]; received {learning_rate!r}.")
    left = check_int("num_updates", num_updates, 1)
    slopes = tf.constant(sample_slopes(N, spread), tf.float32)
    rate = tf.constant(learning_rate, tf.float32)
    _deep, ridge, shallow = stationary_points()
    w = tf.fill([R], tf.constant(shallow, tf.float32))
    bounds = np.append(np.arange(0, N, k), N)
    sizes = tf.constant(np.diff(bounds), tf.float32)
    epoch = 0
    while left:
        num = min(left, len(bounds) - 1)
        if k == N:  # all samples, each once: the same minibatch in any order, and its slopes add up to 0
            num, means = left, tf.zeros([left, R])
        else:
            drawn = tf.gather(slopes, epoch_orders(R, N, seed=seed, epoch=tf.constant(epoch)))
            sums = tf.gather(tf.pad(tf.cumsum(drawn, axis=1), [[0, 0], [1, 0]]), bounds, axis=1)
            means = tf.transpose((sums[:, 1:] - sums[:, :-1]) / sizes)
        w = _descend(w, means[:num], rate)
        left, epoch = left - num, epoch + 1
    ends = w.numpy()
    is_near = np.abs(ends) <= math.sqrt(1 + 2 / learning_rate)  # False of nan
    num_escaped = int(np.sum(is_near & (ends < ridge)))
    return Escapes(
        batch_size=k,
        num_runs=R,
        num_escaped=num_escaped,
        num_diverged=int(np.sum(~is_near)),
        interval=share_interval(num_escaped, R),
        ends=ends.tolist(),
    )


@tf.function(reduce_retracing=True)
def _descend(w: tf.Tensor, slopes: tf.Tensor, learning_rate: tf.Tensor) -> tf.Tensor:
    """One update of all runs for each row of slopes (updates, R)."""
    for slope in slopes:
        w -= learning_rate * (w**3 - w + TILT + slope)
    return w
