"""The trials of a learning-rate search, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.style import Translate, batch_size_color


def learning_rates(
    trials: pd.DataFrame,
    *,
    batch_sizes: Mapping[str, int | Literal["all"]],
    dark: bool = False,
    translate: Translate = str,
    height: int = 260,
) -> alt.LayerChart:
    """Mean loss of each learning rate of a search, one line per contestant; the best of each is marked.

    Args:
        trials: columns run, learning_rate, mean_loss (inf where the trial diverged), one row per trial.
        batch_sizes: of the contestants by name, in the order of the legend.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a layered chart on logarithmic axes; trials that diverged are left out.

    >>> import math
    >>> trials = pd.DataFrame({"run": ["k = 8"] * 2, "learning_rate": [0.1, 1.0], "mean_loss": [0.5, math.inf]})
    >>> learning_rates(trials, batch_sizes={"k = 8": 8}).to_dict()["title"]
    'Mean training loss of a trial against its learning rate'
    """
    _ = translate
    shown = trials[np.isfinite(trials["mean_loss"].astype("float64"))]
    best = shown.sort_values(["mean_loss", "learning_rate"]).drop_duplicates("run")
    colors = [batch_size_color(1 if k == "all" else k, full_batch=k == "all", dark=dark) for k in batch_sizes.values()]
    log = alt.Scale(type="log", nice=False)
    base = alt.Chart(shown).encode(
        x=alt.X("learning_rate:Q", scale=log, title=_("Learning rate"), axis=alt.Axis(grid=False)),
        y=alt.Y("mean_loss:Q", scale=log, title=_("Mean training loss")),
        color=alt.Color(
            "run:N", scale=alt.Scale(domain=list(batch_sizes), range=colors), legend=alt.Legend(title=None)
        ),
        tooltip=[
            alt.Tooltip("run:N", title=_("Run")),
            alt.Tooltip("learning_rate:Q", title=_("Learning rate"), format=".3g"),
            alt.Tooltip("mean_loss:Q", title=_("Mean training loss"), format=".4g"),
        ],
    )
    marks = base.mark_line(point=True), base.mark_point(size=200, strokeWidth=2).properties(data=best)
    return alt.LayerChart(layer=list(marks)).properties(
        title=_("Mean training loss of a trial against its learning rate"), height=height, width="container"
    )
