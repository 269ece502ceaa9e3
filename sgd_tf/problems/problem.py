"""One learning problem: training samples, test samples, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sgd_tf.problems import own_data
from sgd_tf.problems.splitting import Array, Draw, Task, scale_pixels, split_rows, standardise


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Problem:
    """One learning problem: N training samples, test samples, and where they come from.

    Features of tables and targets of regressions are standardised, (value - mean) / std, with the mean and
    the standard deviation of the training part: training must not depend on the test part (T. Hastie,
    R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2009, section 7.10.2). A feature with one
    value in all training samples becomes 0. Images keep one scale for all pixels, from 0 to 1: dividing
    each pixel by its own standard deviation would amplify the borders, which are almost always empty. One scale
    with mean 0 and standard deviation 1 over all pixels would raise the largest eigenvalue of E[x xᵀ] for MNIST from
    38 to 249, and usual learning rates would diverge.

    The arrays are read-only. Two problems are equal only if they are the same object.
    """

    name: str
    task: Task
    x_train: Array  # (N, d) float32; one row holds the pixels of an image, see image_shape
    y_train: Array  # (N,) int32 class labels, or float32 standardised target
    x_test: Array  # (test samples, d) float32
    y_test: Array  # (test samples,) like y_train
    num_classes: int | None = None  # c; labels are 0 … c - 1; None in a regression
    class_names: tuple[str, ...] = ()  # (c,) meaning of the labels; empty in a regression
    class_counts: tuple[int, ...] = ()  # (c,) training samples of each class; empty in a regression
    feature_names: tuple[str, ...]  # (d,)
    target_name: str
    units: dict[str, str] = field(default_factory=dict)  # by name of the feature or target; none for a plain number
    target_mean: float = 0.0  # target = target_mean + target_std · y, in units[target_name]
    target_std: float = 1.0
    source: str  # one sentence, with citation
    licence: str
    image_shape: tuple[int, int, int] | None = None  # (height, width, channels); None if x is not an image

    def __post_init__(self) -> None:
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            array.setflags(write=False)

    def __repr__(self) -> str:
        classes = "" if self.num_classes is None else f", num_classes={self.num_classes}"
        return (
            f"Problem({self.name!r}, {self.task}, num_examples={self.num_examples}, "
            f"num_test={self.num_test}, num_features={self.num_features}{classes})"
        )

    @property
    def num_examples(self) -> int:
        """N, the number of training samples."""
        return len(self.x_train)

    @property
    def num_test(self) -> int:
        """The number of test samples."""
        return len(self.x_test)

    @property
    def num_features(self) -> int:
        """d, the number of features of a sample."""
        return math.prod(self.x_train.shape[1:])

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        y: Any,
        *,
        task: Task | None = None,
        name: str = "yours",
        test_share: float = 0.2,
        seed: int = 0,
        feature_names: Sequence[str] | None = None,
    ) -> Problem:
        """Make a problem from your own arrays: split into training part and test part, and scaled.

        With ``task=None``, ``y`` determines the task: text and True/False are classes; whole numbers are classes
        if they have at most 20 different values, with 5 samples per value on average; all other numbers are
        regression targets.

        Args:
            x: (n,), (n, d), or images (n, h, w) or (n, h, w, c); finite numbers; n at least 20. The columns
                of a DataFrame are the default names of the features.
            y: (n,) class labels (text, whole numbers, True/False) or numbers to predict. The name of a
                Series is the name of the target. Labels become 0 … c - 1 in sorted order; ``class_names`` keeps
                the original ones.
            task: "classification", "regression", or None for the rule above.
            name: name of the problem.
            test_share: number of test samples / n, in [0.05, 0.5].
            seed: seed of the split. Both parts of a classification have the same shares of classes.
            feature_names: (d,) names of the features.

        Raises:
            ValueError: if an argument has a wrong shape or contains a value that is not finite, if there are fewer
                than 20 samples, a single class, a class with a single sample or more than 100 classes, or if the
                target does not vary.

        >>> hours = np.arange(20.0)
        >>> passed = np.where(hours < 10, "no", "yes")
        >>> problem = Problem.from_arrays(hours, passed, name="exam", feature_names=["hours"])
        >>> problem
        Problem('exam', classification, num_examples=16, num_test=4, num_features=1, num_classes=2)
        >>> problem.class_names, problem.class_counts
        (('no', 'yes'), (8, 8))
        """
        draw = Draw(None, test_share, seed)
        columns, names, image_shape = own_data.check_features(x, feature_names)
        target = own_data.check_target(y, len(columns))
        if task is None:
            task = own_data.infer_task(target)
        if task not in ("classification", "regression"):
            raise ValueError(f'`task` must be "classification", "regression" or None; received {task!r}.')
        class_names: tuple[str, ...] = ()
        if task == "classification":
            target, class_names = own_data.to_labels(target, test_share)
        elif target.dtype.kind not in "iuf":
            raise ValueError("`y` must hold numbers in a regression; received text or True/False.")
        else:
            own_data.check_finite("y", target)
        problem = from_samples(
            columns,
            target,
            draw,
            name=name,
            task=task,
            class_names=class_names,
            feature_names=names,
            target_name=str(own_data.name_of(y) or "target"),
            source="Your own data.",
            licence="Yours.",
            image_shape=image_shape,
        )
        for array in (problem.x_train, problem.x_test, problem.y_train, problem.y_test):
            if not np.isfinite(array).all():
                raise ValueError("`x` and `y` must have a smaller range: after scaling, a value exceeds 3.4e38.")
        return problem


def from_samples(x: Array, y: Array, draw: Draw, *, task: Task, **facts: Any) -> Problem:
    """Split samples (n, d) and targets (n,) in two parts, and scale both by the training part."""
    train, test = split_rows(y, draw, task)
    return from_parts(x[train], y[train], x[test], y[test], task=task, **facts)


def from_parts(
    x_train: Array,
    y_train: Array,
    x_test: Array,
    y_test: Array,
    *,
    task: Task,
    class_names: Sequence[str] = (),
    image_shape: tuple[int, int, int] | None = None,
    **facts: Any,
) -> Problem:
    """Scale the features and the target of two parts, and make a problem from them.

    Args:
        x_train: (N, d) features.
        y_train: (N,) labels from 0 to c - 1, or targets.
        x_test: (m, d).
        y_test: (m,).
        task: "classification", or "regression": its target is standardised.
        class_names: (c,) names; empty in a regression.
        image_shape: (height, width, channels) if the features are pixels: they keep one scale.
        **facts: other fields of ``Problem``.

    Raises:
        ValueError: if the target of a regression does not vary in the training part.
    """
    if image_shape is None:
        x_train, x_test, _, _ = standardise(x_train, x_test)
    else:
        x_train, x_test = scale_pixels(x_train, x_test)
    if task == "classification":
        counts = tuple(np.bincount(y_train, minlength=len(class_names)).tolist())
        facts |= {"num_classes": len(class_names), "class_names": tuple(class_names), "class_counts": counts}
        y_train, y_test = y_train.astype(np.int32), y_test.astype(np.int32)
    else:
        column_train, column_test, mean, std = standardise(y_train[:, None], y_test[:, None])
        if not column_train.any():
            raise ValueError("`y` must vary in the training part; received a single value.")
        y_train, y_test = column_train[:, 0], column_test[:, 0]
        facts |= {"target_mean": float(mean[0]), "target_std": float(std[0])}
    return Problem(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        task=task,
        image_shape=image_shape,
        **facts,
    )
