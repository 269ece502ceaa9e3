"""Seconds per epoch against k: a line for each way, with the range of its rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes, labels
from sgd_tf.charts.axes import Axis
from sgd_tf.charts.frame import filled, finish, structure, table
from sgd_tf.charts.style import LIGHT, Theme
from sgd_tf.step_cost.rows import Way

# One hue for model.fit, one for own loops, one for the lab's; at least 4.5 to 1 on the background.
COLORS: dict[bool, dict[Way, str]] = {
    False: {
        "fit": "#1F5FBF",
        "several_steps": "#1F5FBF",
        "xla": "#1F5FBF",
        "python": "#B3261E",
        "graphs": "#B3261E",
        "epoch_graphs": "#B3261E",
        "compiled": "#00706B",
    },
    True: {
        "fit": "#7DB4FF",
        "several_steps": "#7DB4FF",
        "xla": "#7DB4FF",
        "python": "#FF8A80",
        "graphs": "#FF8A80",
        "epoch_graphs": "#FF8A80",
        "compiled": "#4FD1C5",
    },
}
DASHES: dict[Way, list[int]] = {
    "fit": [1, 0],
    "several_steps": [7, 3],
    "xla": [2, 3],
    "python": [1, 0],
    "graphs": [7, 3],
    "epoch_graphs": [2, 3],
    "compiled": [1, 0],
}
AXES_HEIGHT = 96  # px that title, axis and margins take from a chart's height
SECONDS = (2e-4, 5.0)  # ends of the vertical axis, at least


def seconds_per_epoch(
    times: pd.DataFrame, *, names: Mapping[Way, str], batch_sizes: tuple[int, ...], theme: Theme = LIGHT
) -> alt.LayerChart:
    """Median over the rounds on logarithmic axes, with the range from the fastest to the slowest round.

    Args:
        times: a row per measurement: way, batch_size, seconds.
        names: of the ways, in the reader's language.
        batch_sizes: of the whole run; they fix the horizontal axis.
        theme: of the page.

    >>> times = pd.DataFrame({"way": ["fit", "fit"], "batch_size": [8, 8], "seconds": [0.1, 0.2]})
    >>> seconds_per_epoch(times, names={"fit": "model.fit"}, batch_sizes=(8, 64)).to_dict()["title"]["text"]
    'Time of an epoch against k'
    """
    grouped = times.groupby(["way", "batch_size"], sort=False)["seconds"]
    bands = grouped.agg(median="median", low="min", high="max", rounds="count").reset_index()
    bands["label"] = bands["way"].map(dict(names))
    low, high = SECONDS
    if not bands.empty:
        low, high = min(low, bands["low"].min() / 1.5), max(high, bands["high"].max() * 1.5)
    y = Axis("median", (low, high), log=True)
    x = Axis("batch_size", (batch_sizes[0] / 1.3, batch_sizes[-1] * 1.3), log=True)
    ends = bands.sort_values("batch_size").drop_duplicates("way", keep="last")
    shares = x.share(ends["batch_size"].to_numpy(dtype=np.float64))
    ends = labels.at_ends(ends.assign(y=ends["median"]), y, shares, length=theme.height - AXES_HEIGHT)
    return filled(_seconds(tuple(names.items()), batch_sizes, x, y, theme), bands=bands, ends=ends)


@structure
def _seconds(
    names: tuple[tuple[Way, str], ...], batch_sizes: tuple[int, ...], x_axis: Axis, y_axis: Axis, theme: Theme
) -> alt.LayerChart:
    _ = theme.translate
    ticks = alt.Axis(title=_("Batch size k"), values=batch_sizes, format=",d", grid=False, labelOverlap=True)
    x = alt.X("batch_size:Q", scale=x_axis.scale(), axis=ticks)
    seconds = alt.Axis(title=_("Time of an epoch (s)"), values=axes.log_ticks(y_axis.ends), format="~g")
    y, low, label_y = axes.fields(alt.Y, "median", "low", "label_y", scale=y_axis.scale(), axis=seconds)
    ways = [way for way, _name in names]
    color = axes.look(alt.Color, "way", {way: theme.of(COLORS)[way] for way in ways})
    dash = axes.look(alt.StrokeDash, "way", {way: DASHES[way] for way in ways})
    bands = table("bands").encode(x=x, color=color)

    # From the fastest to the slowest round.
    spread = bands.mark_rule(opacity=0.45, strokeWidth=3, tooltip=None, aria=False).encode(y=low, y2="high:Q")
    # The median of the rounds.
    line = bands.mark_line(strokeWidth=2.2, tooltip=None, aria=False).encode(y=y, strokeDash=dash)
    tooltip: list[Any] = [
        alt.Tooltip("label:N", title=_("Loop")),
        alt.Tooltip("batch_size:Q", title=_("Batch size k"), format=",d"),
        alt.Tooltip("median:Q", title=_("Median (s)"), format=".3g"),
        alt.Tooltip("low:Q", title=_("Fastest round (s)"), format=".3g"),
        alt.Tooltip("high:Q", title=_("Slowest round (s)"), format=".3g"),
        alt.Tooltip("rounds:Q", title=_("Rounds"), format="d"),
    ]
    points = bands.mark_circle(size=46, opacity=1).encode(y=y, tooltip=tooltip)
    # The name of each way at the end of its line.
    ends = table("ends").encode(x=x, y=label_y)
    title = _("Time of an epoch against k"), _("Median of the rounds; bars from the fastest to the slowest")
    layers = [spread, line, points, *labels.names(ends, [name for _way, name in names], theme, color)]
    return finish(layers, theme, title)
