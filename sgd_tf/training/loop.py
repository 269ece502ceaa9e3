"""The double loop of SGD as the lab runs it: many updates in one call of a compiled program.

It makes the updates of `lesson.double_loop`:

    for epoch in range(num_epochs):
        for x, y in minibatches:
            with tf.GradientTape() as tape:
                predictions = model(x)
                loss = loss_function(y, predictions)
            gradient = tape.gradient(loss, weights)
            optimizer.apply(gradient, weights)

In place of the inner iterator it takes a block of S minibatches that were drawn before, and a minibatch may go through
the model in parts (gradient accumulation). Loops are over tensors, not over `tf.range`: XLA would compile anew for
each value of its limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf


@dataclass(frozen=True, kw_only=True, eq=False)
class Loop:
    """Epochs, iterations, gradient, update."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    per_example_loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    iterations_per_epoch: int  # ⌈N/k⌉
    rest: int  # samples of the last minibatch of an epoch, if it is smaller; else 0
    micro_batch_size: int  # samples that go through the model at once
    max_updates: int  # most updates in one call
    is_full_batch: bool  # gradient descent: the one minibatch of the block serves again and again

    def updates(self, xs: tf.Tensor, ys: tf.Tensor, phase: tf.Tensor, start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        """Make the updates ``start`` to ``stop`` - 1 of a block.

        Args:
            xs: (S, k, …) samples.
            ys: (S, k) labels or targets.
            phase: iteration within its epoch of the first minibatch of the block.
            start: first minibatch.
            stop: one past the last minibatch; more than S for gradient descent.

        Returns:
            (max_updates,) float32; the first stop - start are the mean losses of the minibatches before their updates.
        """
        losses = tf.TensorArray(tf.float32, size=self.max_updates)
        num_full = self.iterations_per_epoch - 1 if self.rest else self.iterations_per_epoch
        i = start
        while i < stop:  # epochs
            num_full_left = num_full - tf.math.floormod(phase + i, self.iterations_per_epoch)
            full_stop = tf.minimum(stop, i + num_full_left)
            while i < full_stop:  # iterations
                row = 0 if self.is_full_batch else i
                losses = losses.write(i - start, self.update(xs[row], ys[row]))
                i += 1
            if self.rest and i < stop:  # the last minibatch of an epoch is smaller
                losses = losses.write(i - start, self.update(xs[i][: self.rest], ys[i][: self.rest]))
                i += 1
        return losses.stack()

    def update(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """W ← w − γ ∇L(w) with the samples x (n, …), y (n,); returns their mean loss L before the update."""
        loss, gradient = self.gradient(x, y)
        self.optimizer.apply(gradient, self.model.trainable_variables)
        return loss

    def gradient(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Mean loss of the samples x (n, …), y (n,) and its gradient, in parts of ``micro_batch_size`` samples.

        The mean over n samples is the sum of the means over its parts, each weighted by its share of n. One part is in
        memory at a time: the number of turns depends on the losses, so no compiler runs two of them side by side, and
        the last, smaller part begins where the loop has ended. After a loss that is not finite no part is needed.
        """
        n, m = x.shape[0], min(self.micro_batch_size, x.shape[0])
        if m == n:
            return self._part(x, y, 1.0)
        loss, gradient = tf.zeros([]), [tf.zeros_like(weights) for weights in self.model.trainable_variables]
        start = tf.constant(0)
        while (start <= n - m) & tf.math.is_finite(loss):
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            loss, gradient = _sum((loss, gradient), self._part(_rows(x, start, m), _rows(y, start, m), m / n))
            start += m
        if n % m:
            rest = self._part(_rows(x, start, n % m), _rows(y, start, n % m), (n % m) / n)
            loss, gradient = _sum((loss, gradient), rest)
        return loss, gradient

    def _part(self, x: tf.Tensor, y: tf.Tensor, share: float) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Mean loss of the samples with the model's regularisers, times their share of the minibatch; its gradient."""
        with tf.GradientTape() as tape:
            predictions = self.model(x, training=True)
            loss = tf.reduce_mean(self.per_example_loss(y, predictions))
            loss = share * (loss + tf.add_n(self.model.losses) if self.model.losses else loss)
        return loss, tape.gradient(loss, self.model.trainable_variables)


def _sum(
    one: tuple[tf.Tensor, list[tf.Tensor]], other: tuple[tf.Tensor, list[tf.Tensor]]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    return one[0] + other[0], [a + b for a, b in zip(one[1], other[1], strict=True)]


def _rows(tensor: tf.Tensor, start: tf.Tensor, num: int) -> tf.Tensor:
    """Rows ``start`` to ``start + num`` - 1; a slice would have no length that XLA knows beforehand."""
    rest = tensor.shape[1:].as_list()
    return tf.slice(tensor, [start, *[0] * len(rest)], [num, *rest])
