"""Two ways to reshuffle each epoch: one permutation, and `Dataset.shuffle(N)`; their law, and their price."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from sgd_tf.problems import Problem
from sgd_tf.training import compiled, pipeline
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.records import Shuffler, TrainConfig


def epoch_orders(num_examples: int, num_epochs: int, *, shuffler: Shuffler, seed: int = 0) -> np.ndarray:
    """The samples of the first epochs in the order in which a shuffler draws them.

    Args:
        num_examples: N.
        num_epochs: e.
        shuffler: "permutation" or "dataset".
        seed: of the order.

    Returns:
        (e, N) int64, indices into the training set.
    """
    epochs = pipeline.order(num_examples, "all", shuffler=shuffler, seed=seed)
    return np.stack(list(epochs.repeat(num_epochs).as_numpy_iterator()))


def uniformity(permutations: np.ndarray) -> float:
    """P-value of the hypothesis that permutations are uniform: χ² of how often each number is in each place.

    The matrix P of a uniform permutation has mean 1/N and covariance C ⊗ C / (N − 1), C the centring matrix. So for e
    independent ones with sum O, (N − 1)/e Σ (O − e/N)² is close to χ² with (N − 1)² degrees of freedom.

    Args:
        permutations: (e, N), numbers from 0 to N − 1.

    >>> rng = np.random.default_rng(0)
    >>> bool(uniformity(np.stack([rng.permutation(5) for _ in range(1000)])) > 0.01)
    True
    >>> uniformity(np.tile(range(5), (1000, 1)))
    0.0
    """
    num, N = permutations.shape
    counts = np.zeros((N, N))
    np.add.at(counts, (permutations, np.broadcast_to(np.arange(N), (num, N))), 1)
    statistic = (N - 1) / num * np.square(counts - num / N).sum()
    return float(stats.chi2.sf(statistic, (N - 1) ** 2))


def from_epoch_to_epoch(orders: np.ndarray) -> np.ndarray:
    """Where the samples in the places 0, 1, … of an epoch are in the next one: uniform if epochs are independent.

    >>> from_epoch_to_epoch(np.array([[2, 0, 1], [0, 1, 2]])).tolist()
    [[2, 0, 1]]
    """
    places = np.argsort(orders, axis=1)
    return np.take_along_axis(places[1:], orders[:-1], axis=1)


def drawing(problem: Problem, batch_size: int, shuffler: Shuffler) -> Callable[[], float]:
    """A function that draws the blocks of about an epoch, as the compiled loop reads them: seconds per epoch."""
    num_minibatches = compiled.block_updates(problem, TrainConfig(batch_size=batch_size))
    blocks = iter(pipeline.blocks(problem, batch_size, num_minibatches, shuffler=shuffler))
    per_epoch = iterations_per_epoch(problem.num_examples, batch_size)
    num_blocks = max(1, round(per_epoch / num_minibatches))

    def draw() -> float:
        start = time.perf_counter()
        for _ in range(num_blocks):
            next(blocks)
        return (time.perf_counter() - start) * per_epoch / (num_blocks * num_minibatches)

    draw()
    return draw
