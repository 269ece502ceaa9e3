"""Which batch sizes reach the target in the fewest seconds, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from sgd_tf.sweep.analysis import has_not_learned, raced, spread, tuned
from sgd_tf.training.comparison import ALPHA, MIN_SEEDS, holm, t_tail

Array: TypeAlias = "np.ndarray[Any, Any]"
State = Literal["fastest", "as fast", "slower", "not reached", "diverged", "at the start", "unknown"]
NoAnswer = Literal["not run", "not reached", "diverged", "at the start", "unknown"]

SLOWER = 1.1  # a k that takes at most a tenth longer is as fast: clocks are no better than that
SLOWER_FEW = 1.25  # the same with one or two seeds, where no test can be made
NUM_RESAMPLES = 1_000  # of the bootstrap


def seconds_by_size(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Seconds to the target of each k, and whether it is as fast as the fastest: one table for chart, range and CSV.

    Seconds are the steady ones of `to_table`, each k at its best learning rate. Compared are the k that always reached
    the target, with the seeds that all of them have, pair by pair. The fastest has the lowest median. Another k is
    slower if its median is more than a tenth higher; if that is significant over the seeds, by a one-sided paired
    t-test of ln seconds with the correction of S. Holm (1979) for so many tests; and if its median is higher in at
    least 95 % of 1,000 resamples, in each of which the seeds are drawn with replacement, and for each k the runs that
    give its speed. With one or two seeds no test can be made: then slower is what takes more than a quarter longer.

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
    measure = "steady_seconds_to_target"
    runs = tuned(table, "updates_to_target")
    used = raced(runs)
    seconds = used.pivot(index="seed", columns="batch_size", values=measure)
    seconds = seconds.loc[:, seconds.notna().all()]
    is_compared = runs["batch_size"].isin(seconds.columns)
    others = runs[~is_compared]
    parts = [spread(part, measure) for part in (used[used["batch_size"].isin(seconds.columns)], others) if len(part)]
    found = (pd.concat(parts) if parts else spread(runs, measure)).set_index("batch_size").sort_index()
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
    return "diverged" if (has_not_learned(runs) & ~reached).all() else "not reached"


def _against_fastest(
    table: pd.DataFrame, seconds: pd.DataFrame, random: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Each k against the fastest: ratios of the medians, p-values, and ln medians of the resamples.

    Args:
        table: of `to_table`; its runs give the speeds.
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
class Fastest:
    """Which batch sizes are the fastest, and how sure that is."""

    best: int  # k with the fewest seconds to the target, in the median over the seeds
    seconds: float  # of that k
    low: int  # smallest k that is not clearly slower
    high: int  # largest one
    as_fast: tuple[int, ...]  # k that are not clearly slower, without the best
    left_out: tuple[tuple[int, State], ...]  # k between the two ends that are not in the range, and why
    slowest: float  # most seconds of a k in the range, as a multiple of those of the best
    share: float  # of resamples of the seeds in which the fastest k is in the range; NaN with fewer than three seeds
    num_seeds: int  # that are compared
    num_compared: int  # batch sizes that are compared, at least 1
    ends_low: bool  # whether the range begins at the smallest k of the sweep
    ends_high: bool  # whether it ends at the largest one


def fastest(sizes: pd.DataFrame) -> Fastest | NoAnswer:
    """The range of k that take clearly no more seconds to the target than the best k.

    Args:
        sizes: of `seconds_by_size`.

    Returns:
        the range; or why there is none: "not run", no run at all; "at the start", the target is met before the first
        update; "diverged", so did all runs, or they ended no better than at the start; "not reached" by any k with
        all its seeds; "unknown", no seed was run with all k.
    """
    inside = sizes[sizes["state"].isin(["fastest", "as fast"])]
    if inside.empty:
        reasons: tuple[NoAnswer, ...] = ("at the start", "unknown", "not reached", "diverged")
        return next((reason for reason in reasons if (sizes["state"] == reason).any()), "not run")
    best = inside.loc[inside["state"] == "fastest"].iloc[0]
    low, high = int(inside["batch_size"].min()), int(inside["batch_size"].max())
    between = sizes[sizes["batch_size"].between(low, high) & ~sizes.index.isin(inside.index)]
    return Fastest(
        best=int(best["batch_size"]),
        seconds=float(best["median"]),
        low=low,
        high=high,
        as_fast=tuple(inside.loc[inside["state"] == "as fast", "batch_size"].tolist()),
        left_out=tuple(zip(between["batch_size"].tolist(), between["state"].tolist(), strict=True)),
        slowest=float(inside["ratio"].max()),
        share=float(inside["best_share"].sum(skipna=False)),
        num_seeds=int(best["num_seeds"]),
        num_compared=int(sizes["ratio"].notna().sum()),
        ends_low=bool(low == sizes["batch_size"].min()),
        ends_high=bool(high == sizes["batch_size"].max()),
    )
