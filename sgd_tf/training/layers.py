"""Own layers: a model as a list of layers, its text form, and its shapes and numbers of weights.

The text form stands in an address and in code: "dense 64 relu, dropout 0.2, batchnorm, dense 32 tanh l2=0.001". The
output layer, with one unit per class or a single one, is not in the list. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from sgd_tf.checks import check_int

LayerActivation = Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid", "linear"]
Initializer = Literal["he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "zeros"]
ACTIVATIONS: tuple[LayerActivation, ...] = get_args(LayerActivation)
INITIALIZERS: tuple[Initializer, ...] = get_args(Initializer)
MAX_LAYERS, MAX_WIDTH, MAX_FILTERS, MAX_SIZE, MAX_L2 = 16, 4096, 512, 11, 10.0


def default_initializer(activation: str | None) -> Initializer:
    """He-normal for the ReLU family (He et al. 2015, arXiv 1502.01852), Glorot-uniform otherwise."""
    return "he_normal" if activation in ("relu", "leaky_relu", "elu", "gelu") else "glorot_uniform"


@dataclass(frozen=True)
class Dense:
    """Dense layer: activation(W x + b).

    >>> Dense(0)
    Traceback (most recent call last):
    ...
    ValueError: `width` must be an integer in [1, 4096]; received 0.
    """

    width: int  # units
    activation: LayerActivation = "relu"  # "leaky_relu" has slope 0.01 below zero
    initializer: Initializer | None = None  # of W; None for `default_initializer`; biases are zero
    l2: float = 0.0  # adds l2 · ΣW² to the loss

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", check_int("width", self.width, 1, MAX_WIDTH))
        _check_weights(self)


@dataclass(frozen=True)
class Conv2D:
    """Convolution of images with zeros at the border, so that height and width stay."""

    filters: int  # channels that it gives
    size: int = 3  # the kernel has size × size pixels
    activation: LayerActivation = "relu"
    initializer: Initializer | None = None
    l2: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", check_int("filters", self.filters, 1, MAX_FILTERS))
        object.__setattr__(self, "size", check_int("size", self.size, 1, MAX_SIZE))
        _check_weights(self)


@dataclass(frozen=True)
class MaxPooling2D:
    """Largest value of each size × size pixels; a border that does not fill them is cut off."""

    size: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_int("size", self.size, 2, MAX_SIZE))


@dataclass(frozen=True)
class Flatten:
    """Images to rows of numbers."""


@dataclass(frozen=True)
class Dropout:
    """In training each number becomes 0 with this probability (N. Srivastava et al. 2014); none in an evaluation."""

    rate: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", _number("rate", self.rate, 0.0, 0.95))


@dataclass(frozen=True)
class BatchNormalization:
    """Normalisation by mean and variance of the minibatch; in an evaluation by their moving averages.

    With micro-batches, each part of a minibatch is normalised by itself (S. Ioffe and C. Szegedy 2015, arXiv
    1502.03167): the updates are not those of the whole minibatch.
    """


Layer: TypeAlias = Dense | Conv2D | MaxPooling2D | Flatten | Dropout | BatchNormalization
KINDS: dict[str, type[Layer]] = {  # by their word in the text form
    "dense": Dense,
    "dropout": Dropout,
    "batchnorm": BatchNormalization,
    "conv": Conv2D,
    "maxpool": MaxPooling2D,
    "flatten": Flatten,
}
WORDS = {kind: word for word, kind in KINDS.items()}
SPATIAL = (Conv2D, MaxPooling2D)  # layers that take images


def _check_weights(layer: Dense | Conv2D) -> None:
    if layer.activation not in ACTIVATIONS:
        raise ValueError(f"`activation` must be one of {', '.join(ACTIVATIONS)}; received {layer.activation!r}.")
    if layer.initializer not in (None, *INITIALIZERS):
        allowed = ", ".join(INITIALIZERS)
        raise ValueError(f"`initializer` must be one of {allowed}, or None; received {layer.initializer!r}.")
    if layer.initializer == default_initializer(layer.activation):  # one layer has one form
        object.__setattr__(layer, "initializer", None)
    object.__setattr__(layer, "l2", _number("l2", layer.l2, 0.0, MAX_L2))


def _number(name: str, value: Any, low: float, high: float) -> float:
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        raise ValueError(f"`{name}` must be in [{low:g}, {high:g}]; received {value!r}.")
    return number + 0.0  # no negative zero


def to_text(layers: Iterable[Layer]) -> str:
    """The text form of a list of layers: the inverse of `parse`.

    >>> to_text([Dense(64), Dropout(0.2), Conv2D(8, activation="tanh", l2=0.01)])
    'dense 64 relu, dropout 0.2, conv 8 3 tanh l2=0.01'
    """
    return ", ".join(map(_text_of, layers))


def _text_of(layer: Layer) -> str:
    parts = [WORDS[type(layer)]]
    for name, value in vars(layer).items():
        if name == "l2":
            parts += [f"l2={value!r}"] if value else []
        elif value is not None:
            parts.append(str(value))
    return " ".join(parts)


def parse(text: str) -> tuple[Layer, ...]:
    """A list of layers from its text form.

    Raises:
        ValueError: if a layer cannot be read; it names the place of the layer.

    >>> parse("dense 64, dropout 0.2, batchnorm, dense 32 tanh zeros l2=0.001")[3]
    Dense(width=32, activation='tanh', initializer='zeros', l2=0.001)
    >>> parse("dense 64, drop 0.2")
    Traceback (most recent call last):
    ...
    ValueError: `layers` must hold dense, dropout, batchnorm, conv, maxpool, flatten; received 'drop 0.2' as layer 2.
    """
    return check(read(text))


def read(text: str) -> tuple[Layer, ...]:
    """The layers of a text in their order, whether that order works or not.

    Raises:
        ValueError: if a layer cannot be read, or there are too many.
    """
    words = [part.strip() for part in text.split(",")] if text.strip() else []
    return _objects(words)


def check(layers: Any) -> tuple[Layer, ...]:
    """A list of layers, each as an object or in its text form, as a tuple of objects in an order that works.

    Raises:
        ValueError: if something is not a layer, or stands where it cannot work; it names the place of the layer.

    >>> check(["conv 8", "dense 10"])
    Traceback (most recent call last):
    ...
    sgd_tf.training.layers.LayersError: `layers` must have flatten between the images and 'dense 10 relu', layer 2.
    """
    if isinstance(layers, str):
        return parse(layers)
    if not isinstance(layers, Iterable):
        raise ValueError(f"`layers` must be a list of layers or their text form; received {layers!r}.")
    found = _objects(layers)
    _check_order(found)
    return found


def _objects(layers: Iterable[Any]) -> tuple[Layer, ...]:
    found = tuple(_layer(place, given) for place, given in enumerate(layers, 1))
    if len(found) > MAX_LAYERS:
        raise ValueError(f"`layers` must hold at most {MAX_LAYERS} layers; received {len(found)}.")
    return found


Reason = Literal["row before", "no flatten", "flatten at the end", "no images", "too small"]


class LayersError(ValueError):
    """A layer that cannot work at its place, or with these samples.

    Attributes:
        reason: why.
        layer: the layer.
        place: its place, from 1.
    """

    def __init__(self, message: str, reason: Reason, layer: Layer, place: int) -> None:
        super().__init__(message)
        self.reason, self.layer, self.place = reason, layer, place


def _check_order(layers: tuple[Layer, ...]) -> None:
    is_row = not is_convolutional(layers)
    for place, layer in enumerate(layers, 1):
        if isinstance(layer, SPATIAL) and any(isinstance(before, Dense | Flatten) for before in layers[: place - 1]):
            message = f"`layers` must have no dense and no flatten before {_place(layer, place)}."
            raise LayersError(message, "row before", layer, place)
    for place, layer in enumerate(layers, 1):
        is_row = is_row or isinstance(layer, Flatten)
        if isinstance(layer, Dense) and not is_row:
            message = f"`layers` must have flatten between the images and {_place(layer, place)}."
            raise LayersError(message, "no flatten", layer, place)
    if not is_row:
        last, place = layers[-1], len(layers)
        message = f"`layers` must have flatten after {_place(last, place)}: the output layer is dense."
        raise LayersError(message, "flatten at the end", last, place)


def _place(layer: Layer, place: int) -> str:
    return f"{_text_of(layer)!r}, layer {place}"


def _layer(place: int, given: Any) -> Layer:
    if isinstance(given, tuple(WORDS)):
        return cast(Layer, given)
    words = given.split() if isinstance(given, str) else []
    if not words or words[0] not in KINDS:
        raise ValueError(f"`layers` must hold {', '.join(KINDS)}; received {given!r} as layer {place}.")
    kind: Any = KINDS[words[0]]
    values = words[1:]
    arguments: dict[str, Any] = {}
    try:
        if values and values[-1].startswith("l2=") and hasattr(kind, "l2"):
            arguments["l2"] = float(values.pop()[3:])
        if values and values[-1] in INITIALIZERS and hasattr(kind, "initializer"):
            arguments["initializer"] = values.pop()
        if values and hasattr(kind, "activation") and not values[-1][0].isdigit():
            arguments["activation"] = values.pop()
        numbers = [float(value) if kind is Dropout else int(value) for value in values]
        return kind(*numbers, **arguments)
    except (TypeError, ValueError) as error:
        why = f": {error}" if str(error).startswith("`") else f", such as {EXAMPLES[kind]!r}."
        received = f"received {given!r} as layer {place}"
        raise ValueError(f"`layers` must hold layers that can be made; {received}{why}") from None


EXAMPLES: dict[type[Layer], str] = {
    Dense: "dense 64 relu",
    Dropout: "dropout 0.2",
    BatchNormalization: "batchnorm",
    Conv2D: "conv 8 3 relu",
    MaxPooling2D: "maxpool 2",
    Flatten: "flatten",
}


def is_convolutional(layers: Sequence[Layer]) -> bool:
    """Whether the samples pass as images: a layer is a convolution or a pooling."""
    return any(isinstance(layer, SPATIAL) for layer in layers)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one layer does to a sample."""

    outputs: tuple[int, ...]  # shape of what it gives for one sample
    weights: int  # numbers that it holds, with the moving averages of batch normalisation
    patches: int = 0  # numbers that a convolution copies out of one sample: each neighbourhood as a row

    @property
    def size(self) -> int:
        """Numbers that it gives for one sample."""
        return math.prod(self.outputs)


