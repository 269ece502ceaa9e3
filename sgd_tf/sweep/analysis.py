"""What a sweep says: medians over seeds, the fastest k and those as fast, and the verdict on 256, 512 and large k.

Results of runs go in; NumPy, pandas and SciPy do the arithmetic, and no TensorFlow is imported.

The runs of one seed share their initial weights and the order of the samples, whatever k and learning rate are: that
order depends on seed and epoch only. So all that is said of two k compares pairs of runs with the same seed (see
`comparison`). The bands of two k in one picture rise and fall together; they are no independent samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from sgd_tf.sweep.comparison import ALPHA, HIGHER_IS_BETTER, MIN_SEEDS, holm, t_tail
from sgd_tf.sweep.critical_batch_size import Hyperbola, fit_hyperbola
from sgd_tf.sweep.plans import next_to_base
from sgd_tf.sweep.rows import CellResult

Array: TypeAlias = "np.ndarray[Any, Any]"
State = Literal["fastest", "as fast", "slower", "not reached", "diverged", "at the start", "unknown"]
NoAnswer = Literal["not run", "not reached", "diverged", "at the start", "unknown"]

DTYPES: dict[str, str] = {
    "batch_size": "int64",
    "learning_rate": "float64",
    "seed": "int64",
    "num_examples": "int64",
    "updates_to_target": "float64",  # NaN: not reached
    "examples_to_target": "float64",
    "seconds_to_target": "float64",  # by the clock of this run
    "train_loss_after_epochs": "float64",  # NaN: did not come so far, or diverged
    "test_loss_after_epochs": "float64",
    "test_accuracy_after_epochs": "float64",
    "train_loss_after_seconds": "float64",
    "test_loss_after_seconds": "float64",
    "test_accuracy_after_seconds": "float64",
    "examples_per_second": "float64",
    "updates": "int64",  # at the end of the run
    "seconds": "float64",
    "train_loss": "float64",
    "start_loss": "float64",
    "diverged_at": "Int64",
    "wall_seconds": "float64",
}
SLOWER = 1.1  # a k that takes at most a tenth longer is as fast: clocks are no better than that
SLOWER_FEW = 1.25  # the same with one or two seeds, where no test can be made
NUM_RESAMPLES = 1_000  # of the bootstrap


def to_table(rows: Iterable[CellResult]) -> pd.DataFrame:
    """One row for each run, by k, learning rate and seed; a run that is told twice counts once.

    An update with one k takes equally long whatever the learning rate and the seed. So the speed of a k is the median
    over all its runs, and the seconds to the target are the updates to the target times the seconds of an update: what
    else the machine did during one run does not count as slowness of its k.

    Args:
        rows: results of runs.

    Returns:
        the columns of the rows; seconds_per_update, of this k; and steady_seconds_to_target, updates_to_target times
        seconds_per_update.

    >>> to_table([]).shape
    (0, 22)
    """
    rows = list(rows)
    table = pd.DataFrame(
        {name: pd.Series([getattr(row, name) for row in rows], dtype=dtype) for name, dtype in DTYPES.items()}
    )
    keys = ["batch_size", "learning_rate", "seed"]
    table = table.drop_duplicates(keys).sort_values(keys, ignore_index=True)
    own_speed = (table["seconds"] / table["updates"]).where((table["updates"] > 0) & (table["seconds"] > 0))
    speed = own_speed.groupby(table["batch_size"]).transform("median")
    return table.assign(seconds_per_update=speed, steady_seconds_to_target=table["updates_to_target"] * speed)


def choose_rates(table: pd.DataFrame, measure: str) -> dict[int, float]:
    """The best learning rate of each k: the one whose median over the seeds is best.

    Only rates with as many seeds as any other of that k take part: one lucky run does not win. Where no rate has a
    value (the target was never reached), the one with the lowest training loss at its end is taken.

    Args:
        table: of `to_table`.
        measure: one of its columns.

    Returns:
        Learning rate by k.
    """
    chosen = {}
    for k, runs in table.groupby("batch_size"):
        seeds = runs.groupby("learning_rate")["seed"].size()
        full = runs[runs["learning_rate"].isin(seeds.index[seeds == seeds.max()])]
        sign = -1 if measure in HIGHER_IS_BETTER else 1
        prices = full.assign(price=(sign * full[measure]).fillna(math.inf), loss=full["train_loss"].fillna(math.inf))
        medians = prices.groupby("learning_rate")[["price", "loss"]].median()
        chosen[int(k)] = float(medians.sort_values(["price", "loss"], kind="stable").index[0])
    return chosen


def shared_rate(table: pd.DataFrame) -> float:
    """One learning rate for all k: the one with which the k next to 32 takes the fewest updates to the target.

    Args:
        table: of `to_table`, not empty.
    """
    chosen = choose_rates(table, "updates_to_target")
    return chosen[next_to_base(chosen)]


def at_rates(table: pd.DataFrame, rates: Mapping[int, float] | float) -> pd.DataFrame:
    """The runs with one learning rate for each k.

    Args:
        table: of `to_table`.
        rates: by k; or one for all.
    """
    wanted = table["batch_size"].map(rates) if isinstance(rates, Mapping) else rates
    return table[table["learning_rate"] == wanted]


def tuned(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The runs of each k at the learning rate that is best for it by this very measure."""
    return at_rates(table, choose_rates(table, measure))


