"""Keras models for a problem: a linear model, an MLP of any widths, a small convolutional network.

Initial weights depend only on ``seed``, never on the seed of the process. Classifiers end in logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras

from sgd_tf.training.records import Activation, ModelConfig

if TYPE_CHECKING:
    from sgd_tf.problems import Problem


def build(problem: Problem, config: ModelConfig, *, seed: int = 0) -> keras.Model:
    """The Keras model that a `ModelConfig` names, for the shapes of a problem.

    Args:
        problem: gives the shape of a sample and the number of outputs.
        config: which model.
        seed: seed of the initial weights, at least 0.

    Raises:
        ValueError: if the model does not suit the problem.
    """
    if config.kind == "linear":
        return linear(problem, seed=seed)
    if config.kind == "cnn":
        return cnn(problem, activation=config.activation, seed=seed)
    return mlp(problem, widths=config.widths, activation=config.activation, seed=seed)


def linear(problem: Problem, *, seed: int = 0) -> keras.Model:
    """Linear regression, or multinomial logistic regression: one dense layer.

    Args:
        problem: gives the shape of a sample and the number of outputs.
        seed: seed of the initial weights.

    Returns:
        Model from (n, num_features) to (n, num_classes) logits, or to (n, 1).
    """
    return mlp(problem, widths=(), seed=seed)


def mlp(
    problem: Problem,
    *,
    widths: Sequence[int] = (32,),
    activation: Activation = "relu",
    batch_norm: bool = False,
    seed: int = 0,
) -> keras.Model:
    """Multilayer perceptron with one dense layer per entry of ``widths`` and a dense output layer.

    Hidden weights are He-normal for the ReLU family (He et al. 2015, arXiv 1502.01852), Glorot-uniform
    otherwise; biases are zero.

    Args:
        problem: gives the shape of a sample and the number of outputs.
        widths: units of each hidden layer, from input to output; empty for a linear model.
        activation: activation of the hidden layers; ``"leaky_relu"`` has slope 0.01 below zero.
        batch_norm: whether batch normalisation follows each hidden layer.
        seed: seed of the initial weights.

    Returns:
        Model from (n, num_features) to (n, num_classes) logits, or to (n, 1).
    """
    layers: list[keras.Layer] = [keras.Input(problem.x_train.shape[1:], name="x")]
    if problem.x_train.ndim > 2:
        layers.append(keras.layers.Flatten(name="flatten"))
    for i, width in enumerate(widths):
        layers.append(_dense(width, activation, name=f"hidden_{i + 1}", seed=seed * 100 + i))
        if batch_norm:
            layers.append(keras.layers.BatchNormalization(name=f"norm_{i + 1}"))
    layers.append(_dense(_num_outputs(problem), None, name="output", seed=seed * 100 + 99))
    return keras.Sequential(layers, name="mlp" if widths else "linear")


def cnn(problem: Problem, *, activation: Activation = "relu", seed: int = 0) -> keras.Model:
    """Small convolutional network: two 3×3 convolutions of 8 and 16 channels, each halved by max pooling.

    Args:
        problem: problem of images; ``problem.image_shape`` is (height, width, channels).
        activation: activation of the convolutions.
        seed: seed of the initial weights.

    Returns:
        Model from (n, num_features) or (n, height, width, channels) to (n, num_classes) logits, or to (n, 1).

    Raises:
        ValueError: if the samples are not images of at least 4 × 4 pixels.
    """
    shape = problem.image_shape
    if shape is None or min(shape[:2]) < 4:
        raise ValueError(f"`cnn` needs images of at least 4 × 4 pixels; {problem.name!r} has {shape}.")
    layers: list[keras.Layer] = [
        keras.Input(problem.x_train.shape[1:], name="x"),
        keras.layers.Reshape(shape, name="image"),
    ]
    for i, channels in enumerate((8, 16)):
        layers += [
            keras.layers.Conv2D(
                channels,
                3,
                padding="same",
                activation=_activation(activation),
                kernel_initializer=_initializer(activation, seed * 100 + i),
                name=f"convolution_{i + 1}",
            ),
            keras.layers.MaxPooling2D(2, name=f"pooling_{i + 1}"),
        ]
    layers += [
        keras.layers.Flatten(name="flatten"),
        _dense(_num_outputs(problem), None, name="output", seed=seed * 100 + 99),
    ]
    return keras.Sequential(layers, name="cnn")


def _num_outputs(problem: Problem) -> int:
    return 1 if problem.num_classes is None else problem.num_classes


def _dense(units: int, activation: Activation | None, *, name: str, seed: int) -> keras.Layer:
    return keras.layers.Dense(
        units,
        activation=_activation(activation),
        kernel_initializer=_initializer(activation, seed),
        name=name,
    )


def _activation(name: Activation | None) -> str | keras.Layer | None:
    return keras.layers.LeakyReLU(negative_slope=0.01) if name == "leaky_relu" else name


def _initializer(activation: Activation | None, seed: int) -> keras.Initializer:
    if activation in ("relu", "leaky_relu"):
        return keras.initializers.HeNormal(seed=seed)
    return keras.initializers.GlorotUniform(seed=seed)
