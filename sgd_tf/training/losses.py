"""The loss of a problem: one choice for the engine, the lesson, the gradients and the replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def per_example_loss(model: keras.Model, problem: Problem) -> Loss:
    """Loss of each sample: squared error, or cross-entropy of logits (of probabilities after a softmax).

    Returns:
        A function from labels or targets (n,) and predictions (n, outputs) to losses (n,).
    """
    if problem.num_classes is None:
        return lambda y, prediction: tf.square(tf.squeeze(prediction, -1) - y)
    last = model.layers[-1]
    softmax = isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax
    return keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax, reduction=None)


def mean_loss(model: keras.Model, problem: Problem) -> Loss:
    """Mean of `per_example_loss` over the samples: what an update minimises.

    Returns:
        A function from labels or targets (n,) and predictions (n, outputs) to one number.
    """
    each = per_example_loss(model, problem)
    return lambda y, prediction: tf.reduce_mean(each(y, prediction))
