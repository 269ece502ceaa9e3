"""Tables of a sweep: its runs, the learning rates that are best, and what they took, by batch size.

The runs of one seed share their initial weights and the order of the samples, whatever k and learning rate are: that
order depends on seed and epoch only. So two k are compared by pairs of runs with the same seed (see `comparison`). The
bands of two k in one picture rise and fall together; they are not independent samples.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from sgd_tf.jobs import rows as jobs_rows
from sgd_tf.sweep.critical_batch_size import Hyperbola, fit_hyperbola
from sgd_tf.sweep.plans import next_to_base
from sgd_tf.sweep.rows import CellResult
from sgd_tf.training import over_seeds
from sgd_tf.training.comparison import HIGHER_IS_BETTER

# None becomes NaN: the target was not reached, the epochs were not made, or the run diverged.
DTYPES = {
    field.name: {"int": "int64", "int | None": "Int64"}.get(str(field.type), "float64")
    for field in dataclasses.fields(CellResult)
}


def to_table(rows: Iterable[CellResult]) -> pd.DataFrame:
    """One row for each run, by k, learning rate and seed; a run that is given twice counts once.

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
    keys = ["batch_size", "learning_rate", "seed"]
    table = jobs_rows.table(rows, CellResult).astype(DTYPES)
    table = table.drop_duplicates(keys).sort_values(keys, ignore_index=True)
    own_speed = (table["seconds"] / table["updates"]).where((table["updates"] > 0) & (table["seconds"] > 0))
    speed = own_speed.groupby(table["batch_size"]).transform("median")
    return table.assign(seconds_per_update=speed, steady_seconds_to_target=table["updates_to_target"] * speed)


def choose_rates(table: pd.DataFrame, measure: str) -> dict[int, float]:
    """The best learning rate of each k: the one with the best median over the seeds.

    Only rates with as many seeds as any other of that k take part: one lucky run does not win. Where no rate has a
    value (the target was never reached), the one with the lowest training loss at its end is taken.

    Args:
        table: of `to_table`.
        measure: one of its columns.

    Returns:
        Learning rate by k.
    """
    sign = -1 if measure in HIGHER_IS_BETTER else 1
    prices = table.assign(price=(sign * table[measure]).fillna(math.inf), loss=table["train_loss"].fillna(math.inf))
    groups = prices.groupby(["batch_size", "learning_rate"])
    rates = groups.agg(price=("price", "median"), loss=("loss", "median"), num=("seed", "size")).reset_index()
    full = rates[rates["num"] == rates.groupby("batch_size")["num"].transform("max")]
    best = full.sort_values(["batch_size", "price", "loss"]).drop_duplicates("batch_size")
    return dict(zip(best["batch_size"].tolist(), best["learning_rate"].tolist(), strict=True))


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


def raced(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of those k that always reached the target, with common seeds that had a way to go to it.

    Args:
        runs: with one learning rate for each k.
    """
    reached = runs["updates_to_target"].notna().groupby(runs["batch_size"]).transform("all")
    used = at_common_seeds(runs[reached.astype(bool)])
    return used[used.groupby("seed")["updates_to_target"].transform("min") > 0]


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
    worst = -math.inf if measure in HIGHER_IS_BETTER else math.inf
    bands = over_seeds.band(runs, ["batch_size", "learning_rate"], measure, worst=worst)
    return bands.assign(num_known=bands["num_seeds"] - bands["num_diverged"]).drop(columns="num_diverged")


def speed(table: pd.DataFrame) -> pd.DataFrame:
    """Samples per second of each k, over all its runs: the median and the middle half.

    Args:
        table: of `to_table`.

    Returns:
        the columns of `spread`, without a learning rate.
    """
    groups = table.groupby("batch_size")["examples_per_second"]
    found = groups.agg(median="median", num_seeds="size", num_known="count")
    return found.assign(low=groups.quantile(0.25), high=groups.quantile(0.75), learning_rate=math.nan).reset_index()


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
    cells = (
        table.assign(
            updates=table["updates_to_target"].fillna(math.inf),
            lost=table["diverged_at"].notna(),
            stuck=has_not_learned(table),
        )
        .groupby(["batch_size", "learning_rate"])
        .agg(
            updates=("updates", "median"),
            lost=("lost", "mean"),
            stuck=("stuck", "mean"),
            diverged_at=("diverged_at", "first"),
            num_seeds=("seed", "size"),
        )
        .reset_index()
    )
    states = [np.isfinite(cells["updates"]), cells["lost"] >= 0.5, cells["stuck"] >= 0.5]
    cells["state"] = np.select(states, ["reached", "diverged", "no better"], "not reached").astype(object)
    chosen = cells["batch_size"].map(choose_rates(table, "updates_to_target"))
    cells["is_best"] = (cells["state"] == "reached") & (cells["learning_rate"] == chosen)
    least = cells["updates"].where(cells["is_best"]).groupby(cells["batch_size"]).transform("min")
    ratio = (cells["updates"] / least).mask(cells["updates"] == least, 1.0)  # 1, too, where the target holds at once
    return cells.assign(ratio=ratio.fillna(math.inf)).drop(columns=["lost", "stuck"])


def has_not_learned(runs: pd.DataFrame) -> pd.Series:
    """Whether each run diverged, or ended with a loss no lower than at its start."""
    return runs["diverged_at"].notna() | ~(runs["train_loss"] < runs["start_loss"])


def fit_runs(runs: pd.DataFrame) -> Hyperbola | None:
    """The hyperbola of a sweep, from those batch sizes where every run reached the target; None with fewer than 3.

    The seeds are those that all these batch sizes have. One that meets the target before the first update is left out.

    Args:
        runs: with one learning rate for each k.
    """
    used = raced(runs)
    if used["batch_size"].nunique() < 3:
        return None
    return fit_hyperbola(
        used["batch_size"].to_numpy(), used["updates_to_target"].to_numpy(), seeds=used["seed"].to_numpy()
    )
