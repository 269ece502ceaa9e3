"""Validation of a learner's own arrays, for ``Problem.from_arrays``, and the options of own data."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np

from sgd_tf.problems.splitting import Array, Task

MIN_ROWS = 20
MAX_CLASSES = 100


class ArrayOptions(TypedDict, total=False):
    """Options of ``Problem.from_arrays``."""

    name: str
    test_share: float
    seed: int
    feature_names: Sequence[str] | None
    scale: bool


class TableOptions(TypedDict, total=False):
    """Options of ``Problem.from_csv`` and ``Problem.from_frame``."""

    missing: Literal["drop", "fill"]
    kinds: Mapping[str, str]
    scale: bool
    name: str
    test_share: float
    seed: int


def check_options(options: Mapping[str, Any], allowed: type = ArrayOptions) -> None:
    """Raise an error for an option that there is not, and for a ``scale`` that is neither True nor False."""
    names = list(allowed.__annotations__)
    for name in options:
        if name not in names:
            raise TypeError(f"`{name}` is not an option; the options: {', '.join(names)}.")
    if not isinstance(options.get("scale", True), bool):
        raise ValueError(f"`scale` must be True or False; received {options['scale']!r}.")


def name_of(y: Any) -> Any:
    """Name of a Series, or None."""
    return getattr(y, "name", None) if hasattr(y, "to_numpy") else None


def check_features(
    x: Any, feature_names: Sequence[str] | None, *, name: str = "x", min_rows: int = MIN_ROWS
) -> tuple[Array, tuple[str, ...], tuple[int, int, int] | None]:
    """Check the features, and return them with their names.

    Args:
        x: as in ``Problem.from_arrays``.
        feature_names: (d,) names, or None for the columns of a DataFrame, or x1, x2, ….
        name: of the argument, for messages.
        min_rows: the smallest n.

    Returns:
        Features (n, d) in float64, d names, and (height, width, channels) of an image, else None.

    Raises:
        ValueError: if ``x`` or ``feature_names`` has a wrong shape, or ``x`` holds a value that is not a finite number.
    """
    try:
        columns = _as_numbers(x)
    except (TypeError, ValueError) as error:
        received = str(error) if isinstance(error, _NotNumbersError) else type(x).__name__
        raise ValueError(f"`{name}` must contain only numbers, in rows of equal length; received {received}.") from None
    if columns.ndim not in (1, 2, 3, 4) or columns.size == 0:
        raise ValueError(
            f"`{name}` must have the shape (n,), (n, d), (n, h, w) or (n, h, w, c); received {columns.shape}."
        )
    if len(columns) < min_rows:
        raise ValueError(f"`{name}` must have at least {min_rows} rows; received {len(columns)}.")
    check_finite(name, columns)
    image_shape = None
    if columns.ndim > 2:
        height, width, *channels = columns.shape[1:]
        image_shape = (height, width, channels[0] if channels else 1)
    columns = columns.reshape(len(columns), -1)
    if feature_names is None:
        feature_names = getattr(x, "columns", [f"x{column}" for column in range(1, columns.shape[1] + 1)])
    names = tuple(str(name) for name in feature_names)
    if len(names) != columns.shape[1]:
        raise ValueError(
            f"`feature_names` must be {columns.shape[1]} names, one for each feature; received {len(names)}."
        )
    return columns, names, image_shape


class _NotNumbersError(TypeError):
    """A description of the values that are not numbers."""


def _as_numbers(x: Any) -> Array:
    """``x`` in float64, with nan for missing values; text and dates are errors, not numbers."""
    if hasattr(x, "columns"):  # a DataFrame
        for name, dtype in x.dtypes.items():
            if getattr(dtype, "kind", "O") not in "biuf":
                raise _NotNumbersError(f"text or dates in the column {name!r}")
        return x.to_numpy(dtype=np.float64, na_value=np.nan)
    array = np.asarray(x)
    if array.dtype.kind not in "biufO":
        raise _NotNumbersError(f"an array of {array.dtype}")
    return array.astype(np.float64)


def check_target(y: Any, size: int, *, name: str = "y") -> Array:
    """Check the shape of a target (n,), and return it as an array of numbers, Boolean values or text."""
    import pandas as pd

    array = np.asarray(y)
    if array.shape != (size,):
        raise ValueError(
            f"`{name}` must have the shape ({size},), one value per row of `{name.replace('y', 'x')}`; "
            f"received {array.shape}."
        )
    missing = int(pd.isna(array).sum())
    if missing:
        raise ValueError(f"`{name}` must have no missing value; received {missing}.")
    if array.dtype.kind == "O":
        if all(isinstance(value, bool | np.bool_) for value in array):
            return array.astype(bool)
        if all(isinstance(value, numbers.Real) for value in array):
            return array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        return np.array([str(value) for value in array])
    return array


def infer_task(target: Array) -> Task:
    """Classification or regression, by the rule in ``Problem.from_arrays``."""
    if target.dtype.kind in "bU":
        return "classification"
    values = np.unique(target)
    whole = np.isfinite(values).all() and (values == np.floor(values)).all()
    return "classification" if whole and len(values) <= min(20, len(target) / 5) else "regression"


def check_test_part(x: Any, y: Any, columns: Array) -> tuple[Array, Array]:
    """Check a test part of one's own: features (m, d) and target (m,).

    Args:
        x: as in ``Problem.from_arrays``; so is ``y``.
        y: as in ``Problem.from_arrays``.
        columns: (n, d) features of the training part.
    """
    if x is None or y is None:
        raise ValueError("`x_test` and `y_test` must be given together; received one of them.")
    tested, _names, _shape = check_features(x, None, name="x_test", min_rows=1)
    if tested.shape[1] != columns.shape[1]:
        raise ValueError(f"`x_test` must have {columns.shape[1]} features, as `x` has; received {tested.shape[1]}.")
    return tested, check_target(y, len(tested), name="y_test")


def encode(target: Array, task: Task, test_share: float | None) -> tuple[Array, tuple[str, ...]]:
    """Labels (n,) and names of classes (c,); in a regression the target as it is and no names.

    Args:
        target: (n,) from ``check_target``.
        task: "classification" or "regression".
        test_share: number of test samples / n; None for a test part of one's own.
    """
    if task not in ("classification", "regression"):
        raise ValueError(f'`task` must be "classification", "regression" or None; received {task!r}.')
    if task == "classification":
        return to_labels(target, test_share)
    if target.dtype.kind not in "iuf":
        raise ValueError("`y` must hold numbers in a regression; received text or True/False.")
    check_finite("y", target)
    return target, ()


def encode_parts(train: Array, test: Array, task: Task) -> tuple[tuple[Array, Array], tuple[str, ...]]:
    """Targets of both parts as in ``encode``; the labels of the test part must occur in the training part."""
    target, names = encode(train, task, None)
    if task == "regression":
        if test.dtype.kind not in "iuf":
            raise ValueError("`y_test` must hold numbers in a regression; received text or True/False.")
        check_finite("y_test", test)
        return (target, test), names
    values = np.unique(train)
    unknown = np.setdiff1d(test, values)
    if len(unknown):
        raise ValueError(f"`y_test` must hold labels that occur in `y`; received {str(unknown[0])!r}.")
    return (target, np.searchsorted(values, test)), names


def to_labels(target: Array, test_share: float | None) -> tuple[Array, tuple[str, ...]]:
    """Labels (n,) from 0 to c - 1, in sorted order of the values, and the values as names (c,)."""
    values, labels, counts = np.unique(target, return_inverse=True, return_counts=True)
    whole = target.dtype.kind == "f" and not (values % 1).any()
    names = tuple(str(int(value) if whole else value) for value in values)
    if not 2 <= len(values) <= MAX_CLASSES:
        raise ValueError(f"`y` must have from 2 to {MAX_CLASSES} classes; received {len(values)}.")
    if test_share is None:
        return labels, names
    num_test = math.ceil(test_share * len(labels))
    if counts.min() < 2:
        raise ValueError(f"`y` must have at least 2 samples of each class; received 1 of {names[counts.argmin()]!r}.")
    if num_test < len(values):
        raise ValueError(
            f"`test_share` must leave a test sample for each of the {len(values)} classes; received "
            f"{test_share}, which leaves {num_test}."
        )
    return labels, names


def check_finite(name: str, array: Array) -> None:
    """Raise a ValueError with the number of values that are not finite in float32, if there are any."""
    with np.errstate(invalid="ignore"):
        wrong = int((~(np.abs(array) <= np.finfo(np.float32).max)).sum())
    if wrong:
        raise ValueError(f"`{name}` must hold finite numbers below 3.4e38; received {wrong} other(s).")


def check_weights(weights: Any, num_examples: int) -> Array:
    """Sample weights as a (N,) float32 array.

    Raises:
        ValueError: if they are not N finite numbers of at least 0, or all of them 0.
    """
    try:
        found = np.array(weights, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`sample_weight` must hold {num_examples} numbers; it says: {error}") from error
    if found.shape != (num_examples,):
        raise ValueError(f"`sample_weight` must have the shape ({num_examples},); received {found.shape}.")
    if not (np.isfinite(found).all() and (found >= 0).all() and found.any()):
        raise ValueError("`sample_weight` must hold finite numbers of at least 0, not all of them 0.")
    return found


def weights_of_classes(
    class_weight: Mapping[Any, float], labels: Array, num_classes: int | None, class_names: Sequence[str]
) -> Array:
    """The weight of each sample, by its class.

    Raises:
        ValueError: in a regression, for an unknown class, or a weight that is not a finite number of at least 0.
    """
    if num_classes is None:
        raise ValueError("`class_weight` must be None in a regression.")
    by_label = np.ones(num_classes)
    for name, weight in class_weight.items():
        label = class_names.index(name) if name in class_names else name
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < num_classes:
            allowed = f"labels 0 … {num_classes - 1} or names of classes"
            raise ValueError(f"`class_weight` must have {allowed} as keys; received {name!r}.")
        if isinstance(weight, bool) or not isinstance(weight, int | float | np.number) or not 0 <= weight < math.inf:
            raise ValueError(f"`class_weight` must hold finite numbers of at least 0; received {weight!r}.")
        by_label[label] = weight
    return by_label[labels]
