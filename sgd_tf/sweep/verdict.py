"""What a sweep says: the fastest k, the critical batch size, 256 and 512 beside the best k, and what is missing."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from sgd_tf.sweep import plans
from sgd_tf.sweep.analysis import at_common_seeds, at_rates, fit_runs, shared_rate, to_table, tuned
from sgd_tf.sweep.critical_batch_size import Hyperbola
from sgd_tf.sweep.fastest import Fastest, NoAnswer, fastest, seconds_by_size
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.rows import CellResult, LandscapePoint, Place, Rows
from sgd_tf.training.comparison import Outcome, compare, outcome

USUAL = (256, 512)  # batch sizes that the book calls usually good
LARGE = 4_000  # batch size beyond which the book expects harm
PLAIN = 0.05  # a share of the updates, or of the time of one, that a step must change to explain anything


@dataclass(frozen=True, kw_only=True, eq=False)
class SweepVerdict:
    """What the runs of a sweep say that are known."""

    plan: SweepPlan
    table: pd.DataFrame  # every run, of `to_table`
    sizes: pd.DataFrame  # of `seconds_by_size`
    fastest: Fastest | NoAnswer
    step: Step | None  # from the fastest k to its neighbour, where it explains why that one is slower
    law: Hyperbola | None
    noise: Mapping[Place, LandscapePoint]
    usual: tuple[UsualSizes, ...]  # for each condition that the sweep has runs for
    num_missing: int  # runs that are still to be made, about
    not_run: tuple[int, ...]  # batch sizes without a run


@functools.lru_cache(maxsize=32)
def judge(plan: SweepPlan, rows: Rows) -> SweepVerdict:
    """The verdict on the runs of a sweep.

    Args:
        plan: the sweep.
        rows: all that are known of its family.
    """
    cells = [row for row in rows if isinstance(row, CellResult)]
    table = to_table(plans.rows_of(plan, cells))
    sizes = seconds_by_size(table)
    return SweepVerdict(
        plan=plan,
        table=table,
        sizes=sizes,
        fastest=fastest(sizes),
        step=_step(table, sizes),
        law=fit_runs(tuned(table, "updates_to_target")),
        noise={row.place: row for row in rows if isinstance(row, LandscapePoint)},
        usual=tuple(usual_sizes(table)),
        num_missing=plans.num_missing(plan, cells),
        not_run=tuple(sorted(set(plan.batch_sizes) - set(sizes["batch_size"]))),
    )


@dataclass(frozen=True, kw_only=True)
class Step:
    """From the fastest k to the next larger k of the sweep, or to the next smaller one where there is no larger."""

    k: int
    is_larger: bool
    updates: float  # to the target, as a multiple of those of the fastest k
    seconds: float  # of one update, as a multiple


def _step(table: pd.DataFrame, sizes: pd.DataFrame) -> Step | None:
    """Why the neighbour of the fastest k is slower: fewer updates that take longer, or shorter ones that are more."""
    ratios = sizes.set_index("batch_size")["ratio"].dropna()
    best = sizes.loc[sizes["state"] == "fastest", "batch_size"]
    if len(ratios) < 2:
        return None
    place = ratios.index.get_loc(best.iloc[0])
    is_larger = place + 1 < len(ratios)
    k = ratios.index[place + 1 if is_larger else place - 1]
    speeds = table.groupby("batch_size")["seconds_per_update"].first()
    seconds = float(speeds[k] / speeds[best.iloc[0]])
    updates = float(ratios[k] / seconds)
    fewer, more = (updates, seconds) if is_larger else (seconds, updates)
    is_plain = fewer < 1 - PLAIN and more > 1 + PLAIN
    return Step(k=int(k), is_larger=is_larger, updates=updates, seconds=seconds) if is_plain else None


@dataclass(frozen=True, kw_only=True)
class UsualSizes:
    """What a sweep says of "256 or 512 is usually good, beyond about 4,000 it hurts", under one condition."""

    budget: Literal["epochs", "seconds"]  # what is equal in all runs
    rates: Literal["one", "tuned"]  # one learning rate for all k, or the best for each
    learning_rate: float | None  # where it is one for all
    best: int  # k with the lowest test loss, in the geometric mean over the seeds
    usual: int | None  # 256 or 512, whichever is better; None if neither was run
    usual_ratio: float = math.nan  # its test loss as a multiple of that of the best; NaN where no pair has both
    usual_outcome: Outcome = "open"
    largest: int | None = None  # the largest k above it; None if it is the largest itself
    largest_ratio: float = math.nan  # the test loss of the largest as a multiple of that of the usual k
    largest_outcome: Outcome = "open"
    harm_from: int | None = None  # the smallest k from which on all are worse than it; None if the largest is not

    @property
    def is_large(self) -> bool:
        """Whether a k beyond 4,000 was run beside the usual one."""
        return self.largest is not None and self.largest > LARGE


def usual_sizes(table: pd.DataFrame) -> list[UsualSizes]:
    """256 and 512 after the same epochs and the same seconds, at one learning rate and at tuned ones.

    Two batch sizes are compared by the test loss, seed by seed, with the seeds that all k have: "worse" by more than
    5 %, "as good", or "open", by the tests of `comparison.outcome`; a bare majority of the seeds decides nothing. Tuned
    rates are those with the lowest test loss for each k; the one rate is that of `shared_rate`.

    Args:
        table: of `to_table`.

    Returns:
        One for each condition that the sweep has runs for; of rules there is one rate for each k, which counts as
        "one".
    """
    if table.empty:
        return []
    found = []
    rate = shared_rate(table)
    has_grid = table.groupby("batch_size")["learning_rate"].nunique().max() > 1
    for budget in ("epochs", "seconds"):
        measure = f"test_loss_after_{budget}"
        conditions = {"one": at_rates(table, rate), "tuned": tuned(table, measure)} if has_grid else {"one": table}
        for rates, runs in conditions.items():
            is_one = rates == "one" and runs["learning_rate"].nunique() == 1
            compared = _usual_sizes(runs, measure)
            if compared is not None:
                condition = {"budget": budget, "rates": rates, "learning_rate": rate if is_one else None}
                found.append(UsualSizes(**condition, **compared))  # type: ignore[arg-type]
    return found


def _usual_sizes(runs: pd.DataFrame, measure: str) -> dict[str, object] | None:
    by_size = {int(k): group for k, group in at_common_seeds(runs).groupby("batch_size")}
    with np.errstate(divide="ignore"):  # a test loss of 0
        means = {k: float(np.log(group[measure]).mean(skipna=False)) for k, group in by_size.items()}
    known = {k: mean for k, mean in means.items() if not math.isnan(mean)}
    if not known:
        return None
    best = min(known, key=known.__getitem__)
    usual = min((k for k in USUAL if k in means), key=lambda k: known.get(k, math.inf), default=None)
    found: dict[str, object] = {"best": best, "usual": usual}
    if usual is None:
        return found
    found |= _compared(by_size[usual], by_size[best], measure, "usual")
    above = sorted((k for k in by_size if k > usual), reverse=True)
    if above:
        found |= {"largest": above[0]} | _compared(by_size[above[0]], by_size[usual], measure, "largest")
    for k in above:
        if outcome(by_size[k], by_size[usual], measure) != "worse":
            break
        found["harm_from"] = k
    return found


def _compared(one: pd.DataFrame, other: pd.DataFrame, measure: str, name: str) -> dict[str, object]:
    """How much higher the first loss is, and whether that is worse."""
    try:
        ratio = compare(one, other, measure).ratio
    except ValueError:  # no pair of runs has both
        ratio = math.nan
    return {f"{name}_ratio": ratio, f"{name}_outcome": outcome(one, other, measure)}
