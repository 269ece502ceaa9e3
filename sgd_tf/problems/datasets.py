"""Learning problems: arrays to train and test on, with their task, units, source and licence.

``load("digits")`` gives one by name, ``Problem.from_arrays(x, y)`` makes one of your own, and ``CATALOGUE``
tells the facts of each name without loading it. Importing this module is quick: scikit-learn, PyArrow and
Keras are imported by the problems that need them, on first use.
"""

from __future__ import annotations

import gzip
import math
import numbers
import os
import socket
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sgd_tf.checks import check_int
from sgd_tf.words import N_

Task = Literal["classification", "regression"]
Kind = Literal["synthetic", "bundled", "download"]
Array = np.ndarray

MIN_EXAMPLES = 10  # training samples, the fewest that load() gives
MAX_EXAMPLES = 1_000_000  # training samples, the most that a synthetic problem gives
MAX_NUMBERS = 64_000_000  # N × d of a synthetic problem: 256 MB of float32
MIN_TEST, MAX_TEST = 1_000, 10_000  # test samples of a synthetic problem
MIN_TEST_SHARE, MAX_TEST_SHARE = 0.05, 0.5
MIN_ROWS = 20  # of one's own data
MAX_CLASSES = 100  # of one's own data
MAX_SEED = 2**31 - 1
DOWNLOAD_SECONDS = 14.0  # how long a caller waits for a download, and a download for an answer
FLIGHTS_FILE = Path(__file__).parents[1] / "data" / "flights.parquet"


class DownloadError(RuntimeError):
    """The data of a problem could not be downloaded or not be stored; the message names problems that need neither.

    Attributes:
        name: of the problem.
        reason: in the words of the network or of the file system, without a full stop.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        offline = ", ".join(info.name for info in CATALOGUE.values() if info.kind != "download")
        return f"`{self.name}` could not be downloaded: {self.reason}. These need no download: {offline}."


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Problem:
    """One learning problem: N training samples, test samples, and where they come from.

    Features of tables and targets of regressions are standardised, (value - mean) / std, with the mean and
    the standard deviation of the training part: what is learned must not depend on the test part (T. Hastie,
    R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2009, section 7.10.2). A feature that is
    the same in all training samples becomes 0. Images keep one scale for all pixels, from 0 to 1: dividing
    each pixel by its own standard deviation would blow up the borders, which are almost always empty, and
    around zero mean the largest eigenvalue of E[x xᵀ] grows from 39 to 251 for MNIST, so that usual learning
    rates would diverge.

    The arrays are read-only. Two problems are equal only if they are the same object.
    """

    name: str
    task: Task
    x_train: Array  # (N, d) float32; the pixels of an image lie in one row, see image_shape
    y_train: Array  # (N,) int32 class labels, or float32 standardised target
    x_test: Array  # (test samples, d) float32
    y_test: Array  # (test samples,) like y_train
    num_classes: int | None = None  # c, labels run from 0 to c - 1; None in a regression
    class_names: tuple[str, ...] = ()  # (c,) what the labels stand for; empty in a regression
    class_counts: tuple[int, ...] = ()  # (c,) training samples of each class; empty in a regression
    feature_names: tuple[str, ...]  # (d,)
    target_name: str
    units: dict[str, str] = field(default_factory=dict)  # by name of feature or target, where there is one
    target_mean: float = 0.0  # target = target_mean + target_std · y, in units[target_name]
    target_std: float = 1.0
    source: str  # one sentence, with citation
    licence: str
    image_shape: tuple[int, int, int] | None = None  # (height, width, channels); None where x is no image

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
        """d, the numbers that make one sample."""
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
        """A problem of one's own: split into training and test part, and scaled.

        Where ``task`` is None it follows from ``y``: text and True/False are classes; whole numbers are
        classes if there are at most 20 different ones, with 5 samples for each on average; all else is a
        regression.

        Args:
            x: (n,), (n, d), or images (n, h, w) or (n, h, w, c); finite numbers; n at least 20. The columns
                of a DataFrame give the names of the features.
            y: (n,) class labels (text, whole numbers, True/False) or numbers to predict. The name of a
                Series gives the name of the target. Labels become 0..c-1 in sorted order; ``class_names``
                keeps them.
            task: "classification", "regression", or None for the rule above.
            name: what to call the problem.
            test_share: share of the samples that is kept for the test, in [0.05, 0.5].
            seed: of the split; a classification is split with the same shares of classes in both parts.
            feature_names: (d,) names, instead of those of the DataFrame.

        Raises:
            ValueError: if an argument has another shape, holds what is no finite number, has fewer than 20
                samples, one class alone, a class of a single sample, more than 100 classes, or a target that
                does not vary.

        >>> hours = np.arange(20.0)
        >>> passed = np.where(hours < 10, "no", "yes")
        >>> problem = Problem.from_arrays(hours, passed, name="exam", feature_names=["hours"])
        >>> problem
        Problem('exam', classification, num_examples=16, num_test=4, num_features=1, num_classes=2)
        >>> problem.class_names, problem.class_counts
        (('no', 'yes'), (8, 8))
        """
        draw = _Draw(None, _check_test_share(test_share), check_int("seed", seed, 0, MAX_SEED))
        columns, names, image_shape = _own_features(x, feature_names)
        target = _own_target(y, len(columns))
        if task is None:
            task = _infer_task(target)
        if task not in ("classification", "regression"):
            raise ValueError(f'`task` must be "classification", "regression" or None; received {task!r}.')
        class_names: tuple[str, ...] = ()
        if task == "classification":
            target, class_names = _own_labels(target, test_share)
        elif target.dtype.kind not in "iuf":
            raise ValueError("`y` must hold numbers in a regression; received text or True/False.")
        else:
            _check_finite("y", target)
        problem = _split(
            columns,
            target,
            draw,
            name=name,
            task=task,
            class_names=class_names,
            feature_names=names,
            target_name=str(_name_of(y) or "target"),
            source="Your own data.",
            licence="Yours.",
            image_shape=image_shape,
        )
        for array in (problem.x_train, problem.x_test, problem.y_train, problem.y_test):
            if not np.isfinite(array).all():
                raise ValueError("`x` and `y` must be spread less: scaled, a number exceeds 3.4e38.")
        return problem


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a problem, such as the noise, that ``load`` takes as a keyword."""

    name: str
    default: int | float | str
    low: float | None = None  # smallest allowed number; None where there are choices
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> int | float | str:
        """Return ``value`` in the type of the default.

        Raises:
            ValueError: if it is out of range.

        >>> Option(name="noise", default=0.1, low=0, high=1).check(2)
        Traceback (most recent call last):
        ...
        ValueError: `noise` must be a number in [0, 1]; received 2.
        """
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"`{self.name}` must be one of {', '.join(self.choices)}; received {value!r}.")
            return str(value)
        assert self.low is not None
        assert self.high is not None
        if isinstance(self.default, int):
            return check_int(self.name, value, int(self.low), int(self.high))
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not is_number or not self.low <= value <= self.high:
            raise ValueError(f"`{self.name}` must be a number in [{self.low:g}, {self.high:g}]; received {value!r}.")
        return float(value)


