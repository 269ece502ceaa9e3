"""Contestants of the experiments: the model, a tuned learning rate, a run to its end, and what is read from its record.

Contestants of one seed have the same initial weights and the same order of the samples in each epoch, for every k. So
what compares two k is computed within a seed (a ratio, a difference), and only then looked at over the seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sgd_tf.training import counting, tuned_rates
from sgd_tf.training.records import BatchSize, ModelConfig, Progress, TrainConfig

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Array: TypeAlias = "np.ndarray[Any, Any]"

MLP = ModelConfig(widths=(32,))
LINEAR = ModelConfig(kind="linear", widths=())
SMALL_K = 32  # batch size of SGD, where one k stands for it
MAX_UPDATES = 3_000  # in which a run may reach its target


def candidate_rates(problem: Problem, model: ModelConfig, batch_size: int) -> tuple[float, float]:
    """Learning rates to choose from: the one that a search found for this k, and a third of it, which is safer."""
    rate = tuned(problem, model, batch_size, 0).learning_rate
    return rate / 3, rate


def tuned(problem: Problem, model: ModelConfig, batch_size: int, seed: int) -> TrainConfig:
    """This k with the learning rate that a search found for it."""
    rate = tuned_rates.tuned_learning_rate(problem.name, model.kind, batch_size, problem.num_examples)
    assert rate is not None, problem.name
    return TrainConfig(batch_size=batch_size, learning_rate=rate, seed=seed)


def end(
    problem: Problem, config: TrainConfig, model: ModelConfig, *, epochs: int | None = None, updates: int | None = None
) -> tuple[Progress, Array]:
    """The record at the end of a run, and its (P,) weights."""
    from sgd_tf.training.run import Run
    from sgd_tf.training.vectors import get_weights

    k: BatchSize = config.batch_size
    num = updates if updates is not None else counting.num_updates(problem.num_examples, k, epochs or 0)
    with Run(problem, config, model=model) as run:
        run.advance(update=num)
        return run.record(), get_weights(run.model)


def accuracy_at(problem: Problem, config: TrainConfig, model: ModelConfig, target: float) -> float:
    """Test accuracy at the first record whose training loss is at the target; NaN if 3,000 updates do not reach it."""
    from sgd_tf.training.run import Run

    with Run(problem, config, model=model) as run:
        step = 4 if run.batch_size < problem.num_examples else 8
        while not run.is_over and run.update < MAX_UPDATES:
            run.advance(update=run.update + step)
            record = run.record()
            if record.train_loss <= target:
                return accuracy_of(record)
    return math.nan


def loss_of(record: Progress) -> float:
    """Training loss; NaN of a run that has diverged."""
    return record.train_loss if record.diverged_at is None and record.is_finite else math.nan


def accuracy_of(record: Progress) -> float:
    """Test accuracy; NaN of a run that has diverged."""
    return record.test_accuracy if record.test_accuracy is not None and math.isfinite(loss_of(record)) else math.nan


def price(values: Sequence[float], *, sign: int = 1) -> tuple[int, float]:
    """What chooses between learning rates or batch sizes: fewest runs without a number, then the lowest median.

    >>> price([3.0, math.nan, 1.0]), price([0.9, 0.8, 0.7], sign=-1)
    ((1, 2.0), (0, -0.8))
    """
    known = [sign * value for value in values if math.isfinite(value)]
    return len(values) - len(known), float(np.median(known)) if known else math.inf


def difference(one: Array, other: Array) -> float:
    """The largest difference between two weights."""
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).max())
