"""Facts and options of each problem, known without loading its data."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, Literal

from sgd_tf.checks import check_int
from sgd_tf.problems.splitting import MIN_EXAMPLES, Task
from sgd_tf.words import N_

Kind = Literal["synthetic", "bundled", "download", "own"]

MAX_EXAMPLES = 1_000_000  # largest number of training samples of a synthetic problem


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a problem, such as the noise: a keyword of ``load``."""

    name: str
    default: int | float | str  # an int accepts only integers
    low: float | None = None  # smallest allowed number; None for a choice
    high: float | None = None  # largest
    choices: tuple[str, ...] = ()  # allowed words; empty for a number

    def check(self, value: Any) -> int | float | str:
        """``value`` in the type of the default.

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
    """Facts of a problem with its default options."""

    name: str
    kind: Kind
    task: Task
    num_examples: int  # N, training samples
    num_test: int  # test samples
    num_features: int  # d
    num_classes: int | None = None  # None in a regression
    image_shape: tuple[int, int, int] | None = None  # (height, width, channels)
    min_examples: int = MIN_EXAMPLES  # smallest num_examples of load()
    max_examples: int  # largest
    options: tuple[Option, ...] = ()
    summary: str  # one English sentence, marked with N_
    largest_eigenvalue: float | None = None  # of E[x xᵀ] with a 1 for the bias; known of own problems
    target_loss: float | None = None  # training loss worth racing to, of own problems; None where none is known

    @property
    def is_image(self) -> bool:
        """Whether a sample is an image."""
        return self.image_shape is not None


class Catalogue(dict[str, ProblemInfo]):
    """The problems of the lab by name; a problem that was given is found by its name too, and not counted."""

    def __missing__(self, name: str) -> ProblemInfo:
        """The facts of a given problem."""
        from sgd_tf.problems import given

        problem = given.find(name)
        if problem is None:
            raise KeyError(name)
        return problem.info


_OF_THE_LAB: dict[str, ProblemInfo] = {
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
            summary=N_("Random points that a random neural network has labelled: any number of samples."),
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
CATALOGUE = Catalogue(_OF_THE_LAB)
