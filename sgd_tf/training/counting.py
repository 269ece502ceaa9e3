"""How many minibatches make an epoch and how many updates a run: plain arithmetic, without TensorFlow."""

from __future__ import annotations

import math

from sgd_tf.checks import BatchSize, check_int, resolve_batch_size


def iterations_per_epoch(num_examples: int, batch_size: BatchSize) -> int:
    """Number of parameter updates in one pass over the training set: ⌈N / k⌉.

    The last minibatch of an epoch holds the N mod k samples that are left, and counts.

    Args:
        num_examples: N, the number of training samples, at least 1.
        batch_size: k, in [1, N], or "all" for k = N (gradient descent).

    Raises:
        ValueError: if an argument is out of range.

    >>> iterations_per_epoch(20_640, 256)
    81
    >>> iterations_per_epoch(20_640, "all")
    1
    """
    return -(-num_examples // resolve_batch_size(num_examples, batch_size))


def num_updates(num_examples: int, batch_size: BatchSize, num_epochs: int) -> int:
    """Number of parameter updates in a whole run: ⌈N / k⌉ × epochs.

    Args:
        num_examples: N, the number of training samples, at least 1.
        batch_size: k, in [1, N], or "all".
        num_epochs: passes over the training set, at least 0.

    Raises:
        ValueError: if an argument is out of range.

    >>> num_updates(20_640, 256, 4_000)
    324000
    """
    return iterations_per_epoch(num_examples, batch_size) * check_int("num_epochs", num_epochs, 0)


def epoch_updates(num_examples: int, batch_size: BatchSize, epochs: float) -> int:
    """Number of parameter updates in so many epochs, which may be broken: epochs · ⌈N / k⌉, rounded, at least 1.

    Args:
        num_examples: N, the number of training samples, at least 1.
        batch_size: k, in [1, N], or "all".
        epochs: passes over the training set, greater than 0; halves of an update are rounded up.

    Raises:
        ValueError: if an argument is out of range.

    >>> epoch_updates(1437, 256, 10), epoch_updates(1437, 256, 0.5), epoch_updates(1437, "all", 2.5)
    (60, 3, 3)
    """
    if not 0 < epochs < math.inf:
        raise ValueError(f"`epochs` must be a finite number greater than 0; received {epochs!r}.")
    return max(1, math.floor(epochs * iterations_per_epoch(num_examples, batch_size) + 0.5))


def last_minibatch_size(num_examples: int, batch_size: BatchSize) -> int:
    """Samples in the last minibatch of an epoch: N mod k, or k where k divides N.

    The other ⌈N / k⌉ - 1 minibatches take k samples each, and leave N - k (⌈N / k⌉ - 1).

    Args:
        num_examples: N, the number of training samples, at least 1.
        batch_size: k, in [1, N], or "all".

    Raises:
        ValueError: if an argument is out of range.

    >>> last_minibatch_size(20_640, 256), last_minibatch_size(24, 6)
    (160, 6)
    """
    k = resolve_batch_size(num_examples, batch_size)
    return num_examples % k or k
