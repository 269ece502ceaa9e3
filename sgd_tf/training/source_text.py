"""Values as Python source text: what a generated script or notebook is written with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from sgd_tf.training.records import ModelConfig, ModelKind

# Fields that a kind of model depends on.
MODEL_FIELDS: dict[ModelKind, tuple[str, ...]] = {
    "linear": ("kind",),
    "mlp": ("kind", "widths", "activation"),
    "cnn": ("kind", "activation"),
}


def model_arguments(model: ModelConfig) -> str:
    """Arguments of a ModelConfig, as they stand in a call.

    >>> model_arguments(ModelConfig(widths=(32,)))
    "kind='mlp', widths=(32,), activation='relu'"
    """
    return keyword_arguments(model, MODEL_FIELDS[model.kind])


def keyword_arguments(config: object, names: Iterable[str], separator: str = ", ") -> str:
    """Fields of a dataclass as keyword arguments of a call."""
    return separator.join(f"{name}={literal(getattr(config, name))}" for name in names)


def literal(value: Any) -> str:
    """Source text of a value. A NumPy number becomes a Python number: a script knows no NumPy."""
    if isinstance(value, tuple):
        return repr(tuple(part.item() if isinstance(part, np.generic) else part for part in value))
    return repr(value.item() if isinstance(value, np.generic) else value)
