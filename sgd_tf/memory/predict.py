"""How much memory an update takes, predicted from the shapes of the layers.

What grows with k is the batch and the activations that the backward pass needs; parameters and gradients do not.
With gradient accumulation, `micro_batch_size` takes the place of k in what grows. The prediction needs no TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from sgd_tf.training import layers as own_layers
from sgd_tf.training.optimizer_settings import num_states
from sgd_tf.training.records import ModelConfig, TrainConfig, check_int

if TYPE_CHECKING:
    from sgd_tf.problems import Problem, ProblemInfo
    from sgd_tf.training.models import Model

FLOAT = 4  # bytes of a float32, and of a label
MEGABYTE = 10**6  # bytes
SAFE_SHARE = 0.5  # of a limit that a recommended size may fill: the prediction is right within a factor of 2


@dataclass(frozen=True, kw_only=True)
class LayerSizes:
    """Numbers in one layer, for one sample where they depend on it."""

    parameters: int
    outputs: int  # numbers that the layer gives for one sample
    patches: int = 0  # numbers that a convolution copies out of one sample: each neighbourhood as a row


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes that training takes at its peak, by what they hold."""

    parameters: int
    gradients: int  # of all parameters; twice with accumulation, for the sum and the next part
    optimizer: int  # the former step, with momentum; means of gradients and of their squares, with Adam
    batch: int  # the k samples of a minibatch, with their labels
    activations: int  # outputs of all layers, and their gradients, for the samples that pass at once

    @property
    def total(self) -> int:
        """Sum of all parts."""
        return self.parameters + self.gradients + self.optimizer + self.batch + self.activations


def layers(
    model: ModelConfig, *, num_features: int, num_outputs: int, image_shape: tuple[int, int, int] | None = None
) -> tuple[LayerSizes, ...]:
    """The layers of the model that `models.build` makes, in numbers.

    Args:
        model: which model.
        num_features: d, numbers in a sample.
        num_outputs: classes, or 1 in a regression.
        image_shape: (height, width, channels) of a sample; used only by convolutions.

    Raises:
        ValueError: for convolutions without images.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> [(layer.parameters, layer.outputs) for layer in sizes]
    [(2080, 32), (330, 10)]
    """
    if model.kind == "cnn" and image_shape is None:
        raise ValueError("`model` is a CNN, which needs images; `image_shape` is None.")
    hidden = model.hidden_layers
    shapes = own_layers.shapes(hidden, num_features=num_features, num_outputs=num_outputs, image_shape=image_shape)
    return tuple(
        LayerSizes(parameters=shape.weights, outputs=shape.size, patches=shape.patches)
        for layer, shape in zip((*hidden, None), shapes, strict=True)
        if not isinstance(layer, own_layers.Flatten)  # the same numbers
    )


def layers_of(model: Model, problem: Problem) -> tuple[LayerSizes, ...]:
    """The layers, in numbers, of anything that `train` takes as a model; for the other functions of this module.

    Args:
        model: a Keras model of layers (not a subclass of `keras.Model` with its own `call`), a function that makes one,
            or a `ModelConfig`.
        problem: gives the shape of a sample and the number of outputs.

    Raises:
        ValueError: if the layers are not known.

    Example::

        sizes = layers_of(model, problem)
        largest_batch_size(sizes, 2 * 10**9, num_examples=problem.num_examples, num_features=problem.num_features)
    """
    if isinstance(model, ModelConfig):
        shape, num_outputs = problem.image_shape, problem.num_classes or 1
        return layers(model, num_features=problem.num_features, num_outputs=num_outputs, image_shape=shape)
    import keras

    from sgd_tf.training import models

    network = models.make(problem, model)
    if isinstance(network, keras.Sequential) and not network.built:
        network.build((None, *problem.x_train.shape[1:]))
    if not getattr(network, "inputs", None):
        raise ValueError(f"`model` must be a Keras model of layers; received {network!r}, with a `call` of its own.")
    return tuple(sizes for layer in _leaves(network) if (sizes := _sizes_of(layer)) is not None)


def _leaves(model: Any) -> Iterator[Any]:
    """All layers of a Keras model, those of models in it one by one."""
    for layer in model.layers:
        yield from _leaves(layer) if hasattr(layer, "layers") else (layer,)


def _sizes_of(layer: Any) -> LayerSizes | None:
    """Numbers in a layer of Keras; None for one that only passes on or reshapes what it takes."""
    if type(layer).__name__ in ("InputLayer", "Flatten", "Reshape"):
        return None
    outputs = layer.output if isinstance(layer.output, list | tuple) else [layer.output]
    sizes = [math.prod(size or 1 for size in output.shape[1:]) for output in outputs]
    patches = 0
    if type(layer).__name__ in ("Conv1D", "Conv2D", "Conv3D"):
        neighbourhood = math.prod(layer.kernel.shape[:-1])
        patches = sizes[0] // layer.filters * neighbourhood
    return LayerSizes(parameters=sum(math.prod(w.shape) for w in layer.weights), outputs=sum(sizes), patches=patches)


def layers_for(info: ProblemInfo, model: ModelConfig) -> tuple[LayerSizes, ...]:
    """The `layers` of a model for a problem of the catalogue.

    Args:
        info: facts of the problem.
        model: which model.

    >>> from sgd_tf.problems import CATALOGUE
    >>> [layer.parameters for layer in layers_for(CATALOGUE["digits"], ModelConfig(widths=(32,)))]
    [2080, 330]
    """
    num_outputs = info.num_classes or 1
    return layers(model, num_features=info.num_features, num_outputs=num_outputs, image_shape=info.image_shape)


