"""The tf.data pipeline: in which order the N samples are drawn, and how they are cut into minibatches.

One epoch is one iteration over a dataset. A new order is drawn at each iteration, as
`Dataset.shuffle(N, reshuffle_each_iteration=True)` does it; but as one tensor, which costs a fraction of
drawing sample by sample. The order of epoch e is a function of (seed, e) only, so that a run can be replayed. With
``shuffler="dataset"`` `Dataset.shuffle` itself draws: the same law at its own cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
import tensorflow as tf

from sgd_tf.training.counting import iterations_per_epoch, resolve_batch_size
from sgd_tf.training.records import SAMPLINGS, BatchSize, Sampling, Shuffler, check_int, check_shuffler

if TYPE_CHECKING:
    from sgd_tf.problems import Problem


def order(
    num_examples: int,
    batch_size: BatchSize,
    *,
    sampling: Sampling = "reshuffle",
    buffer_size: int = 1_000,
    seed: int = 0,
    shuffler: Shuffler = "permutation",
) -> tf.data.Dataset:
    """The samples of each minibatch, as indices into the training set; one epoch per iteration over it.

    ========================  ==============================================================================
    ``"reshuffle"``           without replacement, a new permutation at each iteration (SGD as it is taught)
    ``"shuffle_once"``        one permutation, the same at each iteration
    ``"in_order"``            0, 1, 2, …, N - 1
    ``"with_replacement"``    N independent draws from all N samples; some come twice, about N/e not at all
    ``"buffer"``              the shuffle buffer of `Dataset.shuffle(buffer_size)`, refilled in order
    ========================  ==============================================================================

    A permutation is drawn with `tf.random.experimental.stateless_shuffle` from the key (seed, epoch): all N!
    orders are equally likely, and no state of the process takes part. For ``"buffer"``, and with
    ``shuffler="dataset"``, `Dataset.shuffle` draws, which also mixes in the seed of `tf.random.set_seed` if the
    program has set one.

    Args:
        num_examples: N, at least 1.
        batch_size: k, in [1, N], or "all".
        sampling: how the samples are drawn.
        buffer_size: size of the shuffle buffer, in samples. Used only with ``"buffer"``.
        seed: seed of the order; the same seed gives the same epochs in the same sequence.
        shuffler: "permutation", or "dataset" for `Dataset.shuffle(N)`. Used only with ``"reshuffle"``.

    Returns:
        Dataset of int64 tensors of shape (k,), the last of an epoch (N mod k,) if k does not divide N.

    Raises:
        ValueError: if an argument is out of range.

    >>> [minibatch.numpy().tolist() for minibatch in order(5, 2, sampling="in_order")]
    [[0, 1], [2, 3], [4]]
    """
    k = resolve_batch_size(num_examples, batch_size)
    num_iterations = iterations_per_epoch(num_examples, k)
    check_shuffler(shuffler, sampling)
    if shuffler == "dataset":
        return _shuffled(tf.range(num_examples, dtype=tf.int64), k, seed)
    epochs = _epochs(num_examples, sampling=sampling, buffer_size=buffer_size, seed=seed)
    return epochs.rebatch(k).apply(tf.data.experimental.assert_cardinality(num_iterations))


def minibatches(
    problem: Problem,
    batch_size: BatchSize,
    *,
    sampling: Sampling = "reshuffle",
    buffer_size: int = 1_000,
    seed: int = 0,
    shuffler: Shuffler = "permutation",
) -> tf.data.Dataset:
    """The minibatches of a training set in the same order as `order`; feeds `model.fit` as it stands.

    Args:
        problem: source of the training samples.
        batch_size: k, in [1, N], or "all".
        sampling: how the samples are drawn, as in `order`.
        buffer_size: size of the shuffle buffer, in samples. Used only with ``sampling="buffer"``.
        seed: seed of the order.
        shuffler: as in `order`.

    Returns:
        Dataset of pairs (x, y) of shapes (k, …) and (k,), one epoch per iteration; of triples (x, y, weights) where
        the problem has sample weights.

    Raises:
        ValueError: if an argument is out of range.

    Example::

        model.fit(minibatches(problem, 32), epochs=10, shuffle=False)  # the pipeline shuffles
    """
    weights = () if problem.sample_weight is None else (tf.constant(problem.sample_weight),)
    tensors = (tf.constant(problem.x_train), tf.constant(problem.y_train), *weights)
    check_shuffler(shuffler, sampling)
    if shuffler == "dataset":
        return _shuffled(tensors, resolve_batch_size(problem.num_examples, batch_size), seed).prefetch(2)
    indices = order(problem.num_examples, batch_size, sampling=sampling, buffer_size=buffer_size, seed=seed)
    return indices.map(lambda i: tuple(tf.gather(tensor, i) for tensor in tensors)).prefetch(2)


def targets(problem: Problem, part: Literal["train", "test"] = "train") -> np.ndarray:
    """Labels or targets (n,) of one part; where the problem has sample weights, (n, 2) float32 with the weights.

    Test samples have weight 1.
    """
    y = problem.y_train if part == "train" else problem.y_test
    if problem.sample_weight is None:
        return y
    weights = problem.sample_weight if part == "train" else np.ones(len(y))
    return np.stack([y, weights], axis=1).astype(np.float32)


def blocks(
    problem: Problem,
    batch_size: BatchSize,
    num_minibatches: int,
    *,
    sampling: Sampling = "reshuffle",
    buffer_size: int = 1_000,
    seed: int = 0,
    shuffler: Shuffler = "permutation",
) -> tf.data.Dataset:
    """The same minibatches without end, many per element: what the compiled loop of `training` reads.

    Epoch follows epoch, and a block may hold the end of one and the start of the next. The last minibatch of an
    epoch is filled up to k rows: of every ⌈N/k⌉-th minibatch only N mod k rows count.

    Args:
        problem: source of the training samples.
        batch_size: k, in [1, N], or "all".
        num_minibatches: S, minibatches per block, at least 1.
        sampling: how the samples are drawn, as in `order`.
        buffer_size: size of the shuffle buffer, in samples. Used only with ``sampling="buffer"``.
        seed: seed of the order.
        shuffler: as in `order`.

    Returns:
        Endless dataset of (x, y) of shapes (S, k, …) and (S, k), y as `targets` gives them. Nothing is prefetched: the
        work is done when an element is asked for, on the clock of the run that asks.
    """
    N, k = problem.num_examples, resolve_batch_size(problem.num_examples, batch_size)
    num_iterations = iterations_per_epoch(N, k)
    check_int("num_minibatches", num_minibatches, 1)
    x, y = tf.constant(problem.x_train), tf.constant(targets(problem))

    def cut(epoch: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.pad(epoch, [[0, num_iterations * k - N]]), [num_iterations, k])

    def gather(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.gather(x, rows), tf.gather(y, rows)

    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    check_shuffler(shuffler, sampling)
    if shuffler == "dataset":
        shapes = [k, *x.shape[1:]], [k, *y.shape[1:]]  # the last minibatch is filled up
        stream = _shuffled((x, y), k, seed).repeat().padded_batch(num_minibatches, shapes, drop_remainder=True)
        return stream.with_options(options)
    epochs = _epochs(N, sampling=sampling, buffer_size=buffer_size, seed=seed)
    stream = epochs.map(cut).repeat().rebatch(num_minibatches, drop_remainder=True).map(gather)
    return stream.with_options(options)


def _shuffled(tensors: tf.Tensor | tuple[tf.Tensor, ...], batch_size: int, seed: int) -> tf.data.Dataset:
    """Minibatches as everybody draws them: all N samples in the buffer, one by one out of it; not tuned either."""
    options = tf.data.Options()
    options.autotune.enabled = False
    check_int("seed", seed, 0, 2**31 - 1)
    samples = tf.data.Dataset.from_tensor_slices(tensors)
    N = len(samples)
    return samples.shuffle(N, seed=seed, reshuffle_each_iteration=True).batch(batch_size).with_options(options)


def _epochs(num_examples: int, *, sampling: Sampling, buffer_size: int, seed: int) -> tf.data.Dataset:
    """One (N,) int64 tensor per iteration: the order of the next epoch; not tuned while it runs.

    tf.data's tuner sleeps for 10, 20, 40, … ms, and where something is prefetched, the end of an iterator may wait
    until it wakes: with TensorFlow 2.21 an epoch takes up to twice its time.
    """
    N = num_examples
    options = tf.data.Options()
    options.autotune.enabled = False
    check_int("buffer_size", buffer_size, 1)
    check_int("seed", seed, 0, 2**31 - 1)
    if sampling == "buffer":
        in_order = tf.data.Dataset.range(N)
        shuffled = in_order.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=True)
        return shuffled.batch(N).with_options(options)

    shuffle = tf.random.experimental.stateless_shuffle
    draw: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = {
        "reshuffle": lambda indices, key: shuffle(indices, key),
        "shuffle_once": lambda indices, key: shuffle(indices, [key[0], 1]),
        "in_order": lambda indices, _: indices,
        "with_replacement": lambda _, key: tf.random.stateless_uniform([N], key, 0, N, tf.int64),
    }.get(sampling)
    if draw is None:
        raise ValueError(f"`sampling` must be one of {', '.join(SAMPLINGS)}; received {sampling!r}.")
    num_drawn = tf.Variable(0, dtype=tf.int64)  # epochs drawn so far

    @tf.autograph.experimental.do_not_convert
    def next_epoch(_: tf.Tensor) -> tf.Tensor:
        key = tf.stack([tf.constant(seed, tf.int64), num_drawn.assign_add(1)])
        return draw(tf.range(N, dtype=tf.int64), key)

    return tf.data.Dataset.range(1).map(next_epoch).with_options(options)
