"""Weights and gradients as one vector of P numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    import keras


def get_weights(model: keras.Model) -> np.ndarray:
    """All trainable weights of a model as one (P,) float32 array."""
    return np.concatenate([variable.numpy().ravel() for variable in model.trainable_variables])


def set_weights(model: keras.Model, weights: tf.Tensor | np.ndarray) -> None:
    """Give a model the weights of a (P,) array: the inverse of `get_weights`."""
    for variable, part in zip(model.trainable_variables, unflat(weights, model), strict=True):
        variable.assign(part)


def flat(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Tensors of any shapes, such as the gradient of each variable, as one (P,) tensor."""
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)


def unflat(vector: tf.Tensor | np.ndarray, model: keras.Model) -> list[tf.Tensor]:
    """The parts of a (P,) vector in the shapes of the model's trainable variables: the inverse of `flat`."""
    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    parts = tf.split(vector, [math.prod(shape) for shape in shapes])
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
