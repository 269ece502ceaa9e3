"""Experiments on how samples are drawn: the plan of each, and a worker's rows for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sgd_tf import problems
from sgd_tf.training.records import SAMPLINGS, SHUFFLERS, Sampling, Shuffler

FLOOR_EXAMPLES, FLOOR_EPOCHS, NUM_FLOOR_RATES = 256, 40, 5
SORTED_EPOCHS, SORTED_RECORDS = 10, 8  # records: measurements per epoch
SORTED_WAYS: tuple[Sampling, ...] = ("in_order", "buffer", "reshuffle")
# The usual k divide N: no last minibatch of another size.
GENIE_EXAMPLES, GENIE_EPOCHS, GENIE_RECORDS = 1_024, 8, 16  # records: measurements per run
GENIE_RATES = (0.5, 0.1)  # learning rates of gradient descent and of SGD


@dataclass(frozen=True, kw_only=True)
class OrdersPlan:
    """The first epochs of all ways to draw."""

    num_examples: int  # N
    buffer_size: int  # b, samples in the shuffle buffer
    seed: int
    num_epochs: int = 10  # drawn at once: a page that moves through them asks no worker again


@dataclass(frozen=True, kw_only=True)
class Orders:
    """One way to draw."""

    sampling: Sampling
    orders: list[int]  # indices of the samples as they were drawn, one epoch after the other


def draw_orders(plan: OrdersPlan) -> Iterator[Orders]:
    """Draw the first epochs in all ways."""
    from sgd_tf.sampling import trials

    for way in SAMPLINGS:
        orders = trials.epoch_orders(
            plan.num_examples, plan.num_epochs, sampling=way, buffer_size=plan.buffer_size, seed=plan.seed
        )
        yield Orders(sampling=way, orders=orders.ravel().tolist())


@dataclass(frozen=True, kw_only=True)
class FloorPlan:
    """The error floor of the straight line, with a new order in each epoch and with replacement."""

    batch_size: int  # k
    num_seeds: int  # runs of each kind

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """Constant rates γ, each half of the one before, in proportion to k: the runs last equally long.

        >>> FloorPlan(batch_size=8, num_seeds=3).learning_rates
        (0.2, 0.1, 0.05, 0.025, 0.0125)
        """
        return tuple(0.025 * self.batch_size / 2**halvings for halvings in range(NUM_FLOOR_RATES))

    @property
    def num_rows(self) -> int:
        """Number of runs."""
        return 2 * NUM_FLOOR_RATES * self.num_seeds


@dataclass(frozen=True, kw_only=True)
class Floor:
    """One run at a constant learning rate."""

    sampling: Sampling
    learning_rate: float
    seed: int
    floor: float  # mean of the distances over the second half of the epochs; inf if the run diverged
    expected: float | None  # exact floor; None unless with replacement
    distances: list[float]  # squared distance to the optimum before the first update and after each epoch


def error_floors(plan: FloorPlan) -> Iterator[Floor]:
    """Rows of `sampling.error_floors` on the straight line."""
    from sgd_tf.sampling import trials

    line = problems.load("line", num_examples=FLOOR_EXAMPLES)
    yield from trials.error_floors(
        line, batch_size=plan.batch_size, learning_rates=plan.learning_rates, seeds=range(plan.num_seeds)
    )


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measurement in a run; the losses are nan from where the run has diverged."""

    epoch: float
    update: int
    examples: int  # samples seen so far
    train_loss: float
    test_accuracy: float


@dataclass(frozen=True, kw_only=True)
class SortedPlan:
    """Digits sorted by class: read in order, through a shuffle buffer, and reshuffled."""

    batch_size: int  # k
    learning_rate: float
    buffer_size: int  # b, samples in the shuffle buffer
    num_seeds: int  # runs of each kind
    num_epochs: int = SORTED_EPOCHS

    @property
    def num_rows(self) -> int:
        """Number of measurements."""
        return len(SORTED_WAYS) * (SORTED_RECORDS * self.num_epochs + 1) * self.num_seeds


@dataclass(frozen=True, kw_only=True)
class SortedMeasurement(Measurement):
    """A measurement on sorted data."""

    sampling: Sampling
    seed: int


def sorted_runs(plan: SortedPlan) -> Iterator[SortedMeasurement]:
    """Rows of `sampling.sorted_runs` on the digits."""
    from sgd_tf.sampling import trials

    yield from trials.sorted_runs(
        problems.load("digits"),
        batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        buffer_size=plan.buffer_size,
        num_epochs=plan.num_epochs,
        seeds=range(plan.num_seeds),
    )


