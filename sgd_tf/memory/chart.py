"""Memory of an update, drawn: its parts against the batch size beside what was measured, and micro-batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes, labels
from sgd_tf.charts.axes import Axis
from sgd_tf.charts.frame import Title, filled, finish, structure, table
from sgd_tf.charts.style import LIGHT, Domain, Theme

MEGABYTES = "datum.value < 1000 ? format(datum.value, ',~g') + ' MB' : format(datum.value / 1000, ',~g') + ' GB'"
PLOT_HEIGHT = 0.72  # of the chart's height
# Safe for colour-blind readers, each with a dash of its own; by `dark`.
PART_COLORS = {
    False: {"activations": "#1F5FBF", "batch": "#00706B", "gradients": "#A0308C", "parameters": "#8A5A00"},
    True: {"activations": "#7DB4FF", "batch": "#4FD1C5", "gradients": "#F08AD8", "parameters": "#E0B060"},
}
DASHES = {"activations": [6, 2], "batch": [2, 2], "gradients": [8, 3, 2, 3], "parameters": [3, 4], "total": [1, 0]}
LIMIT_COLOR = {False: "#B3261E", True: "#FF8A80"}


def memory_growth(
    predicted: pd.DataFrame,
    measured: pd.DataFrame,
    *,
    limits: Mapping[str, float],
    x: Axis,
    y_domain: Domain,
    title: Title,
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """Predicted bytes as lines, one for each part and a thick one for all; measured peaks as points; limits as rules.

    Both axes are logarithmic: what does not depend on k is level, and what is proportional to it rises by one.

    Args:
        predicted: columns part ("parameters", "gradients", "batch", "activations" or "total"), label, size, megabytes.
        measured: columns size, megabytes, fits, seconds (of an update), tried (whether it is the learner's own).
        limits: MB by label.
        x: the horizontal axis, of sizes.
        y_domain: ends of the vertical axis, in MB.
        title: of the chart, and the line below it.
        theme: of the page.

    >>> lines = pd.DataFrame({"part": ["total"] * 2, "label": ["all"] * 2, "size": [1, 2], "megabytes": [1.0, 2.0]})
    >>> points = pd.DataFrame({"size": [1], "megabytes": [1.1], "fits": [True], "seconds": [0.1], "tried": [False]})
    >>> chart = memory_growth(lines, points, limits={"limit": 4.0}, x=Axis("size", (1, 2), title="k"),
    ...                       y_domain=(0.5, 8), title="Memory")
    >>> len(chart.layer)
    7
    """
    _ = theme.translate
    y = Axis("megabytes", y_domain, log=True)
    rules = pd.DataFrame({"label": list(limits), "megabytes": list(limits.values())}).astype({"megabytes": "float64"})
    ends = predicted.sort_values("size").groupby("part", sort=False).tail(1).assign(y=lambda rows: rows["megabytes"])
    points = measured.assign(
        state=np.where(measured["fits"].astype(bool), _("it fits"), _("stopped at the limit")),
        time=[f"{value * 1e3:,.3g} ms" if value == value and value else "–" for value in measured["seconds"]],
    )
    largest = int(predicted["size"].max())  # right of it the labels stand
    return filled(
        _memory_growth(tuple(dict.fromkeys(predicted["part"])), largest, x, y, title, theme),
        predicted=predicted,
        ends=labels.at_ends(ends, y, np.ones(len(ends)), length=PLOT_HEIGHT * theme.height),
        limits=rules[rules["megabytes"].between(*y_domain)],
        measured=points,
    )


@structure
def _memory_growth(
    parts: tuple[str, ...], largest: int, x_axis: Axis, y_axis: Axis, title: Title, theme: Theme
) -> alt.LayerChart:
    _ = theme.translate
    x = _size_axis(x_axis, largest)
    memory_axis = alt.Axis(title=_("Memory"), values=axes.log_ticks(y_axis.ends), labelExpr=MEGABYTES)
    y, label_y = axes.fields(alt.Y, "megabytes", "label_y", scale=y_axis.scale(), axis=memory_axis)
    colors = theme.of(PART_COLORS) | {"total": theme.text}
    color = axes.look(alt.Color, "part", {part: colors[part] for part in parts})
    dash = axes.look(alt.StrokeDash, "part", {part: DASHES[part] for part in parts})
    size = alt.Tooltip("size:Q", title=x_axis.title, format=",")
    megabytes = alt.Tooltip("megabytes:Q", title="MB", format=",.3~f")
    red = theme.of(LIMIT_COLOR)

    # What the shapes of the layers predict, with the name of each part at its end.
    width = alt.condition("datum.part == 'total'", alt.value(2.6), alt.value(1.6))
    part = alt.Tooltip("label:N", title=_("Predicted"))
    lines = (
        table("predicted")
        .mark_line(clip=True)
        .encode(x=x, y=y, color=color, strokeDash=dash, strokeWidth=width, tooltip=[part, size, megabytes])
    )
    names = labels.words(table("ends").encode(x=x, y=label_y), theme, color, dx=6)
    # The limits.
    rule = table("limits").mark_rule(color=red, strokeWidth=1.6, strokeDash=[7, 3])
    limits = rule.encode(y=y, tooltip=["label:N", alt.Tooltip("megabytes:Q", title="MB", format=",.0f")])
    text: dict[str, Any] = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -3, "fontSize": 12, "color": red}
    limit_names = table("limits").mark_text(**text, tooltip=None).encode(x=alt.value(0), y=y, text="label:N")
    # What was measured: a point where it fits, a cross where it ended at its limit; a ring around the learner's own.
    shape = alt.Shape("fits:N", scale=alt.Scale(domain=[True, False], range=["circle", labels.CROSS]), legend=None)
    state, time = alt.Tooltip("state:N", title=_("Measured")), alt.Tooltip("time:N", title=_("Time per update"))
    point = table("measured").encode(x=x, y=y, shape=shape, tooltip=[state, size, megabytes, time])
    border: dict[str, Any] = {"stroke": theme.background, "strokeWidth": 1}
    marks = point.mark_point(filled=True, size=85, opacity=1, color=theme.text, **border)
    own = point.transform_filter("datum.tried").encode(shape=alt.value("circle"))
    ring = own.mark_point(filled=False, size=330, strokeWidth=2, color=red, opacity=1, aria=False)
    return finish([lines, limits, limit_names, *names, marks, ring], theme, title)


def _size_axis(axis: Axis, largest: float) -> alt.X:
    ticks = axes.powers_of_four(axis.ends[0], largest)
    style = alt.Axis(title=axis.title, values=ticks, format=",~f", grid=False, labelOverlap="greedy")
    return alt.X("size:Q", scale=axes.scale(axis.ends, log=True, base=2), axis=style)


def time_by_size(measured: pd.DataFrame, *, x: Axis, title: Title, theme: Theme = LIGHT) -> alt.LayerChart:
    """Time of an update against the size of its micro-batches, from 0.

    Args:
        measured: columns size, seconds.
        x: the horizontal axis, of sizes; it is logarithmic.
        title: of the chart, and the line below it.
        theme: of the page.

    >>> rows = pd.DataFrame({"size": [1, 2], "seconds": [0.2, 0.1]})
    >>> time_by_size(rows, x=Axis("size", (1, 2), title="m"), title="Time").to_dict()["title"]["text"]
    'Time'
    """
    times = measured.assign(ms=measured["seconds"].astype("float64") * 1e3).dropna(subset="ms")
    return filled(_time_by_size(x, title, theme), times=times)


@structure
def _time_by_size(x_axis: Axis, title: Title, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    axis = alt.Axis(title=_("Milliseconds per update"), tickCount=5, format=",.3~f")
    y = alt.Y("ms:Q", scale=alt.Scale(domainMin=0, nice=True), axis=axis)
    times = table("times").encode(x=_size_axis(x_axis, x_axis.ends[1]), y=y)
    tooltip = [
        alt.Tooltip("size:Q", title=x_axis.title, format=","),
        alt.Tooltip("ms:Q", title=_("Milliseconds per update"), format=",.3~g"),
    ]
    line = times.mark_line(color=theme.muted, strokeWidth=1.5, tooltip=None)
    marks = times.mark_point(filled=True, size=85, opacity=1, color=theme.text).encode(tooltip=tooltip)
    return finish([line, marks], theme, title)
