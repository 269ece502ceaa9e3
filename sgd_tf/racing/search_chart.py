"""The trials of a learning-rate search, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.frame import filled, finish, structure, table
from sgd_tf.charts.style import LIGHT, Theme


def learning_rates(
    trials: pd.DataFrame, *, batch_sizes: Mapping[str, int | Literal["all"]], theme: Theme = LIGHT
) -> alt.LayerChart:
    """Mean loss of each learning rate of a search, one line per contestant; the best of each is marked.

    Args:
        trials: columns run, learning_rate, mean_loss (inf where the trial diverged), one row per trial.
        batch_sizes: of the contestants by name, in the order of the legend.
        theme: of the page.

    Returns:
        a layered chart on logarithmic axes; trials that diverged are left out.

    >>> import math
    >>> trials = pd.DataFrame({"run": ["k = 8"] * 2, "learning_rate": [0.1, 1.0], "mean_loss": [0.5, math.inf]})
    >>> learning_rates(trials, batch_sizes={"k = 8": 8}).to_dict()["title"]["text"]
    'Mean training loss of a trial against its learning rate'
    """
    shown = trials[np.isfinite(trials["mean_loss"].astype("float64"))]
    best = shown.sort_values(["mean_loss", "learning_rate"]).drop_duplicates("run")
    return filled(_learning_rates(tuple(batch_sizes.items()), theme), trials=shown, best=best)


@structure
def _learning_rates(batch_sizes: tuple[tuple[str, int | Literal["all"]], ...], theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    colors = {name: theme.color_of(1, 1) if k == "all" else theme.color_of(k) for name, k in batch_sizes}
    log = alt.Scale(type="log", nice=False)
    x = alt.X("learning_rate:Q", scale=log, title=_("Learning rate"), axis=alt.Axis(grid=False))
    y = alt.Y("mean_loss:Q", scale=log, title=_("Mean training loss"))
    color_scale = alt.Scale(domain=list(colors), range=list(colors.values()))
    color = alt.Color("run:N", scale=color_scale, legend=alt.Legend(title=None))
    tooltip = [
        alt.Tooltip("run:N", title=_("Run")),
        alt.Tooltip("learning_rate:Q", title=_("Learning rate"), format=".3g"),
        alt.Tooltip("mean_loss:Q", title=_("Mean training loss"), format=".4g"),
    ]
    trials, best = (table(name).encode(x=x, y=y, color=color, tooltip=tooltip) for name in ("trials", "best"))

    # A line through the trials of each contestant, and a large mark at its best.
    lines = trials.mark_line(point=True)
    marks = best.mark_point(size=200, strokeWidth=2)
    return finish([lines, marks], theme, _("Mean training loss of a trial against its learning rate"))