@dataclass(frozen=True, kw_only=True)
class ProblemInfo:
    """What is known of a problem before it is loaded, with the default options."""

    name: str
    kind: Kind
    task: Task
    num_examples: int  # N, training samples
    num_test: int  # test samples
    num_features: int  # d
    num_classes: int | None = None  # None in a regression
    image_shape: tuple[int, int, int] | None = None  # (height, width, channels)
    min_examples: int = MIN_EXAMPLES  # smallest num_examples that load() takes
    max_examples: int  # largest
    options: tuple[Option, ...] = ()
    summary: str  # one English sentence, marked for translation

    @property
    def is_image(self) -> bool:
        """Whether a sample is an image."""
        return self.image_shape is not None


CATALOGUE: dict[str, ProblemInfo] = {
    info.name: info
    for info in (
        ProblemInfo(
            name="line",
            kind="synthetic",
            task="regression",
            num_examples=1_000,
            num_test=1_000,
            num_features=1,
            max_examples=MAX_EXAMPLES,
            options=(
                Option(name="slope", default=2.0, low=-10, high=10),
                Option(name="intercept", default=1.0, low=-10, high=10),
                Option(name="noise", default=0.5, low=0, high=10),
            ),
            summary=N_("A straight line through noisy points: two parameters, and a known answer."),
        ),
        ProblemInfo(
            name="spirals",
            kind="synthetic",
            task="classification",
            num_examples=1_000,
            num_test=1_000,
            num_features=2,
            num_classes=2,
            max_examples=MAX_EXAMPLES,
            options=(
                Option(name="turns", default=1.5, low=0.25, high=4),
                Option(name="noise", default=0.1, low=0, high=1),
            ),
            summary=N_("Two spirals wound into each other in the plane: no straight line parts them."),
        ),
        ProblemInfo(
            name="teacher",
            kind="synthetic",
            task="classification",
            num_examples=10_000,
            num_test=2_500,
            num_features=20,
            num_classes=3,
            max_examples=MAX_EXAMPLES,
            options=(
                Option(name="num_features", default=20, low=2, high=1_024),
                Option(name="num_classes", default=3, low=2, high=20),
                Option(name="activation", default="tanh", choices=("tanh", "relu")),
            ),
            summary=N_("Random points that a random neural network has labelled: as many samples as you want."),
        ),
        ProblemInfo(
            name="digits",
            kind="bundled",
            task="classification",
            num_examples=1_437,
            num_test=360,
            num_features=64,
            num_classes=10,
            image_shape=(8, 8, 1),
            max_examples=1_437,
            summary=N_("Handwritten digits in 8 × 8 pixels: small enough to train in a second."),
        ),
        ProblemInfo(
            name="diabetes",
            kind="bundled",
            task="regression",
            num_examples=353,
            num_test=89,
            num_features=10,
            max_examples=353,
            summary=N_("How far diabetes has advanced after a year, from ten measurements of a patient."),
        ),
        ProblemInfo(
            name="breast_cancer",
            kind="bundled",
            task="classification",
            num_examples=455,
            num_test=114,
            num_features=30,
            num_classes=2,
            max_examples=455,
            summary=N_("Whether a breast tumour is malignant, from the shapes of its cell nuclei."),
        ),
        ProblemInfo(
            name="flights",
            kind="bundled",
            task="regression",
            num_examples=261_876,
            num_test=65_470,
            num_features=25,
            max_examples=261_876,
            summary=N_("How late a flight from New York arrives, from what is known when it leaves the gate."),
        ),
        ProblemInfo(
            name="california",
            kind="download",
            task="regression",
            num_examples=16_512,
            num_test=4_128,
            num_features=8,
            max_examples=16_512,
            summary=N_("House values in the districts of California in 1990, from the census."),
        ),
        ProblemInfo(
            name="mnist",
            kind="download",
            task="classification",
            num_examples=60_000,
            num_test=10_000,
            num_features=784,
            num_classes=10,
            image_shape=(28, 28, 1),
            max_examples=60_000,
            summary=N_("Handwritten digits in 28 × 28 pixels: the best-known set of all."),
        ),
        ProblemInfo(
            name="fashion_mnist",
            kind="download",
            task="classification",
            num_examples=60_000,
            num_test=10_000,
            num_features=784,
            num_classes=10,
            image_shape=(28, 28, 1),
            max_examples=60_000,
            summary=N_("Articles of clothing in 28 × 28 pixels: like MNIST, and harder."),
        ),
    )
}


