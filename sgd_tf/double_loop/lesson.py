"""The double loop of SGD as it is taught, in ten lines, and a recorder that runs it and tells what each update did."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from sgd_tf.training import losses, models, pipeline
from sgd_tf.training.records import BatchSize, ModelConfig

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

SURFACE_SIZE = 20  # points along each side of the grid on which a model of the plane is looked at
SURFACE_LIMIT = 2.5  # the grid reaches from -2.5 to 2.5 along both features


def double_loop(
    model: keras.Model,
    minibatches: Iterable[tuple[tf.Tensor, tf.Tensor]],
    loss_function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    learning_rate: float,
    num_epochs: int,
) -> Iterator[tuple[int, tf.Tensor, tf.Tensor, list[tf.Tensor]]]:
    """Train a model by SGD: epochs outside, iterations inside. This is what the lab shows as "the double loop".

    One iteration makes one update w ← w − γ ∇(1/k Σ_{i∈B} loss_i(w)) with the k samples of one minibatch B.

    Args:
        model: trained in place.
        minibatches: pairs x (k, …), y (k,); one epoch per iteration over it, as `pipeline.minibatches` gives it.
        loss_function: from y and predictions to the mean loss of the minibatch.
        learning_rate: γ, the length of a step.
        num_epochs: passes over the training set.

    Yields:
        After each update: the epoch from 0, and predictions, loss and gradient as they were before the update.

    >>> from sgd_tf import load, minibatches
    >>> from sgd_tf.training import models
    >>> problem = load("line", num_examples=10)
    >>> steps = double_loop(models.linear(problem), minibatches(problem, 4), keras.losses.MeanSquaredError(), 0.1, 2)
    >>> [(epoch, len(predictions)) for epoch, predictions, loss, gradient in steps]
    [(0, 4), (0, 4), (0, 2), (1, 4), (1, 4), (1, 2)]
    """
    optimizer = keras.optimizers.SGD(learning_rate)
    weights = model.trainable_variables
    for epoch in range(num_epochs):
        for x, y in minibatches:
            with tf.GradientTape() as tape:
                predictions = model(x)
                loss = loss_function(y, predictions)
            gradient = tape.gradient(loss, weights)
            optimizer.apply(gradient, weights)
            yield epoch, predictions, loss, gradient


@dataclass(frozen=True, kw_only=True)
class Update:
    """What one turn of the inner loop did; number 0 tells the initial weights, and has drawn nothing."""

    update: int  # updates so far, this one included
    epoch: int  # from 0
    indices: np.ndarray  # (k,) int64, the samples of the minibatch, as `pipeline.order` drew them
    outputs: np.ndarray  # (k,) what the model said of them before the update: a label, or a number in a regression
    loss: float  # mean over the minibatch, before the update
    gradient_norm: float  # ‖g‖, length of the gradient of that loss
    train_loss: float  # over all training samples, after the update
    num_right: int | None  # training samples that are classified right after the update; None in a regression
    surface: np.ndarray  # what the model looks like after the update, as `surface` gives it


def record(
    problem: Problem,
    *,
    batch_size: BatchSize,
    learning_rate: float,
    num_epochs: int,
    model: ModelConfig | None = None,
    seed: int = 0,
) -> Iterator[Update]:
    """Run `double_loop` on the lab's pipeline and tell each update.

    The weights are those of `train` with the same batch size, learning rate and seed.

    Args:
        problem: whose training samples are drawn.
        batch_size: k, in [1, N], or "all" for gradient descent.
        learning_rate: γ, the length of a step.
        num_epochs: passes over the training set.
        model: by default an MLP with 32 hidden units.
        seed: of initial weights and order of the samples.

    Yields:
        Number 0 before any update, then one for each update.

    Raises:
        ValueError: if an argument is out of range.

    >>> from sgd_tf import load
    >>> run = record(load("line", num_examples=10), batch_size=5, learning_rate=0.1, num_epochs=3)
    >>> [step.epoch for step in run if step.update]
    [0, 0, 1, 1, 2, 2]
    """
    network = models.build(problem, model or ModelConfig(), seed=seed)
    is_regression = problem.num_classes is None
    loss_function = losses.mean_loss(network, problem)
    evaluate = tf.function(lambda: (network(problem.x_train), network(_surface_points(problem))))

    def told(
        update: int, epoch: int, indices: np.ndarray, outputs: Any, loss: float, gradient: list[tf.Tensor]
    ) -> Update:
        everything, shape = evaluate()
        right = None if is_regression else int(np.sum(_said(everything, problem) == problem.y_train))
        return Update(
            update=update,
            epoch=epoch,
            indices=indices,
            outputs=_said(outputs, problem) if update else np.empty(0),
            loss=loss,
            gradient_norm=float(tf.linalg.global_norm(gradient)) if gradient else math.nan,
            train_loss=float(loss_function(problem.y_train, everything)),
            num_right=right,
            surface=_surface(shape, problem),
        )

    yield told(0, 0, np.empty(0, np.int64), None, math.nan, [])
    drawn = pipeline.order(problem.num_examples, batch_size, seed=seed)
    orders = (indices.numpy() for _ in range(num_epochs) for indices in drawn)
    minibatches = pipeline.minibatches(problem, batch_size, seed=seed)
    steps = double_loop(network, minibatches, loss_function, learning_rate, num_epochs)
    for update, (indices, step) in enumerate(zip(orders, steps, strict=True), 1):
        epoch, predictions, loss, gradient = step
        yield told(update, epoch, indices, predictions, float(loss), gradient)


def _said(outputs: tf.Tensor, problem: Problem) -> np.ndarray:
    """What the outputs (n, c) or (n, 1) of a model say: (n,) labels, or numbers in a regression."""
    values = np.asarray(outputs)
    return values[:, 0] if problem.num_classes is None else values.argmax(axis=1)


def _surface_points(problem: Problem) -> np.ndarray:
    """Where a model is looked at: on a grid of the plane, at 0 and 1 of a line, nowhere in higher dimensions."""
    if problem.num_features == 1:
        return np.array([[0.0], [1.0]], np.float32)
    if problem.num_features > 2:
        return np.zeros((1, problem.num_features), np.float32)
    ticks = (np.arange(SURFACE_SIZE) + 0.5) / SURFACE_SIZE * 2 * SURFACE_LIMIT - SURFACE_LIMIT
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2).astype(np.float32)


def _surface(outputs: tf.Tensor, problem: Problem) -> np.ndarray:
    """What a model looks like.

    Returns:
        of a line (intercept, slope); of two classes in the plane (SURFACE_SIZE²,) probabilities of class 1, row by
        row from below; empty for all else.
    """
    values = np.asarray(outputs, np.float64)
    if problem.num_features == 1 and problem.num_classes is None:
        return np.array([values[0, 0], values[1, 0] - values[0, 0]])
    if problem.num_features == 2 and problem.num_classes == 2:
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(values[:, 0] - values[:, 1]))
    return np.empty(0)
