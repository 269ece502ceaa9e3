"""A race drawn, on axes that stand still while it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf import charts
from sgd_tf.charts.curves import default_x_domain
from sgd_tf.charts.style import LIGHT, Domain, Theme
from sgd_tf.training.records import RacePlan
from sgd_tf.training.schedule import FIRST_GAP

MOST_ABOVE = 1e3  # times the loss of the initial weights that the axis of a loss may hold
MOST_BELOW = 1e9  # the same, as a divisor of it
SECONDS = 5.0  # of the empty axis of no race


def race_curves(
    table: pd.DataFrame,
    plan: RacePlan | None,
    *,
    x: charts.Counter,
    y: charts.Metric,
    log: bool,
    is_over: bool = False,
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """What has come of a race, on the axes of the whole race.

    Args:
        table: all records so far, as of `history.to_frame`.
        plan: of the race; None for empty axes of no race.
        x: what is counted.
        y: what is measured.
        log: whether the axes of a loss and of the seconds are logarithmic.
        is_over: whether no record will come: then the axis of the seconds ends at the last one.
        theme: of the page. A compact one has a logarithmic axis for what is counted, if each run has a line on it.

    >>> from sgd_tf.training.history import to_frame
    >>> race_curves(to_frame([]), None, x="seconds", y="train_loss", log=True).to_dict()["title"]["text"]
    'Training loss against training time'
    """
    log_time = log and x == "seconds" and not theme.compact
    log = log and y != "test_accuracy"
    log_x = log_time or (theme.compact and has_lines(table, x, y))
    if log_time:
        domain = time_domain(table, plan, is_over=is_over)
    else:
        domain = default_x_domain(table, x, log=True) if log_x else x_domain(table, plan, x, is_over=is_over)
    target = plan.target if plan and y == plan.target_metric else None
    return charts.curves(
        table,
        x=charts.Axis(x, domain, log=log_x),
        y=charts.Axis(y, y_domain(table, plan, y, log=log), log=log),
        target=None if log and target == 0 else target,
        band=y == "train_loss",
        theme=theme,
    )


def has_lines(table: pd.DataFrame, x: str, y: str) -> bool:
    """Whether each run has a line on a logarithmic axis: two finite records after the start.

    >>> table = pd.DataFrame({"run": ["GD"] * 3, "update": [0, 1, 4], "train_loss": [2.0, 1.0, np.inf]})
    >>> has_lines(table, "update", "train_loss"), has_lines(table.replace(np.inf, 0.5), "update", "train_loss")
    (False, True)
    """
    shown = table[(table[x] > 0) & np.isfinite(table[y])]
    return bool((shown.groupby("run")[x].nunique().reindex(table["run"].unique(), fill_value=0) > 1).all())


def time_domain(table: pd.DataFrame, plan: RacePlan | None, *, is_over: bool) -> Domain:
    """Ends of a logarithmic axis of the seconds: two to three decades, in which a fast arrival has room."""
    high = x_domain(table, plan, "seconds", is_over=is_over)[1]
    return min(FIRST_GAP * (plan.seconds if plan else SECONDS), high / 50), high


def x_domain(table: pd.DataFrame, plan: RacePlan | None, x: str, *, is_over: bool = False) -> Domain:
    """From 0 to the budget, or to the last record; for the other counters to a round number above it."""
    last = 0.0 if table.empty else float(table[x].max())
    if x == "seconds":
        return 0.0, last if is_over and last > 0 else max(last, plan.seconds if plan else SECONDS)
    return 0.0, _round_up(max(1.0, last), (1, 2, 5, 10))


def _round_up(value: float, steps: Sequence[float]) -> float:
    """The next of these steps, times a power of ten: axes that many races share, whose charts are written once."""
    unit = 10 ** math.floor(math.log10(value))
    return float(next(step * unit for step in steps if step * unit >= value))


def y_domain(table: pd.DataFrame, plan: RacePlan | None, y: str, *, log: bool) -> Domain:
    """Fixed at the start of a race by the loss of the initial weights and the target; it follows a loss that leaves it.

    The axis is extended in steps, so that it jumps seldom. Runs that diverged do not count. On a linear axis one run
    inside is enough: a loss that grew would squash the others.
    """
    if y == "test_accuracy":
        return 0.0, 1.0
    has_diverged = table["run"].isin(table.loc[table["diverged_at"].notna(), "run"])
    losses = table.loc[np.isfinite(table[y]) & ~has_diverged, ["run", y]]
    first = float(table[y].iloc[0]) if len(table) else 0.0
    start = _round_up(first, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)) if 0 < first < math.inf else 2.5
    target = plan.target if plan and plan.target and y == plan.target_metric else None
    high = max(start, target if target and target <= MOST_ABOVE * start else 0.0)
    last = losses.drop_duplicates("run", keep="last")[y]
    reached = losses[y].max() if log else last.min()
    if reached > 1.6 * high:
        high = min(_round_up(float(reached), (1, 2, 5, 10)), MOST_ABOVE * high)
    if not log:
        return 0.0, 1.05 * high
    goal = min(target or start / 100, start / 2)
    low = goal / max(1.5, min(1000.0, (start / goal) ** 0.85))
    lowest = losses.loc[losses[y] > 0, y].min()
    if lowest < low:
        low = max(_round_up(float(lowest), (1, 2, 5, 10)) / 2.5, start / MOST_BELOW)
    return low, 1.6 * high