def at_common_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with those seeds that every k has: pairs. A seed that was not run with one k yet is no failure of it.

    Args:
        runs: with one learning rate for each k.
    """
    num_sizes = runs["batch_size"].nunique()
    return runs[runs.groupby("seed")["batch_size"].transform("nunique") == num_sizes]


def spread(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Median, lowest and highest value over the seeds, for each k.

    A run without a value (it did not reach the target, or diverged) counts as worse than any other. The seeds of one k
    are those of the others: whether two k differ is a question for `compare`, not for the overlap of two bands.

    Args:
        runs: with one learning rate for each k, of `at_rates` or `tuned`.
        measure: a column.

    Returns:
        batch_size, learning_rate, median, low, high (inf, or -inf for an accuracy, where runs have none), num_seeds,
        num_known.
    """
    if runs.empty:
        return pd.DataFrame(columns=["batch_size", "learning_rate", "median", "low", "high", "num_seeds", "num_known"])
    worst = -math.inf if measure in HIGHER_IS_BETTER else math.inf
    groups = runs.assign(value=runs[measure].fillna(worst)).groupby("batch_size")
    return pd.DataFrame(
        {
            "learning_rate": groups["learning_rate"].first(),
            "median": groups["value"].median(),
            "low": groups["value"].min(),
            "high": groups["value"].max(),
            "num_seeds": groups["value"].size(),
            "num_known": groups[measure].count(),
        }
    ).reset_index()


def speed(table: pd.DataFrame) -> pd.DataFrame:
    """Samples per second of each k, over all its runs: the median and the middle half.

    Args:
        table: of `to_table`.

    Returns:
        the columns of `spread`, without a learning rate.
    """
    groups = table.groupby("batch_size")["examples_per_second"]
    return pd.DataFrame(
        {
            "learning_rate": math.nan,
            "median": groups.median(),
            "low": groups.quantile(0.25),
            "high": groups.quantile(0.75),
            "num_seeds": groups.size(),
            "num_known": groups.count(),
        }
    ).reset_index()


def rate_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Every learning rate with every k: what became of its runs, and how it compares with the best rate of its k.

    Args:
        table: of `to_table`.

    Returns:
        batch_size, learning_rate; updates, the median to the target over the seeds (inf: not reached); ratio, updates
        as a multiple of those of the best rate of this k; state: "reached", "not reached", "no better" (the loss
        ended at or above its start) or "diverged", as for most of the seeds; diverged_at, of the first seed that
        diverged, or NA; num_seeds; is_best, of `choose_rates`.
    """
    chosen = choose_rates(table, "updates_to_target")
    cells = []
    for (k, rate), runs in table.groupby(["batch_size", "learning_rate"]):
        updates = float(runs["updates_to_target"].fillna(math.inf).median())
        diverged = runs["diverged_at"].dropna()
        stuck = runs["diverged_at"].notna() | ~(runs["train_loss"] < runs["start_loss"])
        if math.isfinite(updates):
            state = "reached"
        elif 2 * len(diverged) >= len(runs):
            state = "diverged"
        else:
            state = "no better" if 2 * stuck.sum() >= len(runs) else "not reached"
        cells.append(
            {
                "batch_size": k,
                "learning_rate": rate,
                "updates": updates,
                "state": state,
                "diverged_at": diverged.iloc[0] if len(diverged) else None,
                "num_seeds": len(runs),
                "is_best": state == "reached" and chosen[int(k)] == rate,
            }
        )
    columns = ["batch_size", "learning_rate", "updates", "ratio", "state", "diverged_at", "num_seeds", "is_best"]
    if not cells:
        return pd.DataFrame(columns=columns)
    found = pd.DataFrame(cells)
    least = found["updates"].where(found["is_best"]).groupby(found["batch_size"]).transform("min")
    ratio = (found["updates"] / least).mask(found["updates"] == least, 1.0)  # 1, too, where the target holds at once
    return found.assign(ratio=ratio.fillna(math.inf))[columns]


def fit_runs(runs: pd.DataFrame) -> Hyperbola | None:
    """The hyperbola of a sweep, from those batch sizes all of whose runs reached the target; None if these are too few.

    The seeds are those that all these batch sizes have. One that meets the target before the first update is left out.

    Args:
        runs: with one learning rate for each k.
    """
    used = _raced(runs)
    if used["batch_size"].nunique() < 3:
        return None
    return fit_hyperbola(
        used["batch_size"].to_numpy(), used["updates_to_target"].to_numpy(), seeds=used["seed"].to_numpy()
    )


def _raced(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of those k that always reached the target, with common seeds that had a way to go to it."""
    reached = runs.groupby("batch_size")["updates_to_target"].transform(lambda values: values.notna().all())
    used = at_common_seeds(runs[reached.astype(bool)])
    fewest = used.groupby("seed")["updates_to_target"].transform("min")
    return used[fewest > 0]


