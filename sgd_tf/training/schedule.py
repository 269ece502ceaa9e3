"""The schedule of a run: its budget, and the moments at which its progress is recorded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sgd_tf.training.counting import epoch_updates
from sgd_tf.training.records import TrainConfig, check_int

if TYPE_CHECKING:
    from sgd_tf.problems import Problem
    from sgd_tf.training.run import Run

MAX_RECORDS = 80.0  # about, where evaluations are cheap
FIRST_GAP = 1 / 500  # share of the budget
LONGEST_GAP = 1 / 50  # share of the budget
EARLY_GROWTH = 4  # ratio of the updates of successive records within the first gap
EARLY_RECORDS = 8  # within the first gap, about
EARLY_COST = 1 / 200  # share of the budget that an evaluation may take where the first gap has records


class Budget:
    """Limits of a run in epochs, updates and seconds; the first one that is used up ends it."""

    def __init__(
        self,
        problem: Problem,
        config: TrainConfig,
        *,
        epochs: float | None,
        updates: int | None,
        seconds: float | None,
    ) -> None:
        if epochs is None and updates is None and seconds is None:
            raise ValueError("One of `epochs`, `updates` and `seconds` must be given.")
        for name, value in (("epochs", epochs), ("seconds", seconds)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"`{name}` must be a finite number greater than 0; received {value!r}.")
        self.updates: float = math.inf if updates is None else check_int("updates", updates, 1)
        if epochs is not None:
            self.updates = min(self.updates, epoch_updates(problem.num_examples, config.batch_size, epochs))
        self.seconds = math.inf if seconds is None else seconds

    def remains(self, run: Run) -> bool:
        """Whether the run may go on."""
        return run.update < self.updates and run.seconds < self.seconds

    def next_record(self, run: Run) -> tuple[float, float]:
        """(updates, seconds) at which the next record is due."""
        update, second = next_record(run, self.seconds) if math.isfinite(self.seconds) else (math.inf, math.inf)
        if math.isfinite(self.updates):
            update = min(self.updates, update, run.update + max(1, min(run.update // 8, self.updates // 50)))
        return update, second


def next_record(run: Run, seconds: float) -> tuple[float, float]:
    """The moment at which the next record of a run is due: evenly spaced in log time, then in time.

    The first gap is 1/500 of the budget. Gaps grow by an eighth, up to 1/50 of the budget; where evaluations take so
    long that they would cost more than a fifth of the budget, there are fewer of them, in the same proportion. Where
    an evaluation takes less than 1/200 of the budget, the first gap has records after 1, 4, 16, … updates: some runs
    are over before it ends.

    Args:
        run: its clock, its updates and its cost of an evaluation count.
        seconds: budget of the run.

    Returns:
        (updates, seconds), both counted from the start of the run.
    """
    shows_first_gap = run.evaluation_seconds <= seconds * EARLY_COST
    affordable = seconds / 5 / run.evaluation_seconds - (EARLY_RECORDS if shows_first_gap else 0)
    num_records = min(MAX_RECORDS, max(10.0, affordable))
    is_cheap = num_records == MAX_RECORDS
    growth = max(1 / 8, FIRST_GAP ** (-1 / num_records) - 1)
    longest = max(seconds * LONGEST_GAP, 0.0 if is_cheap else 2 * seconds / num_records)
    second = min(seconds, run.seconds + min(max(growth * run.seconds, seconds * FIRST_GAP), longest))
    if shows_first_gap and run.seconds < seconds * FIRST_GAP:
        return max(1, EARLY_GROWTH * run.update), seconds * FIRST_GAP
    return math.inf, second
