"""The loss of a problem: one choice for the engine, the lesson, the gradients and the replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
MEANS = ("sum_over_batch_size", "mean")  # reductions of a Keras loss that are the mean over the samples


def per_example_loss(model: keras.Model, problem: Problem) -> Loss:
    """Loss of each sample: squared error, or cross-entropy of logits (of probabilities after a softmax).

    A model that was compiled with a loss brings it: that one is taken. Where a problem has sample weights, the loss of
    a sample is multiplied by its weight, as in `model.fit`.

    Returns:
        A function from labels or targets (n,) and predictions (n, outputs) to losses (n,). With sample weights it
        takes (n, 2) targets and weights, as `pipeline.targets` gives them.

    Raises:
        ValueError: if the model is compiled with a loss that is not a mean over the samples of one output.
    """
    each = _compiled_loss(model, problem) or _usual_loss(model, problem)
    if problem.sample_weight is None:
        return each
    dtype = problem.y_train.dtype
    return lambda y, prediction: y[:, 1] * each(tf.cast(y[:, 0], dtype), prediction)


def _usual_loss(model: keras.Model, problem: Problem) -> Loss:
    if problem.num_classes is None:
        return lambda y, prediction: tf.square(tf.squeeze(prediction, -1) - y)
    last = model.layers[-1]
    softmax = isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax
    return keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax, reduction=None)


def _compiled_loss(model: keras.Model, problem: Problem) -> Loss | None:
    """The loss that a model was compiled with, sample by sample; None without one."""
    given: Any = getattr(model, "loss", None) if getattr(model, "compiled", False) else None
    if given is None:
        return None
    if isinstance(given, list | tuple | dict):
        raise ValueError(f"`model` must be compiled with one loss; received {len(given)} in a {_kind(given)}.")
    loss: Any = keras.losses.get(given)
    reduction = getattr(loss, "reduction", MEANS[0])
    if reduction not in MEANS:
        raise ValueError(f"`model` must be compiled with a loss that is a mean; received the reduction {reduction!r}.")
    values = loss.call if isinstance(loss, keras.Loss) else loss

    def each(y: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
        losses = tf.cast(values(y[:, None] if problem.num_classes is None else y, prediction), tf.float32)
        return tf.reduce_mean(losses, range(1, losses.shape.rank)) if losses.shape.rank > 1 else losses

    try:
        shape = each(tf.constant(problem.y_train[:1]), model(problem.x_train[:1], training=False)).shape
    except Exception as error:
        raise ValueError(
            f"`model` must be compiled with a loss that takes {_taken(problem)}; it says: {error}"
        ) from error
    if shape != (1,):
        raise ValueError(f"`model` must be compiled with a loss of each sample; it gives the shape {tuple(shape)}.")
    return each


def _kind(losses: Any) -> str:
    return "dictionary" if isinstance(losses, dict) else "list"


def _taken(problem: Problem) -> str:
    if problem.num_classes is None:
        return "targets of shape (n, 1)"
    return f"labels 0 … {problem.num_classes - 1} of shape (n,), such as sparse_categorical_crossentropy"


def mean_loss(model: keras.Model, problem: Problem) -> Loss:
    """Mean of `per_example_loss` over the samples: what an update minimises.

    Returns:
        A function from labels or targets (n,) and predictions (n, outputs) to one number.
    """
    each = per_example_loss(model, problem)
    return lambda y, prediction: tf.reduce_mean(each(y, prediction))