def load(
    name: str, *, num_examples: int | None = None, test_share: float = 0.2, seed: int = 0, **options: Any
) -> Problem:
    """A problem of the catalogue.

    Synthetic problems (``line``, ``spirals``, ``teacher``) draw N training samples and, besides,
    N · test_share / (1 - test_share) test samples, at least 1,000 and at most 10,000. All others split their
    samples in two; ``num_examples`` then takes a random part of the training samples, and a larger number
    adds to a smaller one.

    Args:
        name: a name in ``CATALOGUE``.
        num_examples: N, the number of training samples, at least 10; None for the default of the catalogue
            (all training samples of data that are not synthetic).
        test_share: share of the samples that is kept for the test, in [0.05, 0.5]; ``mnist`` and
            ``fashion_mnist`` keep their own test part of 10,000.
        seed: of what is drawn, and of the split.
        **options: options of the problem; ``CATALOGUE[name].options`` tells their ranges and defaults.

    Returns:
        The problem; its arrays are read-only. The two last ones are remembered.

    Raises:
        ValueError: if an argument is out of range.
        DownloadError: within 15 seconds, if the data must be downloaded and cannot be, or cannot be stored.

    >>> load("digits")
    Problem('digits', classification, num_examples=1437, num_test=360, num_features=64, num_classes=10)
    >>> load("spirals", num_examples=200, noise=0.0).class_counts
    (100, 100)
    >>> load("nope")
    Traceback (most recent call last):
    ...
    ValueError: `name` must be one of line, spirals, teacher, digits, diabetes, breast_cancer, flights, \
california, mnist, fashion_mnist; received 'nope'.
    """
    if name not in CATALOGUE:
        raise ValueError(f"`name` must be one of {', '.join(CATALOGUE)}; received {name!r}.")
    info = CATALOGUE[name]
    allowed = {option.name: option for option in info.options}
    for given in options:
        if given not in allowed:
            takes = ", ".join(allowed) or "none"
            raise ValueError(f"`{given}` is no option of the problem {name!r}; its options: {takes}.")
    values = {key: option.check(options.get(key, option.default)) for key, option in allowed.items()}
    if num_examples is None and info.kind == "synthetic":
        num_examples = info.num_examples
    if num_examples is not None:  # other shares of test samples leave other numbers: checked after the split
        high = info.max_examples if info.kind == "synthetic" else None
        num_examples = check_int("num_examples", num_examples, info.min_examples, high)
    draw = _Draw(num_examples, _check_test_share(test_share), check_int("seed", seed, 0, MAX_SEED))
    return _load(name, draw, tuple(values.items()))


@dataclass(frozen=True)
class _Draw:
    """Which samples a problem takes."""

    num_examples: int | None  # N; None for all training samples
    test_share: float
    seed: int

    def num_test(self) -> int:
        """Number of test samples of a synthetic problem."""
        assert self.num_examples is not None
        wanted = round(self.num_examples * self.test_share / (1.0 - self.test_share))
        return min(max(wanted, MIN_TEST), MAX_TEST)

    def streams(self) -> tuple[np.random.Generator, np.random.Generator, np.random.Generator]:
        """Generators for the truth, the training part and the test part, which do not disturb each other."""
        truth, train, test = (np.random.default_rng([self.seed, part]) for part in range(3))
        return truth, train, test


