"""How long two batch sizes take to a target: updates, which no clock changes, times the seconds of an update."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgd_tf.training import history
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.training.run import Run

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

TARGET_SECONDS = 6.0  # of training in which a run may reach its target


@dataclass(frozen=True, kw_only=True)
class Updates:
    """How many updates a run made."""

    number: float  # to the target, on the line between two records; NaN if it diverged
    is_there: bool  # whether the target was reached


def updates_to(
    problem: Problem,
    config: TrainConfig,
    model: ModelConfig,
    target: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[None, None, Updates]:
    """Train to a training loss, for 6 s of training at most.

    Args:
        problem: training and test samples.
        config: k, learning rate and seed.
        model: which model.
        target: training loss to reach.
        clock: gives seconds.

    Yields:
        None after each record, as a sign of life.
    """
    with Run(problem, config, model=model, clock=clock) as run:
        records = [run.record()]
        while records[-1].train_loss > target and not run.is_over and run.seconds < TARGET_SECONDS:
            run.advance(update=run.update + max(1, run.update // 16), second=TARGET_SECONDS)
            records.append(run.record())
            yield None
    (there,) = history.time_to_target(history.to_frame(records), target).to_dict("records")
    if run.is_over:
        return Updates(number=math.nan, is_there=False)
    return Updates(number=there["updates"] if there["reached"] else run.update, is_there=there["reached"])


def time_ratio(one: Updates, other: Updates, one_seconds: float, other_seconds: float) -> float:
    """Seconds of one run to the target as a multiple of those of the other one, from the seconds of an update.

    A run that is not there counts with the updates that it made, if it is behind even so; else there is no number.

    >>> quick, slow = Updates(number=10, is_there=True), Updates(number=40, is_there=False)
    >>> time_ratio(slow, quick, 0.5, 1.0), time_ratio(quick, slow, 0.5, 1.0), time_ratio(slow, quick, 0.1, 1.0)
    (2.0, 0.125, nan)
    """
    ratio = one.number * one_seconds / (other.number * other_seconds) if other.number else math.nan
    is_known = (one.is_there or ratio > 1) and (other.is_there or ratio < 1)
    return ratio if is_known else math.nan


def seconds_per_update(runs: Mapping[int, Run], *, num_turns: int = 5, seconds: float = 0.05) -> dict[int, float]:
    """Seconds of an update of each run: the best of several turns, since other work can only slow one down.

    Args:
        runs: go on for a turn each, one after the other, again and again.
        num_turns: of each run.
        seconds: of training in a turn, about.
    """
    best = dict.fromkeys(runs, math.nan)
    for k in list(runs) * num_turns:
        run, update, start = runs[k], runs[k].update, runs[k].seconds
        run.advance(second=start + seconds)
        if run.update > update:  # it has not diverged
            best[k] = float(np.fmin(best[k], (run.seconds - start) / (run.update - update)))
    return best
