"""Values and functions as Python source text: what a page shows, and what a generated script is written with."""

from __future__ import annotations

import ast
import functools
import textwrap
from collections.abc import Iterable
from importlib import resources
from typing import Any

import numpy as np

from sgd_tf.training.layers import to_text
from sgd_tf.training.records import ModelConfig, ModelKind

# Fields that a kind of model depends on.
MODEL_FIELDS: dict[ModelKind, tuple[str, ...]] = {
    "linear": ("kind",),
    "mlp": ("kind", "widths", "activation"),
    "cnn": ("kind", "activation"),
    "layers": ("layers",),
}


def model_arguments(model: ModelConfig) -> str:
    """Arguments of a ModelConfig, as they stand in a call.

    >>> model_arguments(ModelConfig(widths=(32,)))
    "kind='mlp', widths=(32,), activation='relu'"
    >>> model_arguments(ModelConfig(layers="dense 64, dropout 0.2"))
    "layers='dense 64 relu, dropout 0.2'"
    """
    if model.layers is not None:
        return f"layers={to_text(model.layers)!r}"
    return keyword_arguments(model, MODEL_FIELDS[model.kind])


def keyword_arguments(config: object, names: Iterable[str], separator: str = ", ") -> str:
    """Fields of a dataclass as keyword arguments of a call."""
    return separator.join(f"{name}={literal(getattr(config, name))}" for name in names)


def literal(value: Any) -> str:
    """Source text of a value. A NumPy number becomes a Python number: a script knows no NumPy."""
    if isinstance(value, tuple):
        return repr(tuple(part.item() if isinstance(part, np.generic) else part for part in value))
    return repr(value.item() if isinstance(value, np.generic) else value)


@functools.cache
def function_source(file: str, name: str) -> str:
    """A function as it stands in a file of this package, without its docstring and the types of its arguments.

    The text is read, and nothing imported: whoever shows it needs no TensorFlow.

    Args:
        file: its path in the package, such as "training/loop.py".
        name: of the function or method.

    Raises:
        ValueError: if the file has no such function, or several.

    >>> print(function_source("training/counting.py", "iterations_per_epoch"))
    def iterations_per_epoch(num_examples, batch_size):
        return -(-num_examples // resolve_batch_size(num_examples, batch_size))
    """
    text = resources.files("sgd_tf").joinpath(file).read_text(encoding="utf-8")
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.name == name]
    if len(found) != 1:
        raise ValueError(f"`name` must be that of one function in {file}; received {name!r}.")
    function, lines = found[0], text.splitlines()
    first = function.body[1 if ast.get_docstring(function) is not None else 0]
    start = min([first.lineno, *(decorator.lineno for decorator in getattr(first, "decorator_list", []))])
    arguments = ", ".join(argument.arg for argument in function.args.args)
    body = textwrap.dedent("\n".join(lines[start - 1 : function.end_lineno]))
    return f"def {name}({arguments}):\n" + textwrap.indent(body, "    ")
