"""The exercise's data, its initial weights, and its runs, which advance together from epoch to epoch."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sgd_tf.exercise.rows import (
    MODEL,
    NUM_ROWS,
    VALIDATION_SHARE,
    Data,
    EpochLoss,
    ExercisePlan,
    Row,
    Setting,
    TableFacts,
)
from sgd_tf.problems import Problem, load
from sgd_tf.problems.splitting import Draw, split_rows, standardise
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.records import TrainConfig
from sgd_tf.training.run import Run

if TYPE_CHECKING:
    import keras


def housing(data: Data = "california", *, has_validation: bool = False) -> Problem:
    """The table of the exercise: features standardised, house values in 100,000 US$ as they are.

    Args:
        data: "california", all 20,640 districts with 8 features; or "flights", as many flights of the package with 25
            features and a standardised delay.
        has_validation: whether a fifth of the rows is kept back as the test part; then the others set the scale.

    Returns:
        Problem; without a validation part its test part is the training part.

    Raises:
        DownloadError: if California is not there and cannot be downloaded.
    """
    if data == "california":
        problem = load("california")
        x = np.concatenate([problem.x_train, problem.x_test]).astype(np.float64)
        y = np.concatenate([problem.y_train, problem.y_test]) * problem.target_std + problem.target_mean
    else:
        problem = load("flights", num_examples=NUM_ROWS)
        x, y = problem.x_train.astype(np.float64), problem.y_train
    train = test = np.arange(len(x))
    if has_validation:
        train, test = split_rows(y, Draw(None, VALIDATION_SHARE, 0), "regression")
    x_train, x_test, _, _ = standardise(x[train], x[test])
    y = y.astype(np.float32)
    return dataclasses.replace(problem, x_train=x_train, y_train=y[train], x_test=x_test, y_test=y[test])


def use_pytorch_weights(model: keras.Model, seed: int) -> None:
    """Draw weights and biases uniformly from ±1/√(inputs of the layer), as PyTorch's `Linear` does."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.get_weights():
            limit = 1 / math.sqrt(layer.kernel.shape[0])
            layer.set_weights([random.uniform(-limit, limit, part.shape) for part in (layer.kernel, layer.bias)])


def train_all(plan: ExercisePlan) -> Iterator[Row]:
    """Train all settings, seed by seed; rows at the epochs of the plan, of all settings before the next epoch.

    Raises:
        DownloadError: if the data cannot be downloaded.
    """
    problem = housing(plan.data, has_validation=plan.has_validation)
    yield TableFacts(
        num_examples=problem.num_examples,
        num_validation=problem.num_test if plan.has_validation else 0,
        variance=float(np.var(problem.y_train, dtype=np.float64)),
    )
    for seed in plan.seeds:  # one after the other, by the same compiled programs
        with contextlib.ExitStack() as stack:
            runs = [stack.enter_context(_run(problem, plan, setting, seed)) for setting in plan.settings]
            for epoch in plan.epochs:
                for place, (setting, run) in enumerate(zip(plan.settings, runs, strict=True)):
                    if not run.is_over and epoch <= (setting.num_epochs or plan.num_epochs):
                        yield _row(plan, run, place, seed, epoch)


def _run(problem: Problem, plan: ExercisePlan, setting: Setting, seed: int) -> Run:
    """A run with its initial weights."""
    config = TrainConfig(batch_size=setting.batch_size, learning_rate=setting.learning_rate, seed=seed)
    run = Run(problem, config, model=MODEL)
    if plan.weights == "pytorch":
        use_pytorch_weights(run.model, seed)
    return run


def _row(plan: ExercisePlan, run: Run, place: int, seed: int, epoch: int) -> EpochLoss:
    """Train up to the end of an epoch, and evaluate."""
    per_epoch = iterations_per_epoch(run.problem.num_examples, run.batch_size)
    if epoch:
        run.advance(epoch * per_epoch)
    record = run.record()
    losses = record.minibatch_loss[-per_epoch:].astype(np.float64)
    sizes = np.full(len(losses), run.batch_size)
    if len(losses) == per_epoch:
        sizes[-1] = run.problem.num_examples - (per_epoch - 1) * run.batch_size
    is_over = record.diverged_at is not None
    return EpochLoss(
        setting=place,
        seed=seed,
        epoch=epoch,
        seconds=record.seconds,
        mean_loss=None if is_over or not epoch else float(np.average(losses, weights=sizes)),
        train_loss=None if is_over else record.train_loss,
        validation_loss=None if is_over or not plan.has_validation else record.test_loss,
    )