# Two problems of the largest kind are 440 MB; the small ones are made anew in milliseconds.
@lru_cache(maxsize=2)
def _load(name: str, draw: _Draw, options: tuple[tuple[str, Any], ...]) -> Problem:
    return _LOADERS[name](draw, **dict(options))


def _check_test_share(test_share: float) -> float:
    is_number = isinstance(test_share, numbers.Real) and not isinstance(test_share, bool)
    if not is_number or not MIN_TEST_SHARE <= test_share <= MAX_TEST_SHARE:
        raise ValueError(
            f"`test_share` must be a number in [{MIN_TEST_SHARE}, {MAX_TEST_SHARE}]; received {test_share!r}."
        )
    return float(test_share)


# Splitting and scaling


def _split(x: Array, y: Array, draw: _Draw, *, task: Task, **facts: Any) -> Problem:
    """Split samples (n, d) and targets (n,) in two, and scale both parts by the training part."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(len(x)),
        test_size=draw.test_share,
        random_state=draw.seed,
        stratify=y if task == "classification" else None,
    )
    if draw.num_examples is not None:  # the split has shuffled the rows: the first ones are a random part
        train = train[: check_int("num_examples", draw.num_examples, MIN_EXAMPLES, len(train))]
    return _scaled(x[train], y[train], x[test], y[test], task=task, **facts)


def _scaled(
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
    """Make a problem of raw samples: scale the features, and standardise the target of a regression."""
    scale = _standardise if image_shape is None else _scale_pixels
    x_train, x_test, _, _ = scale(x_train, x_test)
    if task == "classification":
        counts = tuple(np.bincount(y_train, minlength=len(class_names)).tolist())
        facts |= {"num_classes": len(class_names), "class_names": tuple(class_names), "class_counts": counts}
        y_train, y_test = y_train.astype(np.int32), y_test.astype(np.int32)
    else:
        column_train, column_test, mean, std = _standardise(y_train[:, None], y_test[:, None])
        if not column_train.any():
            raise ValueError("`y` must vary in the training part; received one value alone.")
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


def _standardise(train: Array, test: Array) -> tuple[Array, Array, Array, Array]:
    """Standardise both parts (n, d) by the training part: (value - mean) / std, in float32.

    Returns the parts, and the means and standard deviations (d,) of the training part. A column that is
    constant in the training part becomes 0 in both: nothing can be learned from it, and without a scale its
    test values could be of any size.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    scaled_train, scaled_test = scaler.transform(train), scaler.transform(test)
    constant = scaled_train.std(axis=0) < 0.5  # scikit-learn leaves these unscaled; the others have std 1
    scaled_train[:, constant] = 0.0
    scaled_test[:, constant] = 0.0
    with np.errstate(over="ignore"):  # from_arrays refuses what overflows
        return scaled_train.astype(np.float32), scaled_test.astype(np.float32), scaler.mean_, scaler.scale_


def _scale_pixels(train: Array, test: Array) -> tuple[Array, Array, Array, Array]:
    """Both parts (n, pixels) in float32, so that the darkest training pixel is 0 and the brightest is 1."""
    low, high = float(train.min()), float(train.max())
    span = high - low or 1.0
    parts = [part.astype(np.float32) for part in (train, test)]
    for part in parts:
        part -= np.float32(low)
        part /= np.float32(span)
    return parts[0], parts[1], np.array([low]), np.array([span])


# Synthetic problems


def _line(draw: _Draw, *, slope: float, intercept: float, noise: float) -> Problem:
    """Points of a line: y = slope · x + intercept + noise · ε, with x and ε drawn from N(0, 1).

    Neither x nor y is standardised: x is so already, as a distribution, and y stays as it is, for the
    parameters that least squares finds to be comparable with the true slope and intercept. The Hessian of the
    mean squared error is 2 · [[mean x², mean x], [mean x, 1]], close to twice the identity; its minimum comes
    from ``np.linalg.lstsq`` and lies within about noise / √N of the truth.
    """
    assert draw.num_examples is not None
    _, *parts = draw.streams()
    arrays = []
    for rng, size in zip(parts, (draw.num_examples, draw.num_test()), strict=True):
        x, epsilon = rng.standard_normal((size, 2)).T
        arrays += [
            x[:, None].astype(np.float32),
            (slope * x + intercept + noise * epsilon).astype(np.float32),
        ]
    return Problem(
        name="line",
        task="regression",
        x_train=arrays[0],
        y_train=arrays[1],
        x_test=arrays[2],
        y_test=arrays[3],
        feature_names=("x",),
        target_name="y",
        source=f"Drawn here: y = {slope:g} x + {intercept:g} + {noise:g} ε, with x and ε from N(0, 1).",
        licence="CC0 1.0",
    )