def shapes(
    layers: Sequence[Layer], *, num_features: int, num_outputs: int, image_shape: tuple[int, int, int] | None = None
) -> tuple[Shape, ...]:
    """Shapes of all layers for the samples of a problem, the output layer last.

    Args:
        layers: of the model, without the output layer.
        num_features: d, numbers in a sample.
        num_outputs: classes, or 1 in a regression.
        image_shape: (height, width, channels) of a sample; None if samples are not images.

    Raises:
        ValueError: if a layer needs images, or larger ones.

    >>> [shape.weights for shape in shapes([Dense(32), BatchNormalization()], num_features=64, num_outputs=10)]
    [2080, 128, 330]
    """
    if is_convolutional(layers) and image_shape is None:
        place, first = next((i, layer) for i, layer in enumerate(layers, 1) if isinstance(layer, SPATIAL))
        message = f"`layers` must have no {_place(first, place)}: the samples are not images."
        raise LayersError(message, "no images", first, place)
    now: tuple[int, ...] = image_shape if image_shape is not None and is_convolutional(layers) else (num_features,)
    result = []
    for place, layer in enumerate(layers, 1):
        shape = _shape(layer, now)
        if not shape.size:
            pixels = " × ".join(map(str, now[:2]))
            message = f"`layers` must leave images that {_place(layer, place)}, can take; received {pixels} pixels."
            raise LayersError(message, "too small", layer, place)
        result.append(shape)
        now = shape.outputs
    return (*result, _shape(Dense(num_outputs), now))


def _shape(layer: Layer, now: tuple[int, ...]) -> Shape:
    last = now[-1]
    if isinstance(layer, Dense):
        return Shape(outputs=(layer.width,), weights=(last + 1) * layer.width)
    if isinstance(layer, Conv2D):
        neighbourhood = layer.size**2 * last
        patches = now[0] * now[1] * neighbourhood
        return Shape(outputs=(*now[:2], layer.filters), weights=(neighbourhood + 1) * layer.filters, patches=patches)
    if isinstance(layer, MaxPooling2D):
        return Shape(outputs=(now[0] // layer.size, now[1] // layer.size, last), weights=0)
    if isinstance(layer, Flatten):
        return Shape(outputs=(math.prod(now),), weights=0)
    return Shape(outputs=now, weights=4 * last if isinstance(layer, BatchNormalization) else 0)
