"""Training part and test part of a problem: which samples they take, and how they are scaled."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sgd_tf.checks import check_int

Task = Literal["classification", "regression"]
Array = np.ndarray

MIN_EXAMPLES = 10  # smallest number of training samples
MIN_TEST, MAX_TEST = 1_000, 10_000  # test samples of a synthetic problem
MIN_TEST_SHARE, MAX_TEST_SHARE = 0.05, 0.5
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Draw:
    """The samples that a problem takes.

    Raises:
        ValueError: if ``test_share`` or ``seed`` is out of range.
    """

    num_examples: int | None  # N; None for all training samples
    test_share: float  # test samples / all samples, in [0.05, 0.5]
    seed: int  # in [0, 2³¹ - 1]

    def __post_init__(self) -> None:
        is_number = isinstance(self.test_share, numbers.Real) and not isinstance(self.test_share, bool)
        if not is_number or not MIN_TEST_SHARE <= self.test_share <= MAX_TEST_SHARE:
            raise ValueError(
                f"`test_share` must be a number in [{MIN_TEST_SHARE}, {MAX_TEST_SHARE}]; received {self.test_share!r}."
            )
        object.__setattr__(self, "test_share", float(self.test_share))
        object.__setattr__(self, "seed", check_int("seed", self.seed, 0, MAX_SEED))

    def num_test(self) -> int:
        """Number of test samples of a synthetic problem."""
        assert self.num_examples is not None
        wanted = round(self.num_examples * self.test_share / (1.0 - self.test_share))
        return min(max(wanted, MIN_TEST), MAX_TEST)

    def streams(self) -> tuple[np.random.Generator, np.random.Generator, np.random.Generator]:
        """Independent generators for the truth, the training part and the test part."""
        truth, train, test = (np.random.default_rng([self.seed, part]) for part in range(3))
        return truth, train, test


def split_rows(y: Array, draw: Draw, task: Task) -> tuple[Array, Array]:
    """Row numbers of the training part and of the test part of n samples.

    A classification has the same shares of classes in both parts. A smaller ``num_examples`` takes the first rows of
    the shuffled training part, so a larger one only adds rows.

    Args:
        y: (n,) labels or targets.
        draw: number of training samples, test share and seed.
        task: "classification" or "regression".

    Raises:
        ValueError: if ``draw.num_examples`` exceeds the training part.
    """
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(len(y)),
        test_size=draw.test_share,
        random_state=draw.seed,
        stratify=y if task == "classification" else None,
    )
    if draw.num_examples is not None:
        train = train[: check_int("num_examples", draw.num_examples, MIN_EXAMPLES, len(train))]
    return train, test


def standardise(train: Array, test: Array) -> tuple[Array, Array, Array, Array]:
    """Standardise both parts by the training part: (value - mean) / std.

    A column that is constant in the training part becomes 0 in both parts: a model cannot learn from it, and without a
    scale its test values could have any size.

    Args:
        train: (n, d) training part.
        test: (m, d) test part.

    Returns:
        Training part and test part in float32, and the means and standard deviations (d,) of the training part.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    scaled_train, scaled_test = scaler.transform(train), scaler.transform(test)
    constant = scaled_train.std(axis=0) < 0.5  # scikit-learn leaves these unscaled; the others have std 1
    scaled_train[:, constant] = 0.0
    scaled_test[:, constant] = 0.0
    with np.errstate(over="ignore"):  # Problem.from_arrays refuses an overflow
        return scaled_train.astype(np.float32), scaled_test.astype(np.float32), scaler.mean_, scaler.scale_


def scale_pixels(train: Array, test: Array) -> tuple[Array, Array]:
    """Both parts (n, pixels) in float32, scaled so that the darkest training pixel is 0 and the brightest is 1."""
    low, high = float(train.min()), float(train.max())
    span = high - low or 1.0
    parts = [part.astype(np.float32) for part in (train, test)]
    for part in parts:
        part -= np.float32(low)
        part /= np.float32(span)
    return parts[0], parts[1]
