"""One learning problem: training samples, test samples, and what they mean."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any, Unpack

import numpy as np

from sgd_tf.problems import own_data
from sgd_tf.problems.own_data import ArrayOptions, TableOptions
from sgd_tf.problems.splitting import Array, Draw, Task, scale_pixels, split_rows, standardise

if TYPE_CHECKING:
    import pandas as pd

SOURCE, LICENCE = "Your own data.", "Yours."


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
    sample_weight: Array | None = None  # (N,) float32 weight of each training sample in the loss; see `weighted`

    def __post_init__(self) -> None:
        weights = () if self.sample_weight is None else (self.sample_weight,)
        for array in (self.x_train, self.y_train, self.x_test, self.y_test, *weights):
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

    def weighted(self, *, sample_weight: Any = None, class_weight: Mapping[Any, float] | None = None) -> Problem:
        """The same problem with a weight for each training sample: its loss counts so many times, as in `model.fit`.

        The loss of a minibatch is (1/k) Σ weight_i · loss_i. The loss of all training samples is weighted alike; the
        test samples have weight 1.

        Args:
            sample_weight: (N,) weights, in the order of ``x_train``; finite, at least 0, one of them greater.
            class_weight: weights by label 0 … c - 1, or by name of a class; classes that are left out have weight 1.

        Raises:
            ValueError: if not exactly one of them is given, or it is out of its range.

        >>> hours = np.arange(20.0)
        >>> exam = Problem.from_arrays(hours, np.where(hours < 10, "no", "yes"))
        >>> sorted(set(exam.weighted(class_weight={"yes": 3.0}).sample_weight.tolist()))
        [1.0, 3.0]
        """
        if (sample_weight is None) == (class_weight is None):
            raise ValueError("One of `sample_weight` and `class_weight` must be given.")
        if class_weight is not None:
            sample_weight = own_data.weights_of_classes(class_weight, self.y_train, self.num_classes, self.class_names)
        return replace(self, sample_weight=own_data.check_weights(sample_weight, self.num_examples))

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        y: Any,
        *,
        x_test: Any = None,
        y_test: Any = None,
        task: Task | None = None,
        **options: Unpack[ArrayOptions],
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
            x_test: your own test part, of the shape of ``x`` but any length; None for a part of ``x``.
            y_test: its targets; its labels must occur in ``y``.
            task: "classification", "regression", or None for the rule above.
            **options: ``name`` of the problem, "yours" by default;
                ``test_share``, number of test samples / n, in [0.05, 0.5], 0.2 by default;
                ``seed`` of the split, 0 by default. Both parts of a classification have the same shares of classes;
                ``feature_names``, (d,) names;
                ``scale``, False to leave features and target as they are.

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
        >>> Problem.from_arrays(hours, 3 * hours, x_test=[30, 31], y_test=[90, 93], scale=False).y_test.tolist()
        [90.0, 93.0]
        """
        own_data.check_options(options)
        draw = Draw(None, options.get("test_share", 0.2), options.get("seed", 0))
        columns, names, image_shape = own_data.check_features(x, options.get("feature_names"))
        target = own_data.check_target(y, len(columns))
        task = own_data.infer_task(target) if task is None else task
        if x_test is None and y_test is None:
            target, class_names = own_data.encode(target, task, draw.test_share)
            train, test = split_rows(target, draw, task)
            parts = columns[train], target[train], columns[test], target[test]
        else:
            tested = own_data.check_test_part(x_test, y_test, columns)
            (target, test_target), class_names = own_data.encode_parts(target, tested[1], task)
            parts = columns, target, tested[0], test_target
        problem = from_parts(
            *parts,
            task=task,
            class_names=class_names,
            scale=options.get("scale", True),
            name=options.get("name", "yours"),
            feature_names=names,
            target_name=str(own_data.name_of(y) or "target"),
            image_shape=image_shape,
            source=SOURCE,
            licence=LICENCE,
        )
        for array in (problem.x_train, problem.x_test, problem.y_train, problem.y_test):
            if not np.isfinite(array).all():
                raise ValueError("`x` and `y` must have a smaller range: after scaling, a value exceeds 3.4e38.")
        return problem

    @classmethod
    def from_csv(
        cls,
        path_or_buffer: str | os.PathLike[str] | IO[bytes] | IO[str],
        *,
        target: str,
        features: Sequence[str] | None = None,
        task: Task | None = None,
        **options: Unpack[TableOptions],
    ) -> Problem:
        r"""Make a problem from a file: CSV, with tabs or semicolons and decimal commas too, Parquet, or NPZ.

        The encoding is found: UTF-8, UTF-16 with its mark, or CP949. Columns of at most 20 different words are
        categories: each word except the most frequent one becomes a feature of 0 and 1. Columns that cannot be used
        are left out: dates, more than 20 different words, one value, more than half missing, a number of the row. A
        warning names them, and the number of rows that were dropped. Images are out of scope: load them as arrays, and
        use ``from_arrays``.

        Args:
            path_or_buffer: path of the file, or what is read from, such as ``io.BytesIO``. In an NPZ file each array
                (n,) is a column, and ``x`` (n, d) is the columns x1, x2, …
            target: name of the column to predict.
            features: names of the columns to learn from; None for all that can be used.
            task: "classification", "regression", or None: words are classes, numbers as in ``from_arrays``.
            **options: ``missing``: "drop" (default) leaves out rows in which a value is missing, "fill" takes the
                median of the training part, or its most frequent word;
                ``kinds``, "number", "category" or "out" by name of a column, where the guess is wrong;
                ``scale``, False to leave features and target as they are;
                ``name``, by default that of the file; ``test_share`` and ``seed`` as in ``from_arrays``.

        Raises:
            sgd_tf.own.errors.TableError: a ValueError that says why nothing can be learned from the file.
            OSError: if it cannot be opened.

        >>> import io
        >>> rows = [f"{hours},{'yes' if hours > 9 else 'no'}" for hours in range(1, 25)]
        >>> Problem.from_csv(io.StringIO("\n".join(["hours,passed", *rows[::-1]])), target="passed")
        Problem('yours', classification, num_examples=19, num_test=5, num_features=1, num_classes=2)
        """
        from sgd_tf.own import building

        choices, name = building.choices_of(target, features, task, options)
        return building.from_file(path_or_buffer, choices=choices, name=name)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        target: str,
        features: Sequence[str] | None = None,
        task: Task | None = None,
        **options: Unpack[TableOptions],
    ) -> Problem:
        """Make a problem from a table of pandas, by the rules of ``from_csv``.

        Args:
            frame: (n, d) table; its index is not used.
            target: name of the column to predict.
            features: names of the columns to learn from; None for all that can be used.
            task: "classification", "regression", or None.
            **options: as in ``from_csv``; ``name`` is "yours" by default.

        Raises:
            sgd_tf.own.errors.TableError: a ValueError that says why nothing can be learned from the table.

        >>> import pandas as pd
        >>> frame = pd.DataFrame({"area": [30, 60, 90, 120] * 5, "town": ["a", "b"] * 10, "price": range(20)})
        >>> Problem.from_frame(frame, target="price", missing="fill").feature_names
        ('area', 'town = b')
        """
        from sgd_tf.own import building

        choices, name = building.choices_of(target, features, task, options)
        return building.from_frame(frame, choices=choices, name=name or "yours")


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
    scale: bool = True,
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
        scale: False to leave features and target as they are.
        **facts: other fields of ``Problem``. With an ``image_shape`` the features are pixels: they keep one scale.

    Raises:
        ValueError: if the target of a regression does not vary in the training part.
    """
    if not scale:
        with np.errstate(over="ignore"):  # the callers refuse an overflow
            x_train, x_test = x_train.astype(np.float32), x_test.astype(np.float32)
    elif facts.get("image_shape") is None:
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
        if scale:
            y_train, y_test = column_train[:, 0], column_test[:, 0]
            facts |= {"target_mean": float(mean[0]), "target_std": float(std[0])}
        else:
            y_train, y_test = y_train.astype(np.float32), y_test.astype(np.float32)
    return Problem(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        task=task,
        **facts,
    )
