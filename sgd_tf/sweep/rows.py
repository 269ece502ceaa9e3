"""The sweep: a worker's rows for some of its runs, and for the noise scale along one of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sgd_tf import problems
from sgd_tf.sweep.plans import Cell, SweepPlan
from sgd_tf.training.records import TrainConfig

HEARTBEAT_SECONDS = 0.5  # between two signs of life of a long run

Place = Literal["start", "middle", "target"]


@dataclass(frozen=True, kw_only=True)
class CellResult(Cell):
    """One run of a sweep; None for what it did not come to, and for losses of a run that diverged."""

    num_examples: int  # N
    updates_to_target: float | None
    examples_to_target: float | None
    seconds_to_target: float | None  # by the clock of this run
    train_loss_after_epochs: float | None
    test_loss_after_epochs: float | None
    test_accuracy_after_epochs: float | None
    train_loss_after_seconds: float | None
    test_loss_after_seconds: float | None
    test_accuracy_after_seconds: float | None
    examples_per_second: float | None
    updates: int  # at the end of the run
    seconds: float  # of training
    train_loss: float | None  # at the end
    start_loss: float
    diverged_at: int | None
    wall_seconds: float  # with compiling and evaluating


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A sign of life during a long run, so that Stop is heard."""

    updates: int


@dataclass(frozen=True, kw_only=True)
class LandscapePoint:
    """Noise scale and largest curvature at one place of a run."""

    place: Place
    train_loss: float
    update: int
    noise_scale: float  # B = S²/‖g‖², in samples
    max_learning_rate: float | None  # 2/λmax; None where there is no limit

    @property
    def key(self) -> Place:
        """The place, of which a family of plans has one each."""
        return self.place


Rows: TypeAlias = "tuple[CellResult | LandscapePoint, ...]"


def run_cells(plan: SweepPlan, cells: tuple[Cell, ...], seconds: float) -> Iterator[CellResult | Heartbeat]:
    """Make runs of a sweep one after the other, as many as are begun in these seconds.

    Args:
        plan: the sweep.
        cells: the runs, in order.
        seconds: time after which no further run begins; the first is always made.
    """
    from sgd_tf.sweep import measure

    problem = problems.load(plan.problem, num_examples=plan.num_examples)
    begin = time.monotonic()
    for cell in cells:
        start = last = time.monotonic()
        if start - begin > seconds:
            return
        records = []
        for record in measure.train_cell(problem, plan, cell):
            records.append(record)
            if time.monotonic() - last > HEARTBEAT_SECONDS:
                last = time.monotonic()
                yield Heartbeat(updates=record.update)
        yield measure.cell_result(plan, cell, records, wall_seconds=time.monotonic() - start)


def measure_landscape(plan: SweepPlan, config: TrainConfig) -> Iterator[LandscapePoint]:
    """Noise scale and largest curvature along one run of a sweep."""
    from sgd_tf.sweep import measure

    yield from measure.landscape(problems.load(plan.problem, num_examples=plan.num_examples), plan, config)
