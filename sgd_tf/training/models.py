"""Keras models for a problem: a linear model, an MLP of any widths, a small convolutional network, own layers.

Initial weights depend only on ``seed``, never on the seed of the process. Classifiers end in logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import keras

from sgd_tf.training import layers as own_layers
from sgd_tf.training.layers import Layer, LayerActivation
from sgd_tf.training.records import Activation, ModelConfig

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Model: TypeAlias = "keras.Model | ModelConfig | Callable[..., keras.Model]"


def make(problem: Problem, model: Model | None, *, seed: int = 0) -> keras.Model:
    """The Keras model of a run, of whatever a function of this package takes as its ``model``.

    Args:
        problem: gives the shape of a sample and the number of outputs.
        model: a `ModelConfig`; a function ``model(problem, seed=…)`` that makes a Keras model; or a Keras model, which
            is returned itself. None for an MLP with 32 hidden units.
        seed: seed of the initial weights, at least 0.

    Raises:
        ValueError: if the model does not suit the problem, or is none.
    """
    if isinstance(model, keras.Model):
        return model
    if model is None or isinstance(model, ModelConfig):
        return build(problem, model or ModelConfig(), seed=seed)
    made = model(problem, seed=seed) if callable(model) else model
    if not isinstance(made, keras.Model):
        what = "a Keras model, a function model(problem, seed=…) that makes one, or a ModelConfig"
        raise ValueError(f"`model` must be {what}; received {made!r}.")
    return made


def copies_of(model: keras.Model) -> Callable[..., keras.Model]:
    """A function that copies a model with its weights, its loss and its optimizer's settings, for each run."""

    def copy(problem: Problem, *, seed: int) -> keras.Model:  # noqa: ARG001
        try:
            twin = keras.models.clone_model(model)
        except Exception as error:
            raise ValueError(
                f"`model` must be a Keras model that can be copied, or a function that makes it; {model.name!r} can "
                f"not: {error}"
            ) from error
        twin.set_weights(model.get_weights())
        if model.compiled:
            optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
            twin.compile(optimizer=optimizer, loss=model.loss)
        return twin

    return copy


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
    if config.layers is not None:
        return of_layers(problem, config.layers, seed=seed)
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
    layers: list[Layer] = []
    for width in widths:
        layers.append(own_layers.Dense(width, activation))
        if batch_norm:
            layers.append(own_layers.BatchNormalization())
    return of_layers(problem, layers, seed=seed, name="mlp" if widths else "linear")


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
    layers = ModelConfig(kind="cnn", activation=activation).hidden_layers
    return of_layers(problem, layers, seed=seed, name="cnn")


def of_layers(problem: Problem, layers: Sequence[Layer], *, seed: int = 0, name: str = "own_layers") -> keras.Model:
    """Model of own layers, followed by a dense output layer.

    Each layer with weights, and each dropout, has a seed of its own that depends only on ``seed`` and its place.

    Args:
        problem: gives the shape of a sample and the number of outputs.
        layers: from input to output, without the output layer.
        seed: seed of the initial weights and of dropout.
        name: of the model.

    Returns:
        Model from (n, num_features) to (n, num_classes) logits, or to (n, 1).

    Raises:
        ValueError: if a layer needs images, or larger ones.
    """
    num_outputs = 1 if problem.num_classes is None else problem.num_classes
    shape = problem.image_shape
    own_layers.shapes(layers, num_features=problem.num_features, num_outputs=num_outputs, image_shape=shape)
    made: list[keras.Layer] = [keras.Input(problem.x_train.shape[1:], name="x")]
    if own_layers.is_convolutional(layers):
        made.append(keras.layers.Reshape(shape, name="image"))
    elif problem.x_train.ndim > 2:
        made.append(keras.layers.Flatten(name="row"))
    num_weighted = num_random = 0
    for i, layer in enumerate(layers, 1):
        word = f"{own_layers.WORDS[type(layer)]}_{i}"
        if isinstance(layer, own_layers.Dense | own_layers.Conv2D):
            made.append(_weighted(layer, name=word, seed=seed * 100 + num_weighted))
            num_weighted += 1
        elif isinstance(layer, own_layers.Dropout):
            made.append(keras.layers.Dropout(layer.rate, seed=seed * 100 + 50 + num_random, name=word))
            num_random += 1
        elif isinstance(layer, own_layers.MaxPooling2D):
            made.append(keras.layers.MaxPooling2D(layer.size, name=word))
        elif isinstance(layer, own_layers.Flatten):
            made.append(keras.layers.Flatten(name=word))
        else:
            made.append(keras.layers.BatchNormalization(name=word))
    output = own_layers.Dense(num_outputs, "linear")
    return keras.Sequential([*made, _weighted(output, name="output", seed=seed * 100 + 99)], name=name)


def _weighted(layer: own_layers.Dense | own_layers.Conv2D, *, name: str, seed: int) -> keras.Layer:
    rest = {
        "activation": _activation(layer.activation),
        "kernel_initializer": _initializer(layer, seed),
        "kernel_regularizer": keras.regularizers.L2(layer.l2) if layer.l2 else None,
        "name": name,
    }
    if isinstance(layer, own_layers.Dense):
        return keras.layers.Dense(layer.width, **rest)
    return keras.layers.Conv2D(layer.filters, layer.size, padding="same", **rest)


def _activation(name: LayerActivation) -> str | keras.Layer | None:
    if name == "leaky_relu":
        return keras.layers.LeakyReLU(negative_slope=0.01)
    return None if name == "linear" else name


def _initializer(layer: own_layers.Dense | own_layers.Conv2D, seed: int) -> keras.Initializer:
    name = layer.initializer or own_layers.default_initializer(layer.activation)
    of_keras = getattr(keras.initializers, name.title().replace("_", ""))  # "he_normal" is HeNormal
    return of_keras() if name == "zeros" else of_keras(seed=seed)
