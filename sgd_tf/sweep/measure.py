"""The runs of a sweep: train a cell and read its result; the noise scale and the curvature along one run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sgd_tf.sweep import plans
from sgd_tf.sweep.plans import Cell, SweepPlan
from sgd_tf.sweep.rows import CellResult, LandscapePoint, Place
from sgd_tf.training import counting, history
from sgd_tf.training.records import ModelConfig, Progress, TrainConfig, check_int

if TYPE_CHECKING:
    from sgd_tf.problems import Problem
    from sgd_tf.training.models import Model

NUM_RECORDS = 40  # of a run, about: each costs an evaluation
LANDSCAPE_SAMPLES = 8_192  # for per-sample gradients and products with the Hessian, at most

Clock = Callable[[], float]


def sweep(problem: Problem, plan: SweepPlan, *, model: Model | None = None) -> Iterator[CellResult]:
    """Run a whole sweep in this process.

    Args:
        problem: training and test samples; `plan.problem` is only its name.
        plan: the sweep; its batch sizes are at most N.
        model: in place of `plan.model`, as in `race`: a Keras model is copied for each run, and stays as it is.

    Yields:
        The result of each run, as it ends; `analysis.to_table` makes a table of them.

    Raises:
        ValueError: if a batch size is larger than N.

    Example::

        plan = SweepPlan(problem="digits", batch_sizes=(1, 32, 256, 1437), target=0.03, num_seeds=3)
        table = to_table(sweep(load("digits"), plan))
    """
    check_int("batch_sizes", plan.batch_sizes[-1], 1, problem.num_examples)
    plan = replace(plan, num_examples=problem.num_examples)
    model = _copied(model)
    rows: list[CellResult] = []
    while cells := plans.missing_cells(plan, rows):
        for cell in cells:
            start = time.perf_counter()
            records = list(train_cell(problem, plan, cell, model=model))
            rows.append(cell_result(plan, cell, records, wall_seconds=time.perf_counter() - start))
            yield rows[-1]


def train_cell(
    problem: Problem,
    plan: SweepPlan,
    cell: Cell,
    *,
    model: Model | None = None,
    clock: Clock = time.perf_counter,
) -> Iterator[Progress]:
    """Make one run of a sweep.

    It is recorded about 40 times, evenly in the logarithm of the updates, and besides just when its epochs and just
    when its seconds are over. It ends as `SweepPlan` says; a run whose loss is not below its start when epochs and
    seconds are over ends too.

    Args:
        problem: training and test samples.
        plan: target and budgets.
        cell: k, learning rate and seed.
        model: in place of `plan.model`.
        clock: gives seconds; a test may replace it.

    Yields:
        Progress records.
    """
    from sgd_tf.training.run import Run

    config = TrainConfig(batch_size=cell.batch_size, learning_rate=cell.learning_rate, seed=cell.seed)
    budget = counting.epoch_updates(problem.num_examples, config.batch_size, plan.epochs)
    growth = max(1 / 6, (10 * budget) ** (1 / NUM_RECORDS) - 1)
    with Run(problem, config, model=model or plan.model, clock=clock) as run:
        record = first = run.record()
        yield record
        reached = first.train_loss <= plan.target
        while not run.is_over and run.seconds < plan.max_seconds:
            all_told = run.update >= budget and run.seconds >= plan.seconds
            if all_told and (reached or not record.train_loss < first.train_loss):
                break
            update = run.update + max(1, int(growth * run.update))
            update = min(update, budget) if run.update < budget else update
            second = plan.seconds if run.seconds < plan.seconds else plan.max_seconds
            run.advance(update=update, second=second)
            record = run.record()
            yield record
            reached = reached or record.train_loss <= plan.target


def cell_result(plan: SweepPlan, cell: Cell, records: Sequence[Progress], *, wall_seconds: float = 0.0) -> CellResult:
    """What one run gave.

    Where the run reached the target is read by `history.time_to_target`, on the line between two records. Losses after
    the epochs and after the seconds are read on the lines between the records too; these lie close together there.

    Args:
        plan: target and budgets.
        cell: k, learning rate and seed.
        records: of the run, from the first on.
        wall_seconds: duration with compiling and evaluating.
    """
    table = history.to_frame(records)
    (there,) = history.time_to_target(table, plan.target).to_dict("records")
    first, last = records[0], records[-1]
    epochs = counting.epoch_updates(first.num_examples, first.batch_size, plan.epochs)

    def at(metric: str, counter: str, budget: float) -> float | None:
        counts = table[counter].to_numpy(dtype=np.float64)
        is_known = counts[-1] >= budget and last.diverged_at is None
        return _plain(np.interp(budget, counts, table[metric].to_numpy())) if is_known else None

    return CellResult(
        batch_size=cell.batch_size,
        learning_rate=cell.learning_rate,
        seed=cell.seed,
        num_examples=first.num_examples,
        updates_to_target=_plain(there["updates"]),
        examples_to_target=_plain(there["examples"]),
        seconds_to_target=_plain(there["seconds"]),
        train_loss_after_epochs=at("train_loss", "update", epochs),
        test_loss_after_epochs=at("test_loss", "update", epochs),
        test_accuracy_after_epochs=at("test_accuracy", "update", epochs),
        train_loss_after_seconds=at("train_loss", "seconds", plan.seconds),
        test_loss_after_seconds=at("test_loss", "seconds", plan.seconds),
        test_accuracy_after_seconds=at("test_accuracy", "seconds", plan.seconds),
        examples_per_second=last.examples / last.seconds if last.seconds else None,
        updates=last.update,
        seconds=last.seconds,
        train_loss=_plain(last.train_loss) if last.diverged_at is None else None,
        start_loss=first.train_loss,
        diverged_at=last.diverged_at,
        wall_seconds=wall_seconds,
    )


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _copied(model: Model | None) -> Model | None:
    """A model that each run can have for itself."""
    if model is None or isinstance(model, ModelConfig):
        return model
    import keras

    from sgd_tf.training.models import copies_of

    return copies_of(model) if isinstance(model, keras.Model) else model


def landscape(
    problem: Problem, plan: SweepPlan, config: TrainConfig, *, model: Model | None = None
) -> Iterator[LandscapePoint]:
    """Noise scale and largest curvature along one run: what theory predicts for the sweep.

    B = S²/‖g‖², the gradient noise scale (S. McCandlish et al. 2018, arXiv 1812.06162), is a prediction of the
    critical batch size; gradient descent is stable below the learning rate 2/λmax, λmax the largest eigenvalue of the
    Hessian of the training loss. Both change as the run goes on. Per-sample gradients and products with the Hessian are
    taken of 8,192 random samples at most, the gradient g of all.

    Args:
        problem: training and test samples.
        plan: model, target and budgets.
        config: of the run.
        model: in place of `plan.model`, as in `sweep`.

    Yields:
        A point at the start, in the middle (the first record at or below √(start loss · target)) and at the target, as
        far as the run comes.
    """
    from sgd_tf.noise import curvature, gradient_noise
    from sgd_tf.noise.gradients import Gradients
    from sgd_tf.training.run import Run

    N = problem.num_examples
    rows = np.random.default_rng(0).permutation(N)[:LANDSCAPE_SAMPLES]
    weights = None if problem.sample_weight is None else problem.sample_weight[rows]
    part = replace(problem, x_train=problem.x_train[rows], y_train=problem.y_train[rows], sample_weight=weights)
    with Run(problem, config, model=_copied(model) or plan.model) as run:
        of_all, of_part = Gradients(problem, run.model), Gradients(part, run.model)
        record = run.record()
        middle = math.sqrt(max(record.train_loss, plan.target) * plan.target)
        losses: dict[Place, float] = {"start": math.inf, "middle": middle, "target": plan.target}
        for place, loss in losses.items():
            while record.train_loss > loss and run.seconds < plan.max_seconds and not run.is_over:
                run.advance(update=run.update + max(1, run.update // 6), second=plan.max_seconds)
                record = run.record()
            if not record.train_loss <= loss:
                return
            s_squared = gradient_noise.exact_noise(of_part).s_squared
            g = of_all.full()
            top = curvature.largest_eigenvalue(
                of_part.hessian_product, of_part.num_parameters, tolerance=0.01, max_products=100
            )
            yield LandscapePoint(
                place=place,
                train_loss=record.train_loss,
                update=run.update,
                noise_scale=float(s_squared / (g @ g)),
                max_learning_rate=_plain(top.max_learning_rate),
            )
