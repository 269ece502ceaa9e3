"""Who was drawn how often, and where in the epoch: the bookkeeping of drawing samples, and what chance says of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from sgd_tf.training.records import check_int


def visits(orders: np.ndarray, num_examples: int) -> np.ndarray:
    """How often each sample was drawn.

    Args:
        orders: (epochs, N) or (draws,) int, the indices of the samples in the order in which they were drawn.
        num_examples: N.

    Returns:
        (N,) int64.

    >>> visits(np.array([[0, 2, 1], [2, 2, 0]]), 3).tolist()
    [2, 1, 3]
    """
    return np.bincount(np.ravel(orders), minlength=check_int("num_examples", num_examples, 1))


def missed_shares(orders: np.ndarray, num_examples: int) -> np.ndarray:
    """Share of the samples that were never drawn in the first 1, 2, … epochs.

    Args:
        orders: (epochs, N) int, the indices of the samples in the order in which they were drawn.
        num_examples: N.

    Returns:
        (epochs,) float64 in [0, 1], falling.

    >>> missed_shares(np.array([[0, 0, 1, 1], [0, 2, 1, 1]]), 4).tolist()
    [0.5, 0.25]
    """
    return np.array([(visits(orders[: e + 1], num_examples) == 0).mean() for e in range(len(orders))])


def expected_missed_share(num_examples: int, num_epochs: int = 1) -> float:
    """Share of the samples that drawing with replacement misses in e epochs: (1 − 1/N)^(N e) → 1/eᵉ (e = 2.718…).

    Each of the N · e draws misses a given sample with probability 1 − 1/N, independently of the others. With
    N → ∞ this is exp(−1) = 36.8 % after one epoch.

    Args:
        num_examples: N, at least 1.
        num_epochs: e, at least 0.

    >>> round(expected_missed_share(100), 4), round(expected_missed_share(1_000_000), 4)
    (0.366, 0.3679)
    """
    N = check_int("num_examples", num_examples, 1)
    return float((1 - 1 / N) ** (N * check_int("num_epochs", num_epochs, 0)))


def expected_visit_shares(num_examples: int, num_epochs: int, max_visits: int) -> np.ndarray:
    """Share of the samples that drawing with replacement visits 0, 1, … times in e epochs: Binomial(N e, 1/N).

    Args:
        num_examples: N, at least 1.
        num_epochs: e, at least 0.
        max_visits: the last number of visits that is asked for.

    Returns:
        (max_visits + 1,) float64.

    >>> expected_visit_shares(2, 1, 2).tolist()  # two draws from two samples
    [0.25, 0.5, 0.25]
    """
    N = check_int("num_examples", num_examples, 1)
    draws = N * check_int("num_epochs", num_epochs, 0)
    many = range(check_int("max_visits", max_visits, 0) + 1)
    return np.array([math.comb(draws, m) * (1 / N) ** m * (1 - 1 / N) ** max(0, draws - m) for m in many])


def same_places(one: np.ndarray, other: np.ndarray) -> int:
    """Number of positions at which two epochs drew the same sample; two random permutations share one on average.

    >>> same_places(np.array([0, 1, 2]), np.array([2, 1, 0]))
    1
    """
    return int((np.asarray(one) == np.asarray(other)).sum())


def earliest_position(index: np.ndarray | int, buffer_size: int) -> np.ndarray:
    """The first position of an epoch at which a shuffle buffer can give a sample away: max(0, i − b + 1).

    Before position p is drawn, the buffer has taken in the samples 0, …, p + b − 1 and none after them. A sample
    may come out as late as chance wants.

    Args:
        index: i, place of the sample in the data, from 0; or an array of these.
        buffer_size: b, samples in the buffer, at least 1.

    >>> earliest_position(np.array([0, 9, 10, 99]), 10).tolist()
    [0, 0, 1, 90]
    """
    return np.maximum(0, np.asarray(index) - check_int("buffer_size", buffer_size, 1) + 1)


def positions(order: np.ndarray, batch_size: int) -> pd.DataFrame:
    """One epoch as a table: which sample stood where.

    Args:
        order: (N,) int, the samples in the order in which they were drawn.
        batch_size: k, samples per minibatch.

    Returns:
        columns sample (index, from 0), position (in the epoch, from 0), iteration (minibatch, from 1).

    >>> positions(np.array([2, 0, 1]), 2).values.tolist()
    [[2, 0, 1], [0, 1, 1], [1, 2, 2]]
    """
    place = np.arange(len(order))
    iteration = place // check_int("batch_size", batch_size, 1) + 1
    return pd.DataFrame({"sample": np.asarray(order), "position": place, "iteration": iteration})
