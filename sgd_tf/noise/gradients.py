"""Gradients of a Keras model: of minibatches, of single samples and of all samples, and along a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from sgd_tf.training import models, pipeline
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.losses import per_example_loss
from sgd_tf.training.models import Model
from sgd_tf.training.records import BatchSize, TrainConfig, check_int
from sgd_tf.training.run import Run
from sgd_tf.training.vectors import flat, set_weights, unflat

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Array: TypeAlias = "np.ndarray[Any, Any]"

MAX_CHUNK_NUMBERS = 2**23  # per-sample gradients in memory at once: 32 MiB
FULL_CHUNK = 2**14  # samples per backward pass of the full gradient


class Gradients:
    """Gradients of a problem's loss at the present weights of a Keras model.

    The model runs in inference mode (``training=False``), so the measured noise comes from the samples, not from
    dropout. All gradients are flat, in the order of ``model.trainable_variables``.

    Attributes:
        problem: The problem with the training samples.
        model: Keras model. If its weights change, later gradients use the new weights.
        num_parameters: P.
        samples: shapes and dtypes of the x and y that `mean_gradient` takes.
    """

    def __init__(self, problem: Problem, model: keras.Model) -> None:
        """Trace the computations; they serve for any number of samples.

        Args:
            problem: The problem with the training samples.
            model: A model for these samples. Batch normalisation uses its moving averages, as in an evaluation.
        """
        self.problem, self.model = problem, model
        self.num_parameters = sum(math.prod(variable.shape) for variable in model.trainable_variables)
        self._loss, self._targets = per_example_loss(model, problem), pipeline.targets(problem)
        self.samples = [
            tf.TensorSpec([None, *problem.x_train.shape[1:]], tf.float32),
            tf.TensorSpec([None, *self._targets.shape[1:]], tf.as_dtype(self._targets.dtype)),
        ]
        direction = tf.TensorSpec([self.num_parameters], tf.float32)
        self._mean = tf.function(self.mean_gradient, input_signature=self.samples)
        self._each = tf.function(self._gradient_of_each, input_signature=self.samples)
        self._product = tf.function(self._hessian_product, input_signature=[*self.samples, direction])

    def of(self, indices: Array) -> Array:
        """Gradient of the mean loss of some samples: g_B = ∇ (1/k) Σ_{i∈B} lossᵢ(w).

        Args:
            indices: (k,) indices of training samples.

        Returns:
            (P,) float32.
        """
        return self._mean(*self.samples_at(indices)).numpy()

    def of_each(self, indices: Array) -> Array:
        """Gradients of the samples one by one.

        Args:
            indices: (k,) indices of training samples.

        Returns:
            (k, P) float32; `chunks` bounds the memory that they take.
        """
        return self._each(*self.samples_at(indices)).numpy()

    def full(self) -> Array:
        """The gradient of gradient descent: g = ∇ (1/N) Σᵢ lossᵢ(w).

        Returns:
            (P,) float64, added up from parts of the samples, each weighted by its share of N.
        """
        N = self.problem.num_examples
        total = np.zeros(self.num_parameters)
        for rows in _ranges(N, FULL_CHUNK):
            total += len(rows) / N * self.of(rows)
        return total

    def hessian_product(self, direction: Array) -> Array:
        """The Hessian of the mean loss over all samples times a vector, without the Hessian.

        H v = ∇ (∇L · v): two passes backwards (B. Pearlmutter, Fast exact multiplication by the Hessian, 1994).

        Args:
            direction: (P,) the vector v.

        Returns:
            (P,) float64.
        """
        N = self.problem.num_examples
        v = tf.constant(direction, tf.float32)
        total = np.zeros(self.num_parameters)
        for rows in _ranges(N, FULL_CHUNK):
            total += len(rows) / N * self._product(*self.samples_at(rows), v).numpy()
        return total

    def chunks(self) -> Iterator[Array]:
        """Indices of all training samples, in chunks with per-sample gradients that fit into memory."""
        return _ranges(self.problem.num_examples, max(1, min(1024, MAX_CHUNK_NUMBERS // self.num_parameters)))

    def samples_at(self, indices: Array) -> tuple[Array, Array]:
        """The x and y that `mean_gradient` takes, of some training samples."""
        return self.problem.x_train[indices], self._targets[indices]

    def mean_gradient(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """The tensors (P,) of `of`, for a computation that goes on with them."""
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self._loss(y, self.model(x, training=False)))
            loss += sum(self.model.losses)  # regularisers: the same for each sample, they add no noise
        return flat(tape.gradient(loss, variables))

    def _gradient_of_each(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        return tf.vectorized_map(lambda sample: self.mean_gradient(sample[0][None], sample[1][None]), (x, y))

    def _hessian_product(self, x: tf.Tensor, y: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            slope = tf.tensordot(self.mean_gradient(x, y), direction, 1)
        # The gradient of a piecewise linear part does not depend on all weights: None stands for zero.
        return flat(tape.gradient(slope, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO))


def minibatch_gradients(gradients: Gradients, batch_size: BatchSize, *, seed: int = 0) -> tuple[Array, Array]:
    """Gradients of the minibatches of one epoch, all at the same weights, in the order of `pipeline.order`.

    Their sum, weighted by their shares of the samples, is the full gradient: Σ (kᵢ/N) g_Bᵢ = g.

    Args:
        gradients: Gradients of a problem and a model.
        batch_size: k, in [1, N], or "all".
        seed: Seed of the sample order.

    Returns:
        (⌈N/k⌉, P) float32 gradients; (⌈N/k⌉,) float64 shares kᵢ/N.
    """
    N = gradients.problem.num_examples
    minibatches = [minibatch.numpy() for minibatch in pipeline.order(N, batch_size, seed=seed)]
    shares = np.array([len(minibatch) / N for minibatch in minibatches])
    return np.stack([gradients.of(minibatch) for minibatch in minibatches]), shares


def weight_paths(
    gradients: Gradients,
    batch_sizes: Sequence[BatchSize],
    start: Sequence[float] | Array,
    *,
    learning_rate: float,
    num_updates: int,
    seed: int = 0,
) -> Iterator[tuple[Array, Array]]:
    """Train step by step and keep the weights before and after each update: for models of a few parameters.

    The double loop with one step of the Keras optimizer at a time. `training.train` makes the same runs from these
    weights, but does not keep them.

    Args:
        gradients: Gradients of a problem and a model. The weights of the model change.
        batch_sizes: k of each run.
        start: (P,) initial weights of all runs.
        learning_rate: Learning rate of all runs.
        num_updates: Number of updates of each run, at least 1.
        seed: Seed of the sample order.

    Yields:
        For each run (num_updates + 1, P) weights, and (num_updates, P) the minibatch gradients between them.
    """
    N, model = gradients.problem.num_examples, gradients.model
    check_int("num_updates", num_updates, 1)
    optimizer = keras.optimizers.SGD(learning_rate=learning_rate)
    optimizer.build(model.trainable_variables)
    first = tf.constant(np.asarray(start, dtype=np.float32))

    @tf.function(input_signature=gradients.samples)
    def step(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        gradient = gradients.mean_gradient(x, y)
        optimizer.apply(unflat(gradient, model), model.trainable_variables)
        return gradient, flat([variable.value for variable in model.trainable_variables])

    for k in batch_sizes:
        set_weights(model, first)
        weights, drawn = [first.numpy()], []
        num_epochs = -(-num_updates // iterations_per_epoch(N, k))
        for minibatch in pipeline.order(N, k, seed=seed).repeat(num_epochs).take(num_updates):
            gradient, now = step(*gradients.samples_at(minibatch))
            drawn.append(gradient.numpy())
            weights.append(now.numpy())
        yield np.stack(weights), np.stack(drawn)


def trained(
    problem: Problem, config: TrainConfig, model: Model | None = None, *, num_epochs: int
) -> tuple[Gradients, float]:
    """Gradients at the weights of a run after some epochs.

    Args:
        problem: The problem with the training samples.
        config: Settings of the run. Its seed is also the seed of the initial weights.
        model: As in `train`; a Keras model is copied, and stays as it is.
        num_epochs: Number of epochs; 0 for the initial weights.

    Returns:
        The gradients there, and the mean loss over the training samples.

    Raises:
        ValueError: if an argument is out of range, or the run diverges.
    """
    check_int("num_epochs", num_epochs, 0)
    if isinstance(model, keras.Model):
        model = models.copies_of(model)
    with Run(problem, config, model=model) as run:
        if num_epochs:
            run.advance(update=num_epochs * iterations_per_epoch(problem.num_examples, run.batch_size))
        if run.diverged_at is not None:
            raise ValueError(
                f"`learning_rate` must be so small that the run does not diverge; with {config.learning_rate:g} "
                f"it diverged at update {run.diverged_at}."
            )
        gradients = Gradients(problem, models.make(problem, model, seed=config.seed))
        for mine, theirs in zip(gradients.model.variables, run.model.variables, strict=True):
            mine.assign(theirs)
        return gradients, run.record().train_loss


def _ranges(num_examples: int, size: int) -> Iterator[Array]:
    for start in range(0, num_examples, size):
        yield np.arange(start, min(start + size, num_examples))
