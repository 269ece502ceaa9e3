"""The verdict of a sweep on "256 or 512 is usually good, beyond about 4,000 it hurts"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from sgd_tf.sweep.analysis import at_common_seeds, at_rates, shared_rate, tuned
from sgd_tf.sweep.comparison import Outcome, compare, outcome

PRACTICAL = (256, 512)  # batch sizes that the book calls usually good
LARGE = 4_000  # batch size beyond which the book expects harm


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a sweep says of "256 or 512 is usually good, beyond about 4,000 it hurts", under one condition."""

    budget: Literal["epochs", "seconds"]  # what all runs had the same of
    rates: Literal["one", "tuned"]  # one learning rate for all k, or the best for each
    learning_rate: float | None  # where it is one for all
    best: int  # k with the lowest test loss, in the geometric mean over the seeds
    practical: int | None  # 256 or 512, whichever is better; None if neither was run
    practical_ratio: float  # its test loss as a multiple of that of the best
    practical_outcome: Outcome
    largest: int | None  # the largest k above it; None if it is the largest itself
    largest_outcome: Outcome
    harm_from: int | None  # the smallest k above it, from which on all are worse than it; None if the largest is not
    large: int | None  # the largest k beyond 4,000; None if none was run
    large_ratio: float  # its test loss as a multiple of that of the practical k
    large_outcome: Outcome


def verdict_c13(table: pd.DataFrame) -> list[Verdict]:
    """Row C13 of the chapter: after the same epochs and the same seconds, at one learning rate and at tuned ones.

    Two batch sizes are compared by the test loss, seed by seed, with the seeds that all k have: "worse" by more than
    5 %, "as good", or "open", by the tests of `comparison.outcome`; a bare majority of the seeds decides nothing. Tuned
    rates are those with the lowest test loss for each k; the one rate is that of `shared_rate`.

    Args:
        table: of `to_table`.

    Returns:
        A verdict for each condition that the sweep has runs for; of rules there is one rate for each k, which counts
        as "one".
    """
    verdicts = []
    if table.empty:
        return []
    rate = shared_rate(table)
    for budget in ("epochs", "seconds"):
        measure = f"test_loss_after_{budget}"
        if table[measure].isna().all():
            continue
        conditions: dict[str, pd.DataFrame] = {"one": at_rates(table, rate), "tuned": tuned(table, measure)}
        if table.groupby("batch_size")["learning_rate"].nunique().max() == 1:
            conditions = {"one": table}
        for rates, runs in conditions.items():
            found = _verdict(runs, measure)
            if found is not None:
                is_one = rates == "one" and runs["learning_rate"].nunique() == 1
                verdicts.append(
                    Verdict(budget=budget, rates=rates, learning_rate=rate if is_one else None, **found)  # type: ignore[arg-type]
                )
    return verdicts


def _verdict(runs: pd.DataFrame, measure: str) -> dict[str, Any] | None:
    by_size = {int(k): group for k, group in at_common_seeds(runs).groupby("batch_size")}
    with np.errstate(divide="ignore"):  # a test loss of 0
        means = {k: float(np.log(group[measure]).mean(skipna=False)) for k, group in by_size.items()}
    known = {k: mean for k, mean in means.items() if not math.isnan(mean)}
    if not known:
        return None
    best = min(known, key=known.__getitem__)
    practical = min((k for k in PRACTICAL if k in means), key=lambda k: known.get(k, math.inf), default=None)
    result: dict[str, Any] = {
        "best": best,
        "practical": practical,
        "practical_ratio": math.nan,
        "practical_outcome": "open",
        "largest": None,
        "largest_outcome": "open",
        "harm_from": None,
        "large": None,
        "large_ratio": math.nan,
        "large_outcome": "open",
    }
    if practical is None:
        return result
    result["practical_ratio"] = _ratio(by_size[practical], by_size[best], measure)
    result["practical_outcome"] = outcome(by_size[practical], by_size[best], measure)
    above = sorted((k for k in by_size if k > practical), reverse=True)
    for k in above:
        found = outcome(by_size[k], by_size[practical], measure)
        if k == above[0]:
            result |= {"largest": k, "largest_outcome": found}
            if k > LARGE:
                ratio = _ratio(by_size[k], by_size[practical], measure)
                result |= {"large": k, "large_ratio": ratio, "large_outcome": found}
        if found != "worse":
            break
        result["harm_from"] = k
    return result


def _ratio(one: pd.DataFrame, other: pd.DataFrame, measure: str) -> float:
    """The first loss as a multiple of the second; NaN where no pair of runs has both."""
    try:
        return compare(one, other, measure).ratio
    except ValueError:
        return math.nan
