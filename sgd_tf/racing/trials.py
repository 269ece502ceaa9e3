"""Trials of a search for a learning rate: which rate is best, and whether the search went far enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Result of one learning rate in a search."""

    learning_rate: float
    mean_loss: (
        float  # geometric mean of the training loss on the way, see `search.try_learning_rates`; inf if it diverged
    )
    train_loss: float  # over all training samples after the last update of the trial; inf if it diverged
    updates: int  # parameter updates that were made
    diverged_at: int | None  # update after which the loss was not finite, or None


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
