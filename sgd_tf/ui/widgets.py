"""What pages ask for in common: a problem, a model, the widths of its layers, a learning rate."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TypeAlias

from sgd_tf.training.records import ModelConfig
from sgd_tf.words import N_

Place: TypeAlias = AbstractContextManager[object]  # a container of a page, in which a ``with`` draws

DEFAULT_LEARNING_RATE = 0.1  # where none was ever searched
PROBLEMS = {
    "digits": N_("Handwritten digits, 8×8"),
    "mnist": N_("Handwritten digits, 28×28 (MNIST)"),
    "fashion_mnist": N_("Clothes, 28×28 (Fashion-MNIST)"),
    "spirals": N_("Two spirals"),
    "line": N_("A straight line"),
    "teacher": N_("A random network as teacher"),
    "flights": N_("Arrival delay of flights"),
    "california": N_("California house prices"),
    "diabetes": N_("Diabetes after one year"),
    "breast_cancer": N_("Breast cancer"),
}
MODELS = {"linear": N_("Linear"), "mlp": N_("MLP"), "cnn": N_("CNN"), "layers": N_("Own layers")}
ACTIVATIONS = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "tanh": "tanh", "sigmoid": "sigmoid"}


def parse_widths(text: str) -> tuple[int, ...]:
    """Hidden units of each layer, from text such as "64, 32".

    Raises:
        ValueError: if the text is something else, or a width is out of range.

    >>> parse_widths("64, 32")
    (64, 32)
    """
    return ModelConfig(widths=tuple(int(part) for part in text.replace(",", " ").split())).widths
