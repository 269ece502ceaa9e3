"""How many minibatches make an epoch and how many updates a run: arithmetic alone, without TensorFlow."""

from __future__ import annotations

from sgd_tf.records import BatchSize, check_int


def resolve_batch_size(num_examples: int, batch_size: BatchSize) -> int:
    """Batch size k as a number in [1, N].

    Raises:
        ValueError: if an argument is out of range.

    >>> resolve_batch_size(1437, "all")
    1437
    >>> resolve_batch_size(1437, 0)
    Traceback (most recent call last):
    ...
    ValueError: `batch_size` must be in [1, 1437] or "all"; received 0.
    """
    check_int("num_examples", num_examples, 1)
    if batch_size == "all":
        return num_examples
    try:
        return check_int("batch_size", batch_size, 1, num_examples)
    except ValueError:
        message = f'`batch_size` must be in [1, {num_examples}] or "all"; received {batch_size!r}.'
        raise ValueError(message) from None


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
