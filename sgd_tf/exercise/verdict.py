"""What runs of the exercise say: beside the book's losses, beside each other, and beside the goal of a task."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sgd_tf.exercise.rows import BOOK, EpochLoss, ExercisePlan, Row, TableFacts

NEAR = 0.03  # of a loss, about the spread over seeds at epoch 400
PRINTED = 5e-5  # half a unit of the last digit that the book prints
AT = 400  # epoch of the question
LEARNED = 0.99  # share of the variance that a run must fall below to have learned something
MIN_SEEDS = 3  # to call one k better than another
Nearness = Literal["exact", "near", "far"]


@dataclass(frozen=True, kw_only=True)
class Final:
    """The last rows of one setting, one for each seed that has any."""

    place: int  # in the plan's settings
    rows: tuple[EpochLoss, ...]
    num_stuck: int  # seeds that end no better than the mean of the targets
    num_diverged: int

    @property
    def loss(self) -> float:
        """Training loss in the median over the seeds; inf where half of them diverged."""
        return statistics.median(math.inf if row.train_loss is None else row.train_loss for row in self.rows)

    @property
    def mean_loss(self) -> float | None:
        """Mean of the minibatch losses of the last epoch, in the median over the seeds that have one."""
        return _median([row.mean_loss for row in self.rows])

    @property
    def validation_loss(self) -> float | None:
        """Loss on the rows kept back, in the median over the seeds that have one."""
        return _median([row.validation_loss for row in self.rows])

    @property
    def seconds(self) -> float:
        """Training time, in the median over the seeds."""
        return statistics.median(row.seconds for row in self.rows)

    @property
    def epochs(self) -> int:
        """Epochs that all its seeds have reached."""
        return min(row.epoch for row in self.rows)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def finals(plan: ExercisePlan, rows: Sequence[Row]) -> tuple[Final, ...]:
    """The ends of all settings that have rows after the first update, in the plan's order."""
    variance = next((row.variance for row in rows if isinstance(row, TableFacts)), math.inf)
    last = {(row.setting, row.seed): row for row in rows if isinstance(row, EpochLoss) and row.epoch}
    found = []
    for place in range(len(plan.settings)):
        own = tuple(row for (setting, _seed), row in last.items() if setting == place)
        if own:
            stuck = [row for row in own if row.train_loss is not None and row.train_loss > LEARNED * variance]
            diverged = [row for row in own if row.train_loss is None]
            found.append(Final(place=place, rows=own, num_stuck=len(stuck), num_diverged=len(diverged)))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class BesideBook:
    """Losses of a run at the epochs that the book prints."""

    losses: tuple[tuple[int, float, float], ...]  # epoch, the book's loss, the run's in the median over the seeds
    spread: tuple[float, float] | None  # lowest and highest seed at the last of these epochs; None with one seed
    answer: Nearness | None  # at epoch 400; None where it was not reached
    num_better: int  # of these epochs, those at which the run's loss is lower
    end: Final
    num_planned: int  # epochs of the whole run


def beside_book(plan: ExercisePlan, rows: Sequence[Row]) -> BesideBook | None:
    """The run beside the book, at the epochs that all its seeds have; None before the first epoch.

    Args:
        plan: of one setting.
        rows: of a run, or of its first part.
    """
    ends = finals(plan, rows)
    if not ends:
        return None
    seeds = {row.seed for row in ends[0].rows}
    losses, spread = [], None
    for epoch, printed in BOOK.items():
        own = {
            row.seed: row.mean_loss
            for row in rows
            if isinstance(row, EpochLoss) and row.epoch == epoch and row.mean_loss is not None
        }
        if plan.data == "california" and own and set(own) == seeds:
            losses.append((epoch, printed, statistics.median(own.values())))
            spread = (min(own.values()), max(own.values())) if len(own) > 1 else None
    at = {epoch: abs(own - printed) for epoch, printed, own in losses}.get(AT)
    answer: Nearness | None = None
    if at is not None:
        answer = "exact" if at < PRINTED else "near" if at <= NEAR else "far"
    return BesideBook(
        losses=tuple(losses),
        spread=spread,
        answer=answer,
        num_better=sum(own < printed for _epoch, printed, own in losses),
        end=ends[0],
        num_planned=plan.num_epochs,
    )


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Settings by their training loss after the same epochs."""

    ends: tuple[Final, ...]  # the lowest loss first; only those that are there
    best: int | None  # place of the winner in the plan; None where nothing learned, or nothing can be said
    also: tuple[int, ...]  # places that cannot be told from it
    doubt: Literal["one setting", "few seeds", "nothing learned", "unequal epochs"] | None
    num_examples: int  # N
    num_validation: int


def ranking(plan: ExercisePlan, rows: Sequence[Row]) -> Ranking | None:
    """Which setting ends lowest, and which are too close to tell: those that a seed of the best does not beat.

    Args:
        plan: of several settings.
        rows: of a run, or of its first part.
    """
    ends = sorted(finals(plan, rows), key=lambda end: end.loss)
    facts = next((row for row in rows if isinstance(row, TableFacts)), None)
    if not ends or facts is None:
        return None
    first = ends[0]
    seeds = functools.reduce(set.intersection, [{row.seed for row in end.rows} for end in ends])
    learned = [end for end in ends if end.num_stuck + end.num_diverged < len(end.rows)]
    doubt: Literal["one setting", "few seeds", "nothing learned", "unequal epochs"] | None = None
    if len(ends) < 2:
        doubt = "one setting"
    elif not learned:
        doubt = "nothing learned"
    elif len({end.epochs for end in ends if not end.num_diverged}) > 1:
        doubt = "unequal epochs"
    elif len(seeds) < MIN_SEEDS:
        doubt = "few seeds"
    also = tuple(end.place for end in ends[1:] if not _beats(first, end, seeds))
    return Ranking(
        ends=tuple(ends),
        best=None if doubt else first.place,
        also=() if doubt else also,
        doubt=doubt,
        num_examples=facts.num_examples,
        num_validation=facts.num_validation,
    )


def _beats(one: Final, other: Final, seeds: set[int]) -> bool:
    """Whether one ends lower than the other with each seed."""
    losses = [
        {row.seed: math.inf if row.train_loss is None else row.train_loss for row in end.rows} for end in (one, other)
    ]
    return all(losses[0][seed] < losses[1][seed] for seed in seeds)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A learner's setting beside the goal of a task."""

    loss: float  # of the learner's setting, in the median over the seeds; inf where half of them diverged
    goal: float
    is_reached: bool
    own: Final
    reference: Final


def attempt(plan: ExercisePlan, rows: Sequence[Row], factor: float) -> Attempt | None:
    """Hold the second setting of a plan against the first: its loss must be at most a multiple of the first one's.

    Args:
        plan: of two settings, the reference first.
        rows: of a run; both must have been trained to their ends with each seed, or diverged.
        factor: of the goal.

    Returns:
        None where the run was stopped before.
    """
    ends = finals(plan, rows)
    if len(ends) < 2 or any(not _is_whole(plan, end) for end in ends):
        return None
    reference, own = ends
    goal = factor * reference.loss
    return Attempt(
        loss=own.loss, goal=goal, is_reached=math.isfinite(own.loss) and own.loss <= goal, own=own, reference=reference
    )


def _is_whole(plan: ExercisePlan, end: Final) -> bool:
    planned = plan.settings[end.place].num_epochs or plan.num_epochs
    return len(end.rows) == plan.num_seeds and all(row.train_loss is None or row.epoch == planned for row in end.rows)