def _spirals(draw: _Draw, *, turns: float, noise: float) -> Problem:
    """Two spirals in the plane: class j lies at r (cos φ, sin φ) + noise · N(0, I).

    Here r = 2√u and φ = 2π · turns · √u + jπ with u from U(0, 1). The square root spreads the samples evenly
    over the area. The radius 2 gives each coordinate the mean 0 and, on the average over both, the variance 1
    before the noise: there is nothing left to standardise. The classes are of equal size (one sample more in
    class 0 where N is odd).
    """
    assert draw.num_examples is not None
    _, *parts = draw.streams()
    arrays = []
    for rng, size in zip(parts, (draw.num_examples, draw.num_test()), strict=True):
        label = rng.permutation(np.arange(size) % 2)
        root = np.sqrt(rng.random(size))
        angle = 2 * np.pi * turns * root + np.pi * label
        x = 2 * root[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        x += noise * rng.standard_normal((size, 2))
        arrays += [x.astype(np.float32), label.astype(np.int32)]
    return Problem(
        name="spirals",
        task="classification",
        x_train=arrays[0],
        y_train=arrays[1],
        x_test=arrays[2],
        y_test=arrays[3],
        num_classes=2,
        class_names=("0", "1"),
        class_counts=tuple(np.bincount(arrays[1], minlength=2).tolist()),
        feature_names=("x1", "x2"),
        target_name="spiral",
        source=(
            "Drawn here, after the two-spirals problem of A. Wieland as told by K. Lang and M. Witbrock, "
            "Learning to tell two spirals apart, 1988."
        ),
        licence="CC0 1.0",
    )


def _teacher(draw: _Draw, *, num_features: int, num_classes: int, activation: str) -> Problem:
    """Samples x ~ N(0, I), labelled by a random network with one hidden layer of 32 units.

    The label is argmax_j (z_j - m_j) / s_j of the outputs z = W₂ σ(W₁ x + b), all weights Gaussian; m_j and
    s_j, mean and standard deviation of output j over 10,000 samples more, keep any class from taking all. The
    network depends on the seed and the options alone, so a larger N has the same teacher.
    """
    assert draw.num_examples is not None
    high = min(MAX_EXAMPLES, MAX_NUMBERS // num_features)
    if draw.num_examples > high:
        raise ValueError(
            f"`num_examples` must be an integer in [{MIN_EXAMPLES}, {high}] with {num_features} features; "
            f"received {draw.num_examples}."
        )
    truth, *parts = draw.streams()
    num_hidden = 32
    first = truth.normal(0.0, 2.0 / math.sqrt(num_features), (num_features, num_hidden)).astype(np.float32)
    bias = truth.normal(0.0, 1.0, num_hidden).astype(np.float32)
    second = truth.normal(0.0, 1.0, (num_hidden, num_classes)).astype(np.float32)

    def outputs(x: Array) -> Array:
        hidden = x @ first + bias
        return (np.tanh(hidden) if activation == "tanh" else np.maximum(hidden, 0.0)) @ second

    reference = outputs(truth.standard_normal((10_000, num_features), dtype=np.float32))
    mean, std = reference.mean(axis=0), reference.std(axis=0)
    arrays = []
    for rng, size in zip(parts, (draw.num_examples, draw.num_test()), strict=True):
        x = rng.standard_normal((size, num_features), dtype=np.float32)
        pieces = np.array_split(x, 1 + size // 100_000)  # bounds the memory of the hidden layer
        labels = [((outputs(piece) - mean) / std).argmax(axis=1) for piece in pieces]
        arrays += [x, np.concatenate(labels).astype(np.int32)]
    return Problem(
        name="teacher",
        task="classification",
        x_train=arrays[0],
        y_train=arrays[1],
        x_test=arrays[2],
        y_test=arrays[3],
        num_classes=num_classes,
        class_names=tuple(str(label) for label in range(num_classes)),
        class_counts=tuple(np.bincount(arrays[1], minlength=num_classes).tolist()),
        feature_names=tuple(f"x{column}" for column in range(1, num_features + 1)),
        target_name="label",
        source=(
            f"Drawn here: labels of a random {activation} network, the setting of E. Gardner and B. Derrida, "
            "Three unfinished works on the optimal storage capacity of networks, 1989."
        ),
        licence="CC0 1.0",
    )


# Bundled problems


def _digits(draw: _Draw) -> Problem:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return _split(
        bunch.data,
        bunch.target,
        draw,
        name="digits",
        task="classification",
        class_names=[str(digit) for digit in bunch.target_names],
        feature_names=tuple(bunch.feature_names),
        target_name="digit",
        source=(
            "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
            "Repository, 1998 (its test part, as bundled with scikit-learn)."
        ),
        licence="CC BY 4.0",
        image_shape=(8, 8, 1),
    )


def _diabetes(draw: _Draw) -> Problem:
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return _split(
        bunch.data,
        bunch.target,
        draw,
        name="diabetes",
        task="regression",
        feature_names=tuple(bunch.feature_names),
        target_name="progression",
        units={"age": "years", "bmi": "kg/m²", "bp": "mmHg"},
        source=(
            "B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least Angle Regression, Annals of "
            "Statistics 32, 2004 (as bundled with scikit-learn)."
        ),
        licence="none stated; distributed with scikit-learn (BSD-3-Clause)",
    )


def _breast_cancer(draw: _Draw) -> Problem:
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return _split(
        bunch.data,
        bunch.target,
        draw,
        name="breast_cancer",
        task="classification",
        class_names=[str(name) for name in bunch.target_names],
        feature_names=tuple(str(name).replace(" ", "_") for name in bunch.feature_names),
        target_name="diagnosis",
        source=(
            "W. Wolberg, O. Mangasarian, N. Street and W. Street, Breast Cancer Wisconsin (Diagnostic), UCI "
            "Machine Learning Repository, 1995 (as bundled with scikit-learn)."
        ),
        licence="CC BY 4.0",
    )


def _flights(draw: _Draw) -> Problem:
    """Arrival delay of a flight, from what is known when it leaves the gate.

    Times that run in a circle become sine and cosine. Of each category the most frequent value, or Monday,
    has no column of its own, so that the columns are linearly independent. Carriers with less than 1 % of the
    flights are one category: standardised, a column of so few ones would reach beyond 10.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(FLIGHTS_FILE, read_dictionary=["carrier", "origin"])
    number = {column: table[column].to_numpy() for column in table.column_names if column not in ("carrier", "origin")}
    days_before = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])  # of each month of 2013
    day_of_year = days_before[number["month"] - 1] + number["day"]  # 1..365
    weekday = day_of_year % 7  # January 1, 2013 was a Tuesday, the weekday 1 after Monday 0
    columns: dict[str, Array] = {name: number[name] for name in ("departure_delay", "distance", "scheduled_duration")}
    columns |= _circle("departure_time", number["scheduled_departure"], 1440)
    columns |= _circle("season", day_of_year, 365)
    weekdays = ("tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    columns |= {name: weekday == day for day, name in enumerate(weekdays, start=1)}
    for category in ("origin", "carrier"):
        columns |= _one_column_each(category, table[category].combine_chunks())
    x = np.empty((len(weekday), len(columns)), np.float32)
    for position, column in enumerate(columns.values()):
        x[:, position] = column
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    return _split(
        x,
        number["arrival_delay"].astype(np.float64),
        draw,
        name="flights",
        task="regression",
        feature_names=tuple(columns),
        target_name="arrival_delay",
        units={
            "arrival_delay": "min",
            "departure_delay": "min",
            "distance": "mi",
            "scheduled_duration": "min",
        },
        source=metadata["source"],
        licence=metadata["licence"],
    )


def _circle(name: str, value: Array, period: int) -> dict[str, Array]:
    """Two columns for a quantity that begins anew after each period: 23:59 lies beside 0:00."""
    angle = value * (2 * np.pi / period)
    return {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}


def _one_column_each(category: str, values: Any) -> dict[str, Array]:
    """A column of truth values for each category but the most frequent; those below 1 % share ``_other``.

    Args:
        category: begins the names of the columns.
        values: a ``pyarrow.DictionaryArray``.
    """
    codes, names = values.indices.to_numpy(), values.dictionary.to_pylist()
    counts = np.bincount(codes, minlength=len(names))
    rare = counts < 0.01 * len(codes)
    kept = sorted(set(np.flatnonzero(~rare).tolist()) - {int(counts.argmax())}, key=lambda code: names[code])
    columns = {f"{category}_{names[code]}": codes == code for code in kept}
    return columns | ({f"{category}_other": rare[codes]} if rare.any() else {})


# Downloaded problems


def _california(draw: _Draw) -> Problem:
    import joblib
    from sklearn.datasets import fetch_california_housing, get_data_home

    bunch = _downloaded(
        "california",
        lambda: fetch_california_housing(n_retries=1, delay=0.1),
        lambda: list(Path(get_data_home()).glob("cal_housing*.pkz")),
        joblib.load,
    )
    return _split(
        bunch.data,
        bunch.target,
        draw,
        name="california",
        task="regression",
        feature_names=tuple(bunch.feature_names),
        target_name="MedHouseVal",
        units={
            "MedHouseVal": "100,000 US$",
            "MedInc": "10,000 US$",
            "HouseAge": "years",
            "Latitude": "°",
            "Longitude": "°",
        },
        source=(
            "R. Kelley Pace and R. Barry, Sparse Spatial Autoregressions, Statistics and Probability Letters "
            "33, 1997, from the U.S. census of 1990 (downloaded by scikit-learn)."
        ),
        licence="none stated; data of the U.S. census, public domain",
    )


def _mnist(draw: _Draw) -> Problem:
    import keras

    arrays = _downloaded("mnist", keras.datasets.mnist.load_data)  # Keras checks the sum of this file
    return _images(
        arrays,
        draw,
        name="mnist",
        class_names=[str(digit) for digit in range(10)],
        target_name="digit",
        source=(
            "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied to Document "
            "Recognition, Proceedings of the IEEE 86, 1998 (downloaded by Keras)."
        ),
        licence="CC BY-SA 3.0",
    )


def _fashion_mnist(draw: _Draw) -> Problem:
    import keras

    arrays = _downloaded(
        "fashion_mnist",
        keras.datasets.fashion_mnist.load_data,
        lambda: _keras_files("fashion-mnist/*.gz"),
        _read_to_the_end,
    )
    return _images(
        arrays,
        draw,
        name="fashion_mnist",
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        target_name="article",
        source=(
            "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking "
            "Machine Learning Algorithms, 2017, arXiv 1708.07747 (downloaded by Keras)."
        ),
        licence="MIT",
    )


def _images(arrays: Any, draw: _Draw, **facts: Any) -> Problem:
    """A problem of grey images that come with a test part of their own: ((x, y), (x, y)), x (n, h, w)."""
    (x_train, y_train), (x_test, y_test) = arrays
    size = len(x_train)
    if draw.num_examples is not None:
        size = check_int("num_examples", draw.num_examples, MIN_EXAMPLES, size)
    rows = np.random.default_rng(draw.seed).permutation(len(x_train))[:size]
    height, width = x_train.shape[1:]
    return _scaled(
        x_train[rows].reshape(len(rows), -1),
        y_train[rows],
        x_test.reshape(len(x_test), -1),
        y_test,
        task="classification",
        image_shape=(height, width, 1),
        feature_names=tuple(f"pixel_{row}_{column}" for row in range(height) for column in range(width)),
        **facts,
    )


def _keras_files(pattern: str) -> list[Path]:
    """Files in the folders that Keras keeps data sets in."""
    homes = (os.environ.get("KERAS_HOME", "~/.keras"), f"{tempfile.gettempdir()}/.keras")
    return [path for home in homes for path in (Path(home).expanduser() / "datasets").glob(pattern)]


def _read_to_the_end(path: Path) -> None:
    """Read a gzip file, which ends with a checksum."""
    with gzip.open(path) as file:
        while file.read(2**20):
            pass


_downloads: dict[str, Future] = {}  # those under way, by the name of the problem
_downloads_lock = threading.Lock()  # held while `_downloads` or `_timeouts_before` is looked at
_timeouts_before: list[float | None] = []  # of new sockets; one entry per download under way


def _downloaded(
    name: str,
    fetch: Callable[[], Any],
    cached_files: Callable[[], list[Path]] = list,
    read: Callable[[Path], Any] = Path.read_bytes,
) -> Any:
    """What ``fetch`` returns, from the library's own cache or from the network, or an error in good time.

    The libraries have no time-out: a name server or a host that never answers would hold the caller for good.
    So ``fetch`` runs in a daemon thread, which never keeps the process from ending, with a time-out on its
    sockets, and the caller waits ``DOWNLOAD_SECONDS``. A download that is slow but alive goes on meanwhile,
    and the next call takes part in it: two threads never write one file.

    Args:
        name: of the problem.
        fetch: reads the cached files, and downloads them where they are missing.
        cached_files: where the library keeps the files, as far as they are there and the library does not
            verify them. Those that ``read`` cannot read, left behind by a process that was ended in the
            middle of a download, are removed, and ``fetch`` is called once more.
        read: reads one of these files, or raises an error if it is incomplete.

    Raises:
        DownloadError: if ``fetch`` fails, or has not finished in time.
    """
    with _downloads_lock:
        future = _downloads.get(name)
        if future is None or (future.done() and future.exception()):  # that failed after its caller had gone
            future = _downloads[name] = Future()
            arguments = (future, fetch, cached_files, read, DOWNLOAD_SECONDS)
            threading.Thread(target=_run_download, args=arguments, daemon=True, name=f"download {name}").start()
    wait([future], DOWNLOAD_SECONDS)
    if not future.done():
        raise DownloadError(
            name,
            f"not all has arrived within {DOWNLOAD_SECONDS:g} s; if the network is slow, it goes on arriving: try "
            "again in a minute",
        )
    with _downloads_lock:
        if _downloads.get(name) is future:
            del _downloads[name]
    error = future.exception()
    if error is not None:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DownloadError(name, reason) from error
    return future.result()


def _run_download(
    future: Future,
    fetch: Callable[[], Any],
    cached_files: Callable[[], list[Path]],
    read: Callable[[Path], Any],
    seconds: float,
) -> None:
    """Give ``future`` the result of ``fetch``, or its error."""
    try:
        with _socket_timeout(seconds):
            try:
                result = fetch()
            except Exception:
                if not _remove_unreadable(cached_files(), read):
                    raise
                result = fetch()
    except Exception as error:  # Keras raises plain Exception
        future.set_exception(error)
    else:
        future.set_result(result)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """A time-out for all new sockets that set none of their own: the libraries take no other."""
    with _downloads_lock:
        _timeouts_before.append(_timeouts_before[0] if _timeouts_before else socket.getdefaulttimeout())
        socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        with _downloads_lock:
            before = _timeouts_before.pop()
            if not _timeouts_before:  # the last of several downloads at a time
                socket.setdefaulttimeout(before)


def _remove_unreadable(paths: list[Path], read: Callable[[Path], Any]) -> int:
    """Remove the files that are incomplete, and return their number; a file that can be read stays."""
    num_removed = 0
    for path in paths:
        try:
            read(path)
        except (EOFError, ValueError, zlib.error, gzip.BadGzipFile):
            path.unlink(missing_ok=True)
            num_removed += 1
    return num_removed


_LOADERS: dict[str, Callable[..., Problem]] = {
    "line": _line,
    "spirals": _spirals,
    "teacher": _teacher,
    "digits": _digits,
    "diabetes": _diabetes,
    "breast_cancer": _breast_cancer,
    "flights": _flights,
    "california": _california,
    "mnist": _mnist,
    "fashion_mnist": _fashion_mnist,
}


# One's own data


def _name_of(y: Any) -> Any:
    """The name of a Series; None for what has none."""
    return getattr(y, "name", None) if hasattr(y, "to_numpy") else None


def _own_features(
    x: Any, feature_names: Sequence[str] | None
) -> tuple[Array, tuple[str, ...], tuple[int, int, int] | None]:
    """Check ``x``, and return it as (n, d) float64 with d names and the shape of an image, if it is one."""
    try:
        columns = _as_numbers(x)
    except (TypeError, ValueError) as error:
        received = str(error) if isinstance(error, _NotNumbersError) else type(x).__name__
        raise ValueError(f"`x` must hold numbers alone, in rows of equal length; received {received}.") from None
    if columns.ndim not in (1, 2, 3, 4) or columns.size == 0:
        raise ValueError(f"`x` must have the shape (n,), (n, d), (n, h, w) or (n, h, w, c); received {columns.shape}.")
    if len(columns) < MIN_ROWS:
        raise ValueError(f"`x` must have at least {MIN_ROWS} rows; received {len(columns)}.")
    _check_finite("x", columns)
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
    """Says what came instead of numbers."""


def _as_numbers(x: Any) -> Array:
    """``x`` as float64, missing values as nan; text and dates are not turned into numbers."""
    if hasattr(x, "columns"):  # a DataFrame
        for name, dtype in x.dtypes.items():
            if getattr(dtype, "kind", "O") not in "biuf":
                raise _NotNumbersError(f"text or dates in the column {name!r}")
        return x.to_numpy(dtype=np.float64, na_value=np.nan)
    array = np.asarray(x)
    if array.dtype.kind not in "biufO":
        raise _NotNumbersError(f"an array of {array.dtype}")
    return array.astype(np.float64)


def _own_target(y: Any, size: int) -> Array:
    """Check the shape of ``y``, and return it as an array of numbers, truth values or text."""
    import pandas as pd

    array = np.asarray(y)
    if array.shape != (size,):
        raise ValueError(f"`y` must have the shape ({size},), one value per row of `x`; received {array.shape}.")
    missing = int(pd.isna(array).sum())
    if missing:
        raise ValueError(f"`y` must have no missing value; received {missing}.")
    if array.dtype.kind == "O":
        if all(isinstance(value, bool | np.bool_) for value in array):
            return array.astype(bool)
        if all(isinstance(value, numbers.Real) for value in array):
            return array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        return np.array([str(value) for value in array])
    return array


def _infer_task(target: Array) -> Task:
    """The rule that ``Problem.from_arrays`` states."""
    if target.dtype.kind in "bU":
        return "classification"
    values = np.unique(target)
    whole = np.isfinite(values).all() and (values == np.floor(values)).all()
    return "classification" if whole and len(values) <= min(20, len(target) / 5) else "regression"


def _own_labels(target: Array, test_share: float) -> tuple[Array, tuple[str, ...]]:
    """Labels 0..c-1 in the sorted order of the values, and the values as names."""
    values, labels, counts = np.unique(target, return_inverse=True, return_counts=True)
    whole = target.dtype.kind == "f" and not (values % 1).any()
    names = tuple(str(int(value) if whole else value) for value in values)
    num_test = math.ceil(test_share * len(labels))
    if not 2 <= len(values) <= MAX_CLASSES:
        raise ValueError(f"`y` must have from 2 to {MAX_CLASSES} classes; received {len(values)}.")
    if counts.min() < 2:
        raise ValueError(f"`y` must have at least 2 samples of each class; received 1 of {names[counts.argmin()]!r}.")
    if num_test < len(values):
        raise ValueError(
            f"`test_share` must leave a test sample for each of the {len(values)} classes; received "
            f"{test_share}, which leaves {num_test}."
        )
    return labels, names


def _check_finite(name: str, array: Array) -> None:
    """Say how many values are no finite float32 numbers, if there are any."""
    with np.errstate(invalid="ignore"):
        wrong = int((~(np.abs(array) <= np.finfo(np.float32).max)).sum())
    if wrong:
        raise ValueError(f"`{name}` must hold finite numbers below 3.4e38; received {wrong} other(s).")
