"""Several runs on one clock: gradient descent against SGD, or one learning rate against another."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import keras
import numpy as np

from sgd_tf.presets import LEARNING_RATES
from sgd_tf.records import Progress, TrainConfig
from sgd_tf.terminal import show_progress
from sgd_tf.training import Model, Run, next_record_second, train

if TYPE_CHECKING:
    from sgd_tf.problems import Problem


def race(
    problem: Problem,
    configs: Mapping[str, TrainConfig],
    *,
    seconds: float,
    model: Model | None = None,
    progress: bool | None = None,
) -> Iterator[Progress]:
    """Train several contestants side by side until each has trained for the same number of seconds.

    Fair by construction: the contestant whose own training clock is lowest is the next to be advanced, and no
    clock runs while another contestant is advanced, evaluated or compiled.

    Args:
        problem: training and test samples.
        configs: the contestants by name. Give all the same ``seed`` to start them from the same weights.
        seconds: training time of each, greater than 0.
        model: as in `train`; a Keras model is copied for each contestant, and stays as it is.
        progress: whether to show a progress bar; by default on a terminal or in a notebook, not in a pipe.

    Yields:
        Progress records of all contestants, as they come; ``record.run`` is the contestant's name.

    Raises:
        ValueError: if an argument is out of range.

    Example::

        records = race(load("digits"), {"GD": TrainConfig(batch_size="all"), "SGD": TrainConfig()}, seconds=5)
        history = to_frame(records)
    """
    if not configs:
        raise ValueError("`configs` must name at least one contestant; received none.")
    if not 0 < seconds < math.inf:
        raise ValueError(f"`seconds` must be a finite number greater than 0; received {seconds!r}.")
    total = seconds * len(configs)
    return show_progress(_race(problem, configs, seconds, model), total=total, shown=progress)


def _race(
    problem: Problem, configs: Mapping[str, TrainConfig], seconds: float, model: Model | None
) -> Iterator[Progress]:
    if isinstance(model, keras.Model):
        model = _copies_of(model)
    with contextlib.ExitStack() as stack:
        runs = []
        for name, config in configs.items():
            run = stack.enter_context(contextlib.closing(Run(problem, config, name=name, model=model)))
            yield run.record()
            runs.append(run)
        while racing := [run for run in runs if not run.is_over and run.seconds < seconds]:
            run = min(racing, key=lambda run: run.seconds)
            run.advance(until=(math.inf, next_record_second(run, seconds)))
            yield run.record()


def _copies_of(model: keras.Model) -> Callable[..., keras.Model]:
    def copy(problem: Problem, *, seed: int) -> keras.Model:  # noqa: ARG001
        twin = keras.models.clone_model(model)
        twin.set_weights(model.get_weights())
        return twin

    return copy


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one learning rate reached in a search."""

    learning_rate: float
    mean_loss: float  # geometric mean of the training loss on the way, see `mean_loss`; inf if it diverged
    train_loss: float  # over all training samples when the trial's seconds were over; inf if it diverged
    diverged_at: int | None  # update after which the loss was not finite, or None


def try_learning_rates(
    problem: Problem,
    config: TrainConfig,
    *,
    seconds: float = 1.0,
    learning_rates: Iterable[float] = LEARNING_RATES,
    patience: int | None = 2,
    model: Model | None = None,
) -> Iterator[Trial]:
    """Train once with each learning rate, all else equal, each for the same seconds of training.

    From small to large the loss falls until the steps become too long; so the search ends when `patience` rates
    in a row were no better than the best before them.

    Args:
        problem: training and test samples.
        config: batch size, seed, …; its learning rate is not used.
        seconds: training time of each trial, greater than 0.
        learning_rates: to be tried, in this order.
        patience: rates in a row without a gain after which the search ends; None tries all.
        model: as in `race`.

    Yields:
        One trial for each learning rate; `best_trial` picks.

    Raises:
        ValueError: if an argument is out of range.
    """
    if isinstance(model, keras.Model):
        model = _copies_of(model)
    best, num_worse = math.inf, 0
    for learning_rate in learning_rates:
        candidate = replace(config, learning_rate=learning_rate)
        records = list(train(problem, candidate, model=model, seconds=seconds))
        diverged_at = records[-1].diverged_at
        loss = math.inf if diverged_at is not None else mean_loss(records)
        end = math.inf if diverged_at is not None else records[-1].train_loss
        yield Trial(learning_rate=learning_rate, mean_loss=loss, train_loss=end, diverged_at=diverged_at)
        num_worse = 0 if loss < best else num_worse + 1
        best = min(best, loss)
        if patience is not None and num_worse >= patience:
            return


def mean_loss(records: Sequence[Progress]) -> float:
    """Geometric mean of the training loss of a run, evenly in the logarithm of time from 1/50 of it to its end.

    exp(1/ln 50 ∫ ln loss(t) dt/t): a learning rate that is unstable at first pays for it, and so does one that is
    slow, which the loss at the end alone would not tell.

    Args:
        records: of one run, at least two, with finite losses.

    Returns:
        Mean loss; a loss below 1e-12 counts as 1e-12.
    """
    seconds = np.array([record.seconds for record in records])
    losses = np.log(np.maximum([record.train_loss for record in records], 1e-12))
    times = np.geomspace(seconds[-1] / 50, seconds[-1], 200)
    return float(np.exp(np.interp(times, seconds, losses).mean()))


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest mean loss; of equals, the one with the smaller learning rate.

    Raises:
        ValueError: if there is no trial.

    >>> trials = [Trial(learning_rate=r, mean_loss=m, train_loss=m, diverged_at=None) for r, m in [(0.1, 2), (1, 1)]]
    >>> best_trial(trials).learning_rate
    1
    """
    if not trials:
        raise ValueError("`trials` must hold at least one trial; received none.")
    return min(trials, key=lambda trial: (trial.mean_loss, trial.learning_rate))