def seconds_by_size(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Seconds to the target of each k, and whether it is as fast as the fastest: one table for chart, range and CSV.

    Seconds are the steady ones of `to_table`, each k at its best learning rate. Compared are the k that always reached
    the target, with the seeds that all of them have, pair by pair. The fastest has the lowest median. Another k is
    slower if its median is more than a tenth higher; if that is significant over the seeds, by a one-sided paired
    t-test of ln seconds with the correction of S. Holm (1979) for so many tests; and if its median is higher in at
    least 95 % of 1,000 resamples, in each of which the seeds are drawn with replacement, and for each k the runs that
    tell its speed. With one or two seeds no test can be made: then slower is what takes more than a quarter longer.

    Args:
        table: of `to_table`.
        seed: of the resampling.

    Returns:
        one row for each k: the columns of `spread`, over the seeds that are compared, or over all seeds of a k that is
        not compared; ratio, the median as a multiple of the lowest one; p_value, corrected; best_share, the share of
        the resamples in which this k has the lowest median; and state: "fastest", "as fast", "slower"; or, not
        compared, "not reached" by all of its runs, "diverged" (or ended no better than at the start) in all of
        them, "at the start" where the target is met before the first update, "unknown" where no seed is shared.
        NaN where there is no number.
    """
    runs = tuned(table, "updates_to_target")
    raced = _raced(runs)
    seconds = raced.pivot(index="seed", columns="batch_size", values="steady_seconds_to_target")
    seconds = seconds.loc[:, seconds.notna().all()]
    compared = raced[raced["batch_size"].isin(seconds.columns)]
    others = runs[~runs["batch_size"].isin(seconds.columns)]
    measure = "steady_seconds_to_target"
    parts = [spread(part, measure) for part in (compared, others) if len(part)]
    found = pd.concat(parts) if parts else spread(runs, measure)
    found = found.set_index("batch_size").sort_index()
    found = found.assign(ratio=math.nan, p_value=math.nan, best_share=math.nan, state="unknown")
    for k, own in others.groupby("batch_size"):
        found.loc[k, "state"] = _why_not_compared(own)
    if not seconds.empty:
        ratio, p_values, drawn = _against_fastest(table, seconds, np.random.default_rng(seed))
        is_slower = ratio > SLOWER_FEW if len(seconds) < MIN_SEEDS else _is_slower(ratio, p_values, drawn)
        state = np.where(is_slower, "slower", "as fast").astype(object)
        state[int(ratio.argmin())] = "fastest"
        found.loc[seconds.columns, "ratio"] = ratio
        found.loc[seconds.columns, "state"] = state
        if len(drawn):
            shares = np.bincount(drawn.argmin(axis=1), minlength=len(ratio)) / len(drawn)
            found.loc[seconds.columns, "p_value"] = p_values
            found.loc[seconds.columns, "best_share"] = shares
    return found.reset_index()


def _why_not_compared(runs: pd.DataFrame) -> State:
    """The state of a k that takes no part in the comparison."""
    reached = runs["updates_to_target"].notna()
    if reached.all():
        return "at the start" if (runs["updates_to_target"] <= 0).any() else "unknown"
    stuck = runs["diverged_at"].notna() | ~(runs["train_loss"] < runs["start_loss"])
    return "diverged" if (stuck & ~reached).all() else "not reached"


def _against_fastest(
    table: pd.DataFrame, seconds: pd.DataFrame, random: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Each k against the fastest: ratios of the medians, p-values, and ln medians of the resamples.

    Args:
        table: of `to_table`; its runs tell the speeds.
        seconds: (num_seeds, num_sizes) to the target, batch sizes as columns.
        random: of the resampling.

    Returns:
        (num_sizes,) ratios; (num_sizes,) p-values, NaN for the fastest; (NUM_RESAMPLES, num_sizes) logarithms. With
        fewer than three seeds all p-values are NaN, and there are no resamples.
    """
    values = seconds.to_numpy(dtype=np.float64)
    num_seeds, num_sizes = values.shape
    medians = np.median(values, axis=0)
    best = int(medians.argmin())
    p_values, drawn = np.full(num_sizes, math.nan), np.empty((0, num_sizes))
    if num_seeds >= MIN_SEEDS:
        drawn = np.log(np.median(values[random.integers(num_seeds, size=(NUM_RESAMPLES, num_seeds))], axis=1))
        drawn += np.column_stack([_drawn_speed(table[table["batch_size"] == k], random) for k in seconds.columns])
        others = [at for at in range(num_sizes) if at != best]
        pairs = np.log(values) - np.log(values[:, [best]])
        p_values[others] = holm([t_tail(pairs[:, at], float(pairs[:, at].mean())) for at in others])
    return medians / medians[best], p_values, drawn


def _is_slower(ratio: Array, p_values: Array, drawn: Array) -> Array:
    behind = (drawn > drawn[:, [int(ratio.argmin())]]).mean(axis=0)
    return (ratio > SLOWER) & (p_values < ALPHA) & (behind > 1 - ALPHA)


def _drawn_speed(runs: pd.DataFrame, random: np.random.Generator) -> Array:
    """Logarithm of the median seconds per update over runs of one k that are drawn with replacement, less of all."""
    own = np.log((runs["seconds"] / runs["updates"])[(runs["updates"] > 0) & (runs["seconds"] > 0)].to_numpy())
    drawn = own[random.integers(len(own), size=(NUM_RESAMPLES, len(own)))]
    return np.median(drawn, axis=1) - np.median(own)


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """Which batch sizes are the fastest, and how sure that is."""

    best: int  # k with the fewest seconds to the target, in the median over the seeds
    seconds: float  # of that k
    low: int  # smallest k that is not clearly slower
    high: int  # largest one
    left_out: tuple[tuple[int, State], ...]  # k between the two that are not in the range, and why
    slowest: float  # most seconds of a k in the range, as a multiple of those of the best
    share: float  # of resamples of the seeds in which the fastest k is in the range; NaN with fewer than three seeds
    num_seeds: int  # that are compared
    ends_low: bool  # whether the range begins at the smallest k of the sweep
    ends_high: bool  # whether it ends at the largest one


def recommend(table: pd.DataFrame, *, seed: int = 0) -> Recommendation | NoAnswer:
    """The range of k whose seconds to the target are not clearly more than those of the best k: `seconds_by_size`.

    Args:
        table: of `to_table`.
        seed: of the resampling.

    Returns:
        the range; or why there is none: "not run", no run at all; "at the start", the target is met before the first
        update; "diverged", so did all runs, or they ended no better than at the start; "not reached" by any k with
        all its seeds; "unknown", no seed was run with all k.
    """
    return recommended(seconds_by_size(table, seed=seed))


def recommended(sizes: pd.DataFrame) -> Recommendation | NoAnswer:
    """As `recommend`, from a table that is there already.

    Args:
        sizes: of `seconds_by_size`.
    """
    inside = sizes[sizes["state"].isin(["fastest", "as fast"])]
    if inside.empty:
        reasons: tuple[NoAnswer, ...] = ("at the start", "unknown", "not reached", "diverged")
        return next((reason for reason in reasons if (sizes["state"] == reason).any()), "not run")
    best = inside.loc[inside["state"] == "fastest"].iloc[0]
    low, high = int(inside["batch_size"].min()), int(inside["batch_size"].max())
    between = sizes[sizes["batch_size"].between(low, high) & ~sizes.index.isin(inside.index)]
    return Recommendation(
        best=int(best["batch_size"]),
        seconds=float(best["median"]),
        low=low,
        high=high,
        left_out=tuple(zip(between["batch_size"].tolist(), between["state"].tolist(), strict=True)),
        slowest=float(inside["ratio"].max()),
        share=float(inside["best_share"].sum(skipna=False)),
        num_seeds=int(best["num_seeds"]),
        ends_low=bool(low == sizes["batch_size"].min()),
        ends_high=bool(high == sizes["batch_size"].max()),
    )
