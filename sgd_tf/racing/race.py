"""Several runs on one clock: gradient descent against SGD, or one learning rate against another."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import keras
import numpy as np

from sgd_tf.racing.terminal import show_progress
from sgd_tf.training.records import MAX_LEARNING_RATE, Progress, TrainConfig, check_int
from sgd_tf.training.run import Model, Run
from sgd_tf.training.schedule import next_record
from sgd_tf.training.tuned_rates import LEARNING_RATES

if TYPE_CHECKING:
    from sgd_tf.problems import Problem


CLEARLY_WORSE = 1.05  # mean loss, as a multiple of the best so far
NUM_MEASURED = 12  # how often the loss of a trial is measured
MIN_LEARNING_RATE = 1e-6  # smallest rate that a search tries
LEAST_RATIO = 10**0.25  # between neighbouring rates beyond the ends of what a search was given


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
    _check_seconds(seconds)
    total = seconds * len(configs)
    return show_progress(_race(problem, configs, seconds, model), total=total, shown=progress)


def _check_seconds(seconds: float) -> None:
    if not 0 < seconds < math.inf:
        raise ValueError(f"`seconds` must be a finite number greater than 0; received {seconds!r}.")


def _race(
    problem: Problem, configs: Mapping[str, TrainConfig], seconds: float, model: Model | None
) -> Iterator[Progress]:
    if isinstance(model, keras.Model):
        model = _copies_of(model)
    with contextlib.ExitStack() as stack:
        runs = []
        for name, config in configs.items():
            run = stack.enter_context(Run(problem, config, name=name, model=model))
            yield run.record()
            runs.append(run)
            yield _advanced(run, seconds)  # there is something to see while the next one is compiled
        while racing := [run for run in runs if not run.is_over and run.seconds < seconds]:
            yield _advanced(min(racing, key=lambda run: run.seconds), seconds)


def _advanced(run: Run, seconds: float) -> Progress:
    """Train until the next record of a run is due, and make it."""
    run.advance(*next_record(run, seconds))
    return run.record()


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
    mean_loss: float  # geometric mean of the training loss on the way, see `try_learning_rates`; inf if it diverged
    train_loss: float  # over all training samples after the last update of the trial; inf if it diverged
    updates: int  # parameter updates that were made
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
    """Train once with each learning rate, all else equal, each for as many updates as these seconds allow.

    The mean loss of a trial is exp(1/n Σ ln loss(u_i)) over n = 12 numbers of updates u_i, evenly spaced in the
    logarithm from 1/50 of the trial to its end. A rate that is unstable at first pays for it, and so does one that is
    slow, which the loss at the end alone would not tell. One k costs the same time per update whatever its learning
    rate, so the comparison does not depend on what else the machine does.

    From small to large the loss falls until the steps become too long; so the search ends when `patience` rates
    in a row were clearly worse than the best before them. If the best is at an end of what was tried, the search goes
    on beyond that end by the mean ratio of the rates (1.8 at least), until a rate is worse than the one before it or a
    limit is reached, 1e-6 or 100. `has_turned` says which.

    Args:
        problem: training and test samples.
        config: batch size, seed, …; its learning rate is not used.
        seconds: training time of the smallest rate's trial, greater than 0; its updates are made by all.
        learning_rates: to be tried, in this order; at least one.
        patience: clearly worse rates in a row after which the search ends; None tries these rates and no others.
        model: as in `race`.

    Yields:
        One trial for each learning rate; `best_trial` picks.

    Raises:
        ValueError: if an argument is out of range.
    """
    configs = [replace(config, learning_rate=rate) for rate in learning_rates]  # checks the rates
    if not configs:
        raise ValueError("`learning_rates` must hold at least one learning rate; received none.")
    _check_seconds(seconds)
    if patience is not None:
        check_int("patience", patience, 1)
    if isinstance(model, keras.Model):
        model = _copies_of(model)
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


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest mean loss; of equals, the one with the smaller learning rate.

    Raises:
        ValueError: if there is no trial, or none that did not diverge.

    >>> slow, fast = (
    ...     Trial(learning_rate=rate, mean_loss=loss, train_loss=loss, updates=9, diverged_at=None)
    ...     for rate, loss in [(0.1, 2.0), (1.0, 1.0)]
    ... )
    >>> best_trial([slow, fast]).learning_rate
    1.0
    """
    if not trials:
        raise ValueError("`trials` must hold at least one trial; received none.")
    best = min(trials, key=lambda trial: (trial.mean_loss, trial.learning_rate))
    if not math.isfinite(best.mean_loss):
        raise ValueError(
            f"`trials` must hold one that did not diverge; all {len(trials)} did, the smallest learning rate was "
            f"{best.learning_rate:g}."
        )
    return best


def has_turned(trials: Sequence[Trial]) -> bool:
    """Whether rates on both sides of the best were tried. If not, a smaller or a larger one might be better.

    Raises:
        ValueError: if there is no trial, or none that did not diverge.

    >>> trials = [
    ...     Trial(learning_rate=rate, mean_loss=loss, train_loss=loss, updates=9, diverged_at=None)
    ...     for rate, loss in [(0.1, 2.0), (1.0, 1.0), (10.0, 3.0)]
    ... ]
    >>> has_turned(trials), has_turned(trials[:2])
    (True, False)
    """
    rates = [trial.learning_rate for trial in trials]
    return min(rates) < best_trial(trials).learning_rate < max(rates)