def predict(
    sizes: Sequence[LayerSizes],
    config: TrainConfig,
    *,
    num_examples: int,
    num_features: int,
) -> Memory:
    """Bytes that an update takes, from the sizes of the layers.

    With P parameters, m samples that pass at once (m = k, or the micro-batch) and layers of A₁, …, A_L outputs:
    parameters 4P; gradients 4P, and as much again for the sum of several parts; with momentum 4P, with Adam 8P;
    the minibatch 4k(d + 1); activations 8m max_l (A₁ + … + A_l + A_l): the outputs of the layers, before and after the
    activation, wait for the backward pass, where the gradients of a layer are there before and after the activation,
    too; the gradients that come from one single output are merged into what follows. A convolution adds its
    patches, twice. What is merged differs from device to device; a few MB that do not grow with k come on top.

    Args:
        sizes: of the layers, from input to output.
        config: batch size, micro-batch and optimizer count.
        num_examples: N, at least 1.
        num_features: d, numbers in a sample.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> predict(sizes, TrainConfig(batch_size=100), num_examples=1437, num_features=64).activations
    51200
    """
    k = config.minibatch_size(num_examples)
    m = min(config.micro_batch_size or k, k)
    parameters = FLOAT * sum(layer.parameters for layer in sizes)
    outputs = [layer.outputs for layer in sizes]
    # Going back, the gradients of a layer stand beside the outputs of the layers up to it; those of all before one
    # single output are a product of two vectors, which the compiler never writes down.
    merged = len(outputs) - 2 if outputs[-1] == 1 else None
    before = accumulate(outputs)
    largest = max(total + (0 if at == merged else outputs[at]) for at, total in enumerate(before))
    per_sample = 2 * (largest + sum(layer.patches for layer in sizes))
    return Memory(
        parameters=parameters,
        gradients=parameters * (2 if m < k else 1),
        optimizer=parameters * num_states(config),
        batch=FLOAT * k * (num_features + 1),
        activations=FLOAT * m * per_sample,
    )


def largest_batch_size(
    sizes: Sequence[LayerSizes], limit: int, *, num_examples: int, num_features: int, momentum: float = 0.0
) -> int | None:
    """The largest k whose update fits into so many bytes, or None if not even one sample does.

    Args:
        sizes: of the layers.
        limit: bytes that are there.
        num_examples: N: k is at most that.
        num_features: d, numbers in a sample.
        momentum: of the optimizer.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> largest_batch_size(sizes, 100_000, num_examples=1437, num_features=64)  # 19,280 + 772 k bytes
    104
    """

    def needed(k: int) -> int:
        config = TrainConfig(batch_size=k, momentum=momentum)
        return predict(sizes, config, num_examples=num_examples, num_features=num_features).total

    check_int("limit", limit, 1)
    if needed(1) > limit:
        return None
    # The total is linear in k.
    slope = needed(2) - needed(1) if num_examples > 1 else 1
    return min(num_examples, 1 + (limit - needed(1)) // slope)


def largest_micro_batch_size(
    sizes: Sequence[LayerSizes], limit: int, *, batch_size: int, num_examples: int, num_features: int
) -> int | None:
    """The largest m below k with which an update of k samples fits into so many bytes, or None if there is none.

    Args:
        sizes: of the layers.
        limit: bytes that are there.
        batch_size: k.
        num_examples: N.
        num_features: d, numbers in a sample.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> largest_micro_batch_size(sizes, 400_000, batch_size=1000, num_examples=1437, num_features=64)
    216
    """

    def needed(m: int) -> int:
        config = TrainConfig(batch_size=batch_size, micro_batch_size=m)
        return predict(sizes, config, num_examples=num_examples, num_features=num_features).total

    k = min(batch_size, num_examples)
    if k < 2 or needed(1) > limit:
        return None
    slope = needed(2) - needed(1) if k > 2 else 1  # linear in m, as long as m < k
    return min(k - 1, 1 + (limit - needed(1)) // slope)


def recommend(
    sizes: Sequence[LayerSizes], limit: int, *, batch_size: int, num_examples: int, num_features: int
) -> tuple[int | None, int | None]:
    """A k that fits, and an m with which the wanted k fits: powers of two that fill at most half of the limit.

    Args:
        sizes: of the layers.
        limit: bytes that are there.
        batch_size: k that is wanted.
        num_examples: N.
        num_features: d, numbers in a sample.

    Returns:
        (k, m), either of them None where not even 1 fits.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> recommend(sizes, 800_000, batch_size=1000, num_examples=1437, num_features=64)
    (256, 128)
    """
    safe = max(1, int(SAFE_SHARE * limit))
    k = largest_batch_size(sizes, safe, num_examples=num_examples, num_features=num_features)
    m = largest_micro_batch_size(
        sizes, safe, batch_size=batch_size, num_examples=num_examples, num_features=num_features
    )
    return tuple(None if found is None else 2 ** (found.bit_length() - 1) for found in (k, m))  # type: ignore[return-value]


def largest_measured(peaks: Sequence[tuple[int, float]], limit: int, *, num_examples: int) -> int | None:
    """The largest k that fits by what was measured: on the straight line through the two points nearest to the limit.

    Args:
        peaks: (k, bytes) of measurements that came to their end.
        limit: bytes that are there.
        num_examples: N: k is at most that.

    Returns:
        k, or None where there are no two measurements that rise with k.

    >>> largest_measured([(1_000, 2e6), (4_000, 5e6), (16_000, 17e6)], 8_000_000, num_examples=10**6)
    7000
    """
    points = sorted(dict(peaks).items())
    if len(points) < 2:
        return None
    at = min(max(1, sum(size <= limit for _k, size in points)), len(points) - 1)
    (k, low), (more, high) = points[at - 1], points[at]
    if high <= low:
        return None
    found = int(k + (limit - low) * (more - k) / (high - low))
    return min(num_examples, found) if found >= 1 else None
