"""The search for a learning rate: a short trial of each rate, all else equal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import keras
import numpy as np

from sgd_tf.racing.race import check_seconds
from sgd_tf.racing.trials import Trial
from sgd_tf.training.models import copies_of
from sgd_tf.training.records import MAX_LEARNING_RATE, TrainConfig, check_int
from sgd_tf.training.run import Model, Run
from sgd_tf.training.tuned_rates import LEARNING_RATES

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

CLEARLY_WORSE = 1.05  # mean loss, as a multiple of the best so far
NUM_MEASURED = 12  # number of measurements of the loss of a trial
MIN_LEARNING_RATE = 1e-6  # smallest rate that a search tries
LEAST_RATIO = 10**0.25  # between neighbouring rates beyond the ends of the given ones


def try_learning_rates(
    problem: Problem,
    config: TrainConfig,
    *,
    seconds: float = 1.0,
    learning_rates: Iterable[float] = LEARNING_RATES,
    patience: int | None = 2,
    model: Model | None = None,
) -> Iterator[Trial]:
    """Train once with each learning rate, all else equal, each for as many updates as these seconds allow.

    The mean loss of a trial is exp(1/n Σ ln loss(u_i)) over n = 12 numbers of updates u_i, evenly spaced in the
    logarithm from 1/50 of the trial to its end. A rate that is unstable at first pays for it, and so does one that is
    slow; the loss at the end would show neither. One k costs the same time per update whatever its learning
    rate, so the comparison does not depend on what else the machine does.

    From small to large the loss falls until the steps become too long; so the search ends when `patience` rates
    in a row were clearly worse than the best before them. If the best is at an end of what was tried, the search goes
    on beyond that end by the mean ratio of the rates (1.8 at least), until a rate is worse than the one before it or a
    limit is reached, 1e-6 or 100. `trials.has_turned` says which.

    Args:
        problem: training and test samples.
        config: batch size, seed, …; its learning rate is not used.
        seconds: training time of the smallest rate's trial, greater than 0; its updates are made by all.
        learning_rates: to be tried, in this order; at least one.
        patience: clearly worse rates in a row after which the search ends; None tries these rates and no others.
        model: as in `race`.

    Yields:
        One trial for each learning rate; `trials.best_trial` picks.

    Raises:
        ValueError: if an argument is out of range.
    """
    configs = [replace(config, learning_rate=rate) for rate in learning_rates]  # checks the rates
    if not configs:
        raise ValueError("`learning_rates` must hold at least one learning rate; received none.")
    check_seconds(seconds)
    if patience is not None:
        check_int("patience", patience, 1)
    if isinstance(model, keras.Model):
        model = copies_of(model)
    return _trials(problem, configs, seconds, patience, model)


def _trials(
    problem: Problem, configs: Sequence[TrainConfig], seconds: float, patience: int | None, model: Model | None
) -> Iterator[Trial]:
    rates = [config.learning_rate for config in configs]
    updates = _measured_at(problem, replace(configs[0], learning_rate=min(rates)), seconds, model)
    trials: list[Trial] = []
    num_worse = 0
    for config in configs:
        trials.append(_try(problem, config, updates, model))
        yield trials[-1]
        is_worse = trials[-1].mean_loss > CLEARLY_WORSE * min(trial.mean_loss for trial in trials)
        num_worse = num_worse + 1 if is_worse else 0
        if patience is not None and num_worse >= patience:
            break
    if patience is None:
        return
    for direction in (1, -1):
        for rate in _beyond(rates, direction):
            end = max(trials, key=lambda trial: direction * trial.learning_rate)
            better = [trial for trial in trials if trial is not end and trial.mean_loss <= end.mean_loss]
            # Where even the smallest rate diverged, one that is smaller still may not.
            if better and not (direction < 0 and math.isinf(end.mean_loss)):
                break
            trials.append(_try(problem, replace(configs[0], learning_rate=rate), updates, model))
            yield trials[-1]


def _beyond(rates: Sequence[float], direction: Literal[1, -1]) -> Iterator[float]:
    """Learning rates beyond the largest or the smallest of these, the last at the limit of what is searched."""
    low, high = min(rates), max(rates)
    ratio = max((high / low) ** (1 / max(1, len(set(rates)) - 1)), LEAST_RATIO)
    end, limit = (high, MAX_LEARNING_RATE) if direction > 0 else (low, MIN_LEARNING_RATE)
    rate = end
    for power in itertools.count(1):
        if direction * (limit - rate) <= 0:
            return
        rate = float(f"{end * ratio ** (direction * power):.2g}")
        if direction * (limit - rate) < 0:
            rate = limit
        yield rate


def _measured_at(problem: Problem, config: TrainConfig, seconds: float, model: Model | None) -> list[int]:
    """Updates at which a trial is measured, evenly in the logarithm, up to as many as are made in these seconds."""
    with Run(problem, config, model=model) as run:
        run.advance(second=seconds)
        return sorted({*np.geomspace(max(1, run.update / 50), run.update, NUM_MEASURED).astype(int).tolist()})


def _try(problem: Problem, config: TrainConfig, updates: Sequence[int], model: Model | None) -> Trial:
    losses = []
    with Run(problem, config, model=model) as run:
        for update in updates:
            run.advance(update=update)
            losses.append(run.record().train_loss)
            if run.diverged_at is not None:
                losses = [math.inf]
                break
        return Trial(
            learning_rate=config.learning_rate,
            mean_loss=math.exp(np.mean(np.log(np.maximum(losses, 1e-12)))),
            train_loss=losses[-1],
            updates=run.update,
            diverged_at=run.diverged_at,
        )