@dataclass(frozen=True, kw_only=True)
class GeniePlan:
    """Digits with r copies of each sample, and without."""

    num_copies: int  # r
    batch_size: int  # k of SGD
    num_seeds: int  # runs of each kind
    num_epochs: int = GENIE_EPOCHS  # over the copies

    @property
    def num_rows(self) -> int:
        """Number of measurements, at most: 2 methods with and without copies."""
        return 2 * 2 * (GENIE_RECORDS + 2) * self.num_seeds


@dataclass(frozen=True, kw_only=True)
class GenieMeasurement(Measurement):
    """A measurement with copies or without."""

    method: Literal["gd", "sgd"]
    copies: int  # 1 or r
    seed: int


@dataclass(frozen=True, kw_only=True)
class CopiesDifference:
    """Largest difference between the weights of gradient descent with copies and without."""

    difference: float
    updates: int  # made before


def genie_runs(plan: GeniePlan) -> Iterator[GenieMeasurement | CopiesDifference]:
    """Rows of `sampling.genie_runs` on the digits; the difference is the last row."""
    from sgd_tf.sampling import trials

    digits = problems.load("digits", num_examples=GENIE_EXAMPLES)
    yield from trials.genie_runs(
        digits,
        num_copies=plan.num_copies,
        batch_size=plan.batch_size,
        num_epochs=plan.num_epochs,
        seeds=range(plan.num_seeds),
    )
    difference = trials.copies_difference(
        digits, plan.num_copies, learning_rate=GENIE_RATES[0], updates=plan.num_epochs
    )
    yield CopiesDifference(difference=difference, updates=plan.num_epochs)


@dataclass(frozen=True, kw_only=True)
class ShufflersPlan:
    """One permutation per epoch beside `Dataset.shuffle(N)`: what they draw, and what an epoch of it costs."""

    seed: int
    num_examples: int = 24  # N of the orders
    num_epochs: int = 1_000  # of the orders
    timed_sizes: tuple[int, ...] = (1_437, 10_000, 60_000)  # N of the times
    batch_size: int = 256  # k of the times
    num_repetitions: int = 5

    @property
    def num_rows(self) -> int:
        """Number of rows of a whole run."""
        return len(SHUFFLERS) * (1 + len(self.timed_sizes) * self.num_repetitions)


@dataclass(frozen=True, kw_only=True)
class ShuffledEpochs:
    """What a shuffler draws."""

    shuffler: Shuffler
    orders: list[list[int]]  # of the first epochs
    are_permutations: bool  # whether each epoch holds each sample once
    positions: float  # p-value: each sample is in each place equally often
    independence: float  # p-value: a place in one epoch says nothing about the place in the next


@dataclass(frozen=True, kw_only=True)
class ShuffleTime:
    """Time to draw an epoch of minibatches."""

    shuffler: Shuffler
    num_examples: int  # N
    repetition: int
    seconds: float


SHOWN_EPOCHS = 8
TIMED_FEATURES = 64


def compare_shufflers(plan: ShufflersPlan) -> Iterator[ShuffledEpochs | ShuffleTime]:
    """The orders of both, then their times: repetitions take turns, so that a slow moment meets both."""
    import numpy as np

    from sgd_tf.sampling import shufflers

    for name in SHUFFLERS:
        drawn = shufflers.epoch_orders(plan.num_examples, plan.num_epochs, shuffler=name, seed=plan.seed)
        yield ShuffledEpochs(
            shuffler=name,
            orders=drawn[:SHOWN_EPOCHS].tolist(),
            are_permutations=bool((np.sort(drawn, axis=1) == np.arange(plan.num_examples)).all()),
            positions=shufflers.uniformity(drawn),
            independence=shufflers.uniformity(shufflers.from_epoch_to_epoch(drawn)),
        )
    for size in plan.timed_sizes:
        problem = problems.load("teacher", num_examples=size, num_features=TIMED_FEATURES)
        draws = {name: shufflers.drawing(problem, plan.batch_size, name) for name in SHUFFLERS}
        for repetition in range(plan.num_repetitions):
            for name, draw in draws.items():
                yield ShuffleTime(shuffler=name, num_examples=size, repetition=repetition, seconds=draw())
