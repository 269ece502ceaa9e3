"""Memory of an update, drawn: its parts against the batch size beside what was measured, and micro-batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.learning_curves import CROSS, spread_labels
from sgd_tf.charts.style import BACKGROUND, MUTED_TEXT, TEXT, Domain, Translate, finished

MEGABYTES = "datum.value < 1000 ? format(datum.value, ',~g') + ' MB' : format(datum.value / 1000, ',~g') + ' GB'"
LABEL_HEIGHT = 15  # px
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
    x_title: str,
    title: str,
    subtitle: str = "",
    x_domain: Domain,
    y_domain: Domain,
    dark: bool = False,
    translate: Translate = str,
    height: int = 380,
) -> alt.LayerChart:
    """Predicted bytes as lines, one for each part and a thick one for all; measured peaks as points; limits as rules.

    Both axes are logarithmic: what does not depend on k is level, and what is proportional to it rises by one.

    Args:
        predicted: columns part ("parameters", "gradients", "batch", "activations" or "total"), label, size, megabytes.
        measured: columns size, megabytes, fits, seconds (of an update), tried (whether it is the learner's own).
        limits: MB by label.
        x_title: what the sizes are.
        title: what the chart shows.
        subtitle: below the title.
        x_domain: ends of the horizontal axis.
        y_domain: ends of the vertical axis, in MB.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    >>> lines = pd.DataFrame({"part": ["total"] * 2, "label": ["all"] * 2, "size": [1, 2], "megabytes": [1.0, 2.0]})
    >>> points = pd.DataFrame({"size": [1], "megabytes": [1.1], "fits": [True], "seconds": [0.1], "tried": [False]})
    >>> chart = memory_growth(lines, points, limits={"limit": 4.0}, x_title="k", title="Memory", x_domain=(1, 2),
    ...                       y_domain=(0.5, 8))
    >>> len(chart.layer)
    7
    """
    _ = translate
    largest = predicted["size"].max()  # right of it the labels stand
    ticks = [size for size in (4**i for i in range(11)) if x_domain[0] <= size <= largest]
    x_scale = alt.Scale(type="log", base=2, domain=list(x_domain), nice=False)
    x = alt.X(
        "size:Q",
        scale=x_scale,
        axis=alt.Axis(title=x_title, values=ticks, format=",~f", grid=False, labelOverlap="greedy"),
    )
    y_scale = alt.Scale(type="log", domain=list(y_domain), nice=False)
    y_axis = alt.Axis(title=_("Memory"), values=_decades(y_domain), labelExpr=MEGABYTES)
    y = alt.Y("megabytes:Q", scale=y_scale, axis=y_axis)
    parts = list(dict.fromkeys(predicted["part"]))
    colors = PART_COLORS[dark] | {"total": TEXT[dark]}
    color = alt.Color("part:N", scale=alt.Scale(domain=parts, range=[colors[part] for part in parts]), legend=None)
    dash = alt.StrokeDash("part:N", scale=alt.Scale(domain=parts, range=[DASHES[part] for part in parts]), legend=None)
    tooltip = [
        alt.Tooltip("label:N", title=_("Predicted")),
        alt.Tooltip("size:Q", title=x_title, format=","),
        alt.Tooltip("megabytes:Q", title="MB", format=",.3~f"),
    ]
    lines = (
        alt.Chart(predicted)
        .mark_line(clip=True)
        .encode(
            x=x,
            y=y,
            color=color,
            strokeDash=dash,
            strokeWidth=alt.condition("datum.part == 'total'", alt.value(2.6), alt.value(1.6)),
            tooltip=tooltip,
        )
    )
    ends = _ends(predicted, y_domain, height)
    words = (
        alt.Chart(ends)
        .mark_text(align="left", dx=6, fontSize=12, tooltip=None)
        .encode(x=x, y=alt.Y("at:Q", scale=y_scale, axis=y_axis), text="label:N", color=color)
    )
    rules = pd.DataFrame({"label": list(limits), "megabytes": list(limits.values())}).astype({"megabytes": "float64"})
    rules = rules[rules["megabytes"].between(*y_domain)]
    rule = alt.Chart(rules).mark_rule(color=LIMIT_COLOR[dark], strokeWidth=1.6, strokeDash=[7, 3])
    limit = rule.encode(y=y, tooltip=["label:N", alt.Tooltip("megabytes:Q", title="MB", format=",.0f")])
    rule_words = (
        alt.Chart(rules)
        .mark_text(align="left", baseline="bottom", dx=4, dy=-3, fontSize=12, color=LIMIT_COLOR[dark], tooltip=None)
        .encode(x=alt.value(0), y=y, text="label:N")
    )
    points = measured.assign(
        state=np.where(measured["fits"].astype(bool), _("it fits"), _("ended at its limit")),
        time=[f"{value * 1e3:,.3g} ms" if value == value and value else "–" for value in measured["seconds"]],
    )
    shape = alt.Shape("fits:N", scale=alt.Scale(domain=[True, False], range=["circle", CROSS]), legend=None)
    point = alt.Chart(points).encode(
        x=x,
        y=y,
        shape=shape,
        tooltip=[
            alt.Tooltip("state:N", title=_("Measured")),
            alt.Tooltip("size:Q", title=x_title, format=","),
            alt.Tooltip("megabytes:Q", title="MB", format=",.3~f"),
            alt.Tooltip("time:N", title=_("Time per update")),
        ],
    )
    marks = point.mark_point(filled=True, size=85, opacity=1, color=TEXT[dark], stroke=BACKGROUND[dark], strokeWidth=1)
    ring = point.transform_filter("datum.tried").mark_point(
        filled=False, shape="circle", size=330, strokeWidth=2, color=LIMIT_COLOR[dark], opacity=1, aria=False
    )
    halo = words.mark_text(
        align="left", dx=6, fontSize=12, stroke=BACKGROUND[dark], strokeWidth=4, strokeJoin="round", tooltip=None
    ).encode(color=alt.value(BACKGROUND[dark]))
    layers: list[Any] = [lines, limit, rule_words, halo, words, marks, ring.encode(shape=alt.value("circle"))]
    return finished(alt.LayerChart(layer=layers), height=height, dark=dark, title=title, subtitle=subtitle)


def _ends(predicted: pd.DataFrame, y_domain: Domain, height: int) -> pd.DataFrame:
    """The last point of each line, with a place for its label that overlaps no other."""
    ends = predicted.sort_values("size").groupby("part", sort=False).tail(1)
    low, high = np.log(y_domain)
    length = PLOT_HEIGHT * height
    wanted = (np.log(ends["megabytes"].clip(*y_domain)) - low) / (high - low) * length
    placed = spread_labels(wanted.to_numpy(), heights=np.full(len(ends), float(LABEL_HEIGHT)), length=length)
    return ends.assign(at=np.exp(low + placed / length * (high - low)))


def _decades(domain: Domain) -> list[float]:
    """Powers of ten within the ends of an axis.

    >>> _decades((0.5, 200))
    [1.0, 10.0, 100.0]
    """
    return [10.0**i for i in range(-4, 7) if domain[0] <= 10.0**i <= domain[1]]


def time_by_size(
    measured: pd.DataFrame,
    *,
    title: str,
    x_title: str,
    x_domain: Domain,
    dark: bool = False,
    translate: Translate = str,
    height: int = 380,
) -> alt.LayerChart:
    """Time of an update against the size of its micro-batches, from 0.

    Args:
        measured: columns size, seconds.
        title: what the chart shows.
        x_title: what the sizes are.
        x_domain: ends of the horizontal axis, which is logarithmic.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    >>> table = pd.DataFrame({"size": [1, 2], "seconds": [0.2, 0.1]})
    >>> time_by_size(table, title="Time", x_title="m", x_domain=(1, 2)).to_dict()["title"]["text"]
    'Time'
    """
    _ = translate
    data = measured.assign(ms=measured["seconds"].astype("float64") * 1e3).dropna(subset="ms")
    ticks = [size for size in (4**i for i in range(11)) if x_domain[0] <= size <= x_domain[1]]
    x = alt.X(
        "size:Q",
        scale=alt.Scale(type="log", base=2, domain=list(x_domain), nice=False),
        axis=alt.Axis(title=x_title, values=ticks, format=",~f", grid=False, labelOverlap="greedy"),
    )
    y = alt.Y(
        "ms:Q",
        scale=alt.Scale(domainMin=0, nice=True),
        axis=alt.Axis(title=_("Milliseconds per update"), tickCount=5, format=",.3~f"),
    )
    base = alt.Chart(data).encode(x=x, y=y)
    tooltip = [
        alt.Tooltip("size:Q", title=x_title, format=","),
        alt.Tooltip("ms:Q", title=_("Milliseconds per update"), format=",.3~g"),
    ]
    marks = base.mark_point(filled=True, size=85, opacity=1, color=TEXT[dark]).encode(tooltip=tooltip)
    layers: list[Any] = [base.mark_line(color=MUTED_TEXT[dark], strokeWidth=1.5, tooltip=None), marks]
    return finished(alt.LayerChart(layer=layers), height=height, dark=dark, title=title)
