"""Experiments on the memory of an update: the plan of each, and a worker's rows for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sgd_tf.children import Waiting
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.counting import resolve_batch_size
from sgd_tf.training.records import BatchSize, ModelConfig

MEASURED_SHARES = (1 / 32, 1 / 4, 1.0)  # of N: batch sizes that are measured besides the learner's k
PART_SHARES = (4, 16, 64)  # numbers of micro-batches that a minibatch is cut into


@dataclass(frozen=True, kw_only=True)
class Device:
    """What trains, and the memory that it has."""

    kind: Literal["CPU", "GPU"]
    memory: int  # bytes


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Peak memory and time of an update, measured in a process of its own."""

    batch_size: int  # k
    micro_batch_size: int | None  # m; None for the whole minibatch at once
    limit: int | None  # bytes above which the process is ended
    fits: bool  # whether the updates came to their end within the limit
    num_bytes: int  # at the peak; what there was when the process was ended, if it does not fit
    base: int  # bytes resident before the updates, not counted
    seconds: float | None  # of an update; None if it does not fit
    updates: int  # made
    device: Literal["CPU", "GPU"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Distance of the update by micro-batches from the update by the whole minibatch: max |Δ′ − Δ| / max |Δ|."""

    micro_batch_size: int  # m
    batch_norm: bool  # whether each hidden layer is followed by batch normalisation
    difference: float


Row: TypeAlias = Waiting | Measurement | Difference  # of the measuring process


@dataclass(frozen=True, kw_only=True)
class WallPlan:
    """An update under a limit of memory, and measurements with other batch sizes."""

    problem: str  # name for `problems.load`
    model: ModelConfig
    batch_size: BatchSize  # k
    micro_batch_size: int | None  # m; None for the whole minibatch at once
    limit: int  # bytes
    # k of the measurements, each with half of the worker's memory as its limit. Only those are made that the server
    # does not know yet; so plans that differ in nothing else are equal.
    others: tuple[int, ...] = field(compare=False)

    @property
    def num_rows(self) -> int:
        """Number of measurements."""
        return 1 + len(self.others)


def measured_sizes(problem: str) -> tuple[int, ...]:
    """Batch sizes that are measured besides the learner's own.

    >>> measured_sizes("digits")
    (45, 359, 1437)
    """
    return tuple(max(1, round(CATALOGUE[problem].num_examples * share)) for share in MEASURED_SHARES)


def hit_the_wall(plan: WallPlan) -> Iterator[Device | Row]:
    """Rows of `measure.measure`: the learner's update, then those of other batch sizes; the device is the first row."""
    import tensorflow as tf

    from sgd_tf.jobs.worker import memory_limit
    from sgd_tf.memory import measure

    kind: Literal["CPU", "GPU"] = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    yield Device(kind=kind, memory=measure.gpu_memory() or memory_limit())
    most = memory_limit() // 2  # the measuring process has a TensorFlow of its own beside this worker
    own = measure.Trial(batch_size=plan.batch_size, micro_batch_size=plan.micro_batch_size, limit=min(plan.limit, most))
    others = [measure.Trial(batch_size=k, limit=most) for k in plan.others]
    yield from measure.measure(plan.problem, plan.model, [own, *others])


@dataclass(frozen=True, kw_only=True)
class PartsPlan:
    """The same minibatch whole and by micro-batches."""

    problem: str  # name for `problems.load`
    model: ModelConfig
    batch_size: BatchSize  # k

    @property
    def minibatch_size(self) -> int:
        """Number of samples in the minibatch."""
        return resolve_batch_size(CATALOGUE[self.problem].num_examples, self.batch_size)

    @property
    def micro_batch_sizes(self) -> tuple[int, ...]:
        """Micro-batch sizes m, the largest first.

        >>> PartsPlan(problem="digits", model=ModelConfig(), batch_size=1024).micro_batch_sizes
        (256, 64, 16)
        """
        return tuple(dict.fromkeys(max(1, self.minibatch_size // share) for share in PART_SHARES))

    @property
    def num_rows(self) -> int:
        """Number of measurements and comparisons."""
        return 1 + len(self.micro_batch_sizes) * (3 if self.model.kind == "mlp" else 2)


def accumulate(plan: PartsPlan) -> Iterator[Row]:
    """Rows of `measure.measure`: memory and time of the whole minibatch and of each m, then the differences."""
    from sgd_tf.jobs.worker import memory_limit
    from sgd_tf.memory import measure

    k, parts, most = plan.minibatch_size, plan.micro_batch_sizes, memory_limit() // 2
    trials = [measure.Trial(batch_size=k, micro_batch_size=m, limit=most) for m in (None, *parts)]
    comparison = measure.Comparison(batch_size=k, micro_batch_sizes=parts)
    yield from measure.measure(plan.problem, plan.model, trials, comparison=comparison)
