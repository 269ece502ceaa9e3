"""The builder of a model of own layers: a list to add to, to move in and to drop from; its weights, memory and code."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from sgd_tf.plain_tensorflow.training import sequential
from sgd_tf.problems import ProblemInfo
from sgd_tf.training import layers as own_layers
from sgd_tf.training.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayersError,
    MaxPooling2D,
    Reason,
    Shape,
)
from sgd_tf.training.records import ModelConfig
from sgd_tf.ui.language import _, current, titles
from sgd_tf.ui.numbers import count
from sgd_tf.ui.settings import Text
from sgd_tf.ui.widgets import MODELS
from sgd_tf.words import N_

FLOAT = 4  # bytes
TITLES: dict[str, str] = {
    "dense": N_("Dense"),
    "dropout": N_("Dropout"),
    "batchnorm": N_("Batch normalisation"),
    "conv": N_("Convolution"),
    "maxpool": N_("Max pooling"),
    "flatten": N_("Flatten"),
}
ACTIVATIONS = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "linear": N_("none"),
}
FRESH: dict[str, Layer] = {  # a layer of each kind, as it is added
    "dense": Dense(32),
    "dropout": Dropout(0.2),
    "batchnorm": BatchNormalization(),
    "conv": Conv2D(8),
    "maxpool": MaxPooling2D(2),
    "flatten": Flatten(),
}
REASONS: dict[Reason, str] = {
    "row before": N_("Layer {place}, {layer}: no dense layer and no flatten may stand before it."),
    "no flatten": N_("Layer {place}, {layer}: put flatten between the images and it."),
    "flatten at the end": N_("Put flatten after layer {place}, {layer}: the output layer is dense."),
    "no images": N_("Layer {place}, {layer}: it needs images, and these samples are rows of a table."),
    "too small": N_("Layer {place}, {layer}: nothing is left of the image here."),
}


@dataclass(frozen=True, kw_only=True)
class OwnLayers(Text):
    """A list of layers, in the session and in the address by its text form."""

    label: str = N_("Layers")
    default: str = "dense 64 relu, dropout 0.2, dense 32 relu"
    check: Any = own_layers.read

    def config(self, info: ProblemInfo) -> ModelConfig | None:
        """The model, with a line of its size; None if the layers do not fit the problem, and a message says why."""
        self.publish()
        try:
            model = ModelConfig(layers=self._layers())
            self._say_size(shapes_for(info, self._layers()))
        except LayersError as error:
            st.error(_why(error))
            return None
        return model

    def draw(self, info: ProblemInfo) -> ModelConfig | None:  # type: ignore[override]
        """Draw the builder and the line on its size; return the model, None if it does not fit."""
        self.draw_builder(info)
        return self.config(info)

    def draw_builder(self, info: ProblemInfo) -> None:
        """Draw the button that opens the builder.

        Args:
            info: facts of the problem: images may have convolutions, and the shapes depend on it.
        """
        with st.popover(_("Layers"), icon=":material/layers:", key=f"{self.key}_builder"):
            self._follow_the_text()
            layers: tuple[Layer, ...] = self._layers()
            try:
                shapes: tuple[Shape, ...] = shapes_for(info, layers)
            except LayersError as error:
                shapes = ()
                st.error(_why(error))
            more = st.toggle(_("Initial weights and L2"), key=f"{self.key}_more")
            for place, layer in enumerate(layers):
                self._draw_layer(info, place, layer, shapes[place] if shapes else None, more=more)
            st.button(
                _("Add a layer"),
                icon=":material/add:",
                key=f"{self.key}_add",
                disabled=len(layers) >= own_layers.MAX_LAYERS,
                on_click=functools.partial(self._put, len(layers), FRESH["dense"]),
            )
            outputs = info.num_classes or 1
            st.caption(_("The output layer follows by itself: Dense({n}).").format(n=outputs))
            if shapes:
                self._say_size(shapes)
                st.code(f"model = {sequential(info, layers, _)}", language="python")
            st.caption(
                _(
                    "A Keras file cannot be opened here: a saved model can hold code, which this server would run. In "
                    "Python, all functions take your Keras model: `sgd_tf.race(problem, contestants, model=model)`."
                )
            )

    def _draw_layer(self, info: ProblemInfo, place: int, layer: Layer, shape: Shape | None, *, more: bool) -> None:
        word = own_layers.WORDS[type(layer)]
        kinds = [kind for kind in TITLES if info.is_image or not issubclass(own_layers.KINDS[kind], own_layers.SPATIAL)]
        kinds = kinds if word in kinds else [*kinds, word]
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            words = {kind: TITLES[kind] for kind in kinds}
            label = _("Layer {n}").format(n=place + 1)
            self._select(place, "kind", label, word, words, width=150)
            self._draw_numbers(place, layer)
            with st.container(horizontal=True, gap="small", width="content"):
                self._draw_moves(place)
        if more and isinstance(layer, Dense | Conv2D):
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
                given = layer.initializer or own_layers.default_initializer(layer.activation)
                names: dict[str, str] = {name: name for name in own_layers.INITIALIZERS}
                self._select(place, "initializer", _("Initial weights"), given, names, width=170)
                self._number(place, "l2", _("L2"), layer.l2, 0.0, own_layers.MAX_L2, format="%.4g", step=0.001)
        if shape is not None and not isinstance(layer, Dropout):
            size = " × ".join(map(str, shape.outputs))
            st.caption(_("gives {size} · {n} weights").format(size=size, n=count(shape.weights)))

    def _draw_numbers(self, place: int, layer: Layer) -> None:
        if isinstance(layer, Dense):
            self._number(place, "width", _("Width"), layer.width, 1, own_layers.MAX_WIDTH)
        elif isinstance(layer, Conv2D):
            self._number(place, "filters", _("Filters"), layer.filters, 1, own_layers.MAX_FILTERS)
            self._number(place, "size", _("Size"), layer.size, 1, own_layers.MAX_SIZE)
        elif isinstance(layer, MaxPooling2D):
            self._number(place, "size", _("Size"), layer.size, 2, own_layers.MAX_SIZE)
        elif isinstance(layer, Dropout):
            self._number(place, "rate", _("Rate"), layer.rate, 0.0, 0.95, format="%.3g", step=0.05)
        if isinstance(layer, Dense | Conv2D):
            self._select(place, "activation", _("Activation"), layer.activation, ACTIVATIONS, width=130)

    def _draw_moves(self, place: int) -> None:
        last = len(self._layers()) - 1
        names = {
            "up": (_("Move layer {n} up"), ":material/arrow_upward:", place == 0),
            "down": (_("Move layer {n} down"), ":material/arrow_downward:", place == last),
            "drop": (_("Drop layer {n}"), ":material/delete:", last == 0),
        }
        for name, (words, icon, disabled) in names.items():
            st.button(
                "",
                icon=icon,
                help=words.format(n=place + 1),
                key=self._widget(place, name),
                disabled=disabled,
                on_click=functools.partial(self._move, place, name),
            )

    def _select(self, place: int, name: str, label: str, value: str, options: dict[str, str], **rest: Any) -> None:
        key = self._widget(place, name)
        st.session_state.setdefault(key, value)
        st.selectbox(
            label,
            list(options),
            format_func=titles(options),
            key=key,
            on_change=functools.partial(self._change, place, name),
            **rest,
        )

    def _number(self, place: int, name: str, label: str, value: Any, low: Any, high: Any, **rest: Any) -> None:
        key = self._widget(place, name)
        st.session_state.setdefault(key, value)
        change = functools.partial(self._change, place, name)
        st.number_input(label, low, high, key=key, on_change=change, width=110, **rest)

    def _layers(self) -> tuple[Layer, ...]:
        return own_layers.read(self.value)

    def _widget(self, place: int, name: str) -> str:
        """Key of a control; with each change of the list, or of the language, all of them are new."""
        return f"{self.key}_{current()}_{st.session_state.get(f'{self.key}_number', 0)}_{place}_{name}"

    def _follow_the_text(self) -> None:
        """Make new controls where the text was set by something else, such as an example."""
        if st.session_state.get(f"{self.key}_drawn") != self.value:
            self._keep(self._layers())

    def _keep(self, layers: tuple[Layer, ...], *, same_controls: bool = False) -> None:
        text = own_layers.to_text(layers)
        self.set(text)
        st.session_state[f"{self.key}_drawn"] = text
        if not same_controls:
            st.session_state[f"{self.key}_number"] = st.session_state.get(f"{self.key}_number", 0) + 1

    def _change(self, place: int, name: str) -> None:
        """Take a control's value; a callback."""
        layers = list(self._layers())
        if place >= len(layers):
            return
        value = st.session_state[self._widget(place, name)]
        if name == "kind":
            layers[place] = FRESH[value]
        else:
            layers[place] = replace(layers[place], **{name: value})
        self._keep(tuple(layers), same_controls=name not in ("kind", "activation"))

    def _put(self, place: int, layer: Layer) -> None:
        """Put in a layer; a callback."""
        layers = self._layers()
        self._keep((*layers[:place], layer, *layers[place:]))

    def _move(self, place: int, name: str) -> None:
        """Move or drop a layer; a callback."""
        layers = list(self._layers())
        layer = layers.pop(place)
        if name != "drop":
            layers.insert(place + (1 if name == "down" else -1), layer)
        self._keep(tuple(layers))

    def _say_size(self, shapes: tuple[Shape, ...]) -> None:
        weights, outputs = sum(shape.weights for shape in shapes), sum(shape.size for shape in shapes)
        text = _("{n} weights, {bytes}; activations of a sample {each}, of k = 256 samples {of_256}")
        st.caption(
            text.format(
                n=count(weights),
                bytes=in_bytes(FLOAT * weights),
                each=in_bytes(FLOAT * outputs),
                of_256=in_bytes(FLOAT * outputs * 256),
            )
        )


def model_title(model: ModelConfig) -> str:
    """What a model is called; own layers with their text."""
    title = _(MODELS[model.kind])
    return title if model.layers is None else f"{title} ({own_layers.to_text(model.layers)})"


def _why(error: LayersError) -> str:
    return _(REASONS[error.reason]).format(place=error.place, layer=f"`{own_layers.to_text([error.layer])}`")


def shapes_for(info: ProblemInfo, layers: tuple[Layer, ...]) -> tuple[Shape, ...]:
    """Shapes of all layers for a problem, the output layer last.

    Raises:
        LayersError: if a layer cannot work there.
    """
    layers = own_layers.check(layers)
    num_outputs = info.num_classes or 1
    return own_layers.shapes(
        layers, num_features=info.num_features, num_outputs=num_outputs, image_shape=info.image_shape
    )


def in_bytes(num: int) -> str:
    """A number of bytes with its unit.

    >>> in_bytes(640), in_bytes(12_345), in_bytes(3_000_000)
    ('640 B', '12.3 kB', '3 MB')
    """
    for size, unit in ((10**6, "MB"), (10**3, "kB")):
        if num >= size:
            return f"{num / size:.3g} {unit}"
    return f"{num} B"
