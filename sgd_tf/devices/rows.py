"""Experiments on one minibatch over several devices or processes: the plan of each, and a worker's rows for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from sgd_tf.children import Waiting
from sgd_tf.problems import CATALOGUE, given
from sgd_tf.training.records import ModelConfig, TrainConfig, check_int

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class ParallelPlan:
    """A run over several devices, in plain values.

    Raises:
        ValueError: if a field is out of its range.
    """

    problem: str = "digits"  # name for `problems.load`
    num_examples: int | None = None  # N; None for as many as the problem has
    model: ModelConfig = field(default_factory=ModelConfig)
    batch_size: int = 256  # k, of the whole minibatch
    learning_rate: float = 0.1
    num_updates: int = 20
    seed: int = 0  # of the initial weights and of the order of the samples

    def __post_init__(self) -> None:
        if self.problem not in CATALOGUE and given.find(self.problem) is None:
            raise ValueError(f"`problem` must be one of {', '.join(CATALOGUE)}; received {self.problem!r}.")
        if not isinstance(self.model, ModelConfig):
            raise ValueError(f"`model` must be a ModelConfig; received {self.model!r}.")
        info, N = CATALOGUE[self.problem], self.num_examples
        if N is not None:
            check_int("num_examples", N, info.min_examples, info.max_examples)
        if self.model.kind == "cnn" and not info.is_image:
            raise ValueError(f"`model` is a CNN, which needs images; received the problem {self.problem!r}.")
        if self.model.layers is not None:
            raise ValueError(f"`model` must be linear, an MLP or a CNN of the lab; received {self.model!r}.")
        check_int("batch_size", self.batch_size, 1, N or info.num_examples)
        check_int("num_updates", self.num_updates, 1, 100_000)
        TrainConfig(learning_rate=self.learning_rate, seed=self.seed)  # checks them


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How far the start of a process is: TensorFlow is loaded, the devices have found each other, it trains."""

    worker: int  # number of the process
    stage: Literal["tensorflow", "devices", "training"]


@dataclass(frozen=True, kw_only=True)
class Update:
    """One update of the weights."""

    replicas: int  # R
    seed: int
    update: int
    seconds: float  # the first ones of a run are mostly compiling
    loss: float  # of the whole minibatch, before the update
    device: Literal["CPU", "GPU"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one replica does for the first minibatch."""

    indices: list[int]  # samples
    norm: float  # length of their mean gradient; 0 without samples
    along: float  # of `replicas.plane`
    across: float


@dataclass(frozen=True, kw_only=True)
class FirstMinibatch:
    """The first minibatch of a run, by replica."""

    replicas: int  # R
    seed: int
    norm: float  # length of the gradient of all samples
    parts: list[Part]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """All parameters after the last update of a run, in one list."""

    replicas: int  # R
    seed: int
    values: list[float]


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A process was killed."""

    worker: int  # its number


Row: TypeAlias = Waiting | Stage | FirstMinibatch | Update | Lost  # of a run, before its weights


@dataclass(frozen=True, kw_only=True)
class Cores:
    """Number of cores of the machine."""

    num: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Largest difference of any parameter, after the last update, from the lab's own loop on one device."""

    replicas: int  # R
    difference: float


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The processes were ended after the loss of one."""

    worker: int  # number of the process that was lost
    seconds: float  # from the loss until no process is left


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A process was silent for too long or ended unexpectedly; all processes of the run were ended."""

    worker: int  # its number
    is_silent: bool


@dataclass(frozen=True, kw_only=True)
class DevicesPlan:
    """The same run over 1, 2, 4, … devices of one machine."""

    run: ParallelPlan
    largest: int  # R, at most

    @property
    def device_counts(self) -> tuple[int, ...]:
        """R of each run: the powers of two.

        >>> DevicesPlan(run=ParallelPlan(), largest=4).device_counts
        (1, 2, 4)
        """
        return tuple(2**i for i in range(self.largest.bit_length()))

    @property
    def num_updates(self) -> int:
        """Number of updates of all runs."""
        return len(self.device_counts) * self.run.num_updates


def train_over_devices(plan: DevicesPlan) -> Iterator[Cores | Row | Difference | Missing]:
    """Rows of `replicas.over_devices`, each run with its difference in place of its weights."""
    from sgd_tf.devices import replicas

    yield _cores()
    try:
        yield from _compared(plan.run, replicas.over_devices(plan.run, plan.device_counts))
    except replicas.PeerError as error:
        if not error.is_missing:
            raise
        yield Missing(worker=error.index, is_silent=error.status is None)


@dataclass(frozen=True, kw_only=True)
class MachinesPlan:
    """The same run over several processes of one machine, in place of machines."""

    run: ParallelPlan
    num_workers: int
    lose_after: int | None  # update after which the last process is killed; None for never


def train_over_workers(plan: MachinesPlan) -> Iterator[Cores | Row | Difference | Ended | Missing]:
    """Rows of `replicas.over_workers`, with the difference in place of the weights; `Ended` after a loss."""
    from sgd_tf.devices import replicas

    yield _cores()
    lost_at = time.monotonic()
    try:
        rows = replicas.over_workers(plan.run, plan.num_workers, lose_after=plan.lose_after)
        for row in _compared(plan.run, rows):
            if isinstance(row, Lost):
                lost_at = time.monotonic()
            yield row
    except replicas.PeerError as error:
        if plan.lose_after is not None:
            yield Ended(worker=error.index, seconds=time.monotonic() - lost_at)
        elif error.is_missing:
            yield Missing(worker=error.index, is_silent=error.status is None)
        else:
            raise


def _compared(plan: ParallelPlan, rows: Iterator[Row | Weights]) -> Iterator[Row | Difference]:
    """Rows with the difference to one device in place of the weights."""
    import numpy as np

    from sgd_tf.devices import replicas

    expected: np.ndarray | None = None
    for row in rows:
        if isinstance(row, Weights):
            expected = replicas.alone(plan) if expected is None else expected
            difference = float(np.abs(np.array(row.values) - expected).max())
            yield Difference(replicas=row.replicas, difference=difference)
        else:
            yield row


def _cores() -> Cores:
    from sgd_tf.jobs.dask_internals import CPU_COUNT

    return Cores(num=CPU_COUNT)
