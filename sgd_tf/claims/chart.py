"""The small chart of a claim: the runs of an experiment as rows of dots, or as lines with a band over the seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes
from sgd_tf.charts.axes import Axis
from sgd_tf.charts.frame import filled, finish, structure, table
from sgd_tf.charts.style import LIGHT, Theme
from sgd_tf.claims.claim import Claim, Picture
from sgd_tf.training.over_seeds import band

# Of series that are no batch size, by `dark`; distinct for colour-blind readers, and by dash and shape besides.
TONES = {
    False: ("#1F5FBF", "#B3261E", "#00706B", "#A0308C"),
    True: ("#7DB4FF", "#FF8A80", "#4FD1C5", "#F08AD8"),
}
DASHES = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3])
SHAPES = ("circle", "square", "triangle-up", "diamond")
LABEL_SIZE = 11  # px
TITLE_SIZE = 13  # px

Looks = tuple[tuple[str, str], ...]  # name and colour of each series
Ticked = tuple[Axis, tuple[float, ...]]  # an axis, and its ticks


def claim_chart(claim: Claim, points: pd.DataFrame, *, theme: Theme = LIGHT) -> alt.LayerChart:
    """What the experiment of a claim measured, drawn as its `Picture` says; a dashed line is the bound of a condition.

    Args:
        claim: of `catalogue.CLAIMS`.
        points: columns series, x, y, seed; a value that is not finite is that of a run that diverged.
        theme: of the page.

    >>> from sgd_tf.claims.catalogue import CLAIMS
    >>> points = pd.DataFrame({"series": ["engine", "fit"], "x": [1e-7, 2e-7], "y": 0.0, "seed": 0})
    >>> claim_chart(CLAIMS["double_loop"], points).to_dict()["title"]["text"]
    'Difference from the double loop'
    """
    picture = claim.picture
    known = points[points["series"].isin(list(picture.series))]
    if picture.log_x:
        known = known[~(known["x"] <= 0)]
    if picture.log_y:
        known = known[~(known["y"] <= 0)]
    titles = {name: theme.translate(series.title) for name, series in picture.series.items()}
    shown = known.assign(name=known["series"].map(titles))
    bounds = [
        measure.at_most if measure.at_least is None else measure.at_least
        for measure in claim.measures
        if measure.name == picture.bound
    ]
    draw = _dots if picture.kind == "dots" else _lines
    return draw(picture, shown, bounds[:1], theme)


def _dots(picture: Picture, shown: pd.DataFrame, bounds: list[Any], theme: Theme) -> alt.LayerChart:
    """A row for each series, a dot for each run, a stroke for their median where all have a value."""
    is_lost = ~np.isfinite(shown["x"])
    incomplete = shown["name"][is_lost].unique()
    shown = shown[~is_lost]
    x = _ticked(picture, "x", pd.concat([shown["x"], pd.Series(bounds, dtype="float64")]), theme)
    complete = shown[~shown["name"].isin(incomplete)]
    return filled(
        _dot_chart(theme.translate(picture.title), _looks(picture, theme), x, theme),
        bound=pd.DataFrame({"x": bounds}, dtype="float64"),
        medians=complete.groupby("name", sort=False)["x"].median().reset_index(),
        runs=shown[["name", "x", "seed"]],
    )


@structure
def _dot_chart(title: str, looks: Looks, x_axis: Ticked, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    names = [name for name, _color in looks]
    x = alt.X("x:Q", scale=_scale(x_axis, padding=14), axis=_axis(x_axis, grid=False))
    row_axis = alt.Axis(title=None, labelFontSize=LABEL_SIZE, labelLimit=150, grid=True)
    y = alt.Y("name:N", sort=names, scale=alt.Scale(domain=names), axis=row_axis)
    tooltip = [
        alt.Tooltip("name:N", title=_("Series")),
        alt.Tooltip("x:Q", title=x_axis[0].title, format=_number(x_axis)),
        alt.Tooltip("seed:Q", title=_("Seed"), format="d"),
    ]

    # The bound of a condition.
    rule = table("bound").mark_rule(strokeDash=[5, 3], color=theme.muted, strokeWidth=1.5, tooltip=None)
    # The median of each series.
    stroke = table("medians").mark_tick(thickness=2.5, size=18, color=theme.text, tooltip=None, aria=False)
    # A dot for each run.
    dot = table("runs").mark_point(filled=True, size=55, opacity=0.85)
    dots = dot.encode(x=x, y=y, color=axes.look(alt.Color, "name", dict(looks)), tooltip=tooltip)
    return finish([rule.encode(x=x), stroke.encode(x=x, y=y), dots], theme, title, title_size=TITLE_SIZE)


def _lines(picture: Picture, shown: pd.DataFrame, bounds: list[Any], theme: Theme) -> alt.LayerChart:
    """A line through the medians of the seeds for each series, with their band; a × above where a run diverged."""
    shown = shown[np.isfinite(shown["x"])]
    values = shown["y"][np.isfinite(shown["y"])]
    bands = band(shown, ["name", "x"], "y").sort_values(["name", "x"])
    lost = bands[bands["num_diverged"] > 0][["name", "x", "num_diverged", "num_seeds"]]
    bands = bands[np.isfinite(bands["median"])]
    num_per_line = bands.groupby("name").size().max() if len(bands) else 0
    x, y = _ticked(picture, "x", shown["x"], theme), _ticked(picture, "y", values, theme)
    size = 45 if num_per_line <= 8 else 14
    return filled(
        _line_chart(theme.translate(picture.title), _looks(picture, theme), x, y, size, theme),
        bound=pd.DataFrame({"median": bounds}, dtype="float64"),
        bands=bands.assign(high=bands["high"].clip(upper=values.max())),
        lost=lost,
    )


@structure
def _line_chart(
    title: str, looks: Looks, x_axis: Ticked, y_axis: Ticked, dot_size: int, theme: Theme
) -> alt.LayerChart:
    _ = theme.translate
    x = alt.X("x:Q", scale=_scale(x_axis, padding=6), axis=_axis(x_axis, grid=False))
    y_scale = _scale(y_axis, padding=8, nice=not y_axis[0].log)
    median, low = axes.fields(alt.Y, "median", "low", scale=y_scale, axis=_axis(y_axis, grid=True))
    color = _by_series(alt.Color, looks, [color for _name, color in looks], theme)
    number = _number(y_axis)
    place = [
        alt.Tooltip("name:N", title=_("Series")),
        alt.Tooltip("x:Q", title=x_axis[0].title, format=",.4~g"),
    ]
    value = [
        alt.Tooltip("median:Q", title=_("Median"), format=number),
        alt.Tooltip("low:Q", title=_("Lowest"), format=number),
        alt.Tooltip("high:Q", title=_("Highest"), format=number),
    ]
    counts = [
        alt.Tooltip("num_diverged:Q", title=_("Diverged"), format="d"),
        alt.Tooltip("num_seeds:Q", title=_("Seeds"), format="d"),
    ]
    bands = table("bands").encode(x=x, color=color)

    # The bound of a condition.
    rule = table("bound").mark_rule(strokeDash=[5, 3], strokeWidth=1.5, tooltip=None).encode(y=median)
    # From the lowest to the highest seed, their median as a line, and as a mark for each x.
    area = bands.mark_area(opacity=0.18, tooltip=None, aria=False).encode(y=low, y2="high:Q")
    dash = _by_series(alt.StrokeDash, looks, DASHES, theme)
    lines = bands.mark_line(strokeWidth=2, tooltip=None, aria=False).encode(y=median, strokeDash=dash)
    shape = _by_series(alt.Shape, looks, SHAPES, theme)
    dot = bands.mark_point(filled=True, size=dot_size, opacity=1)
    dots = dot.encode(y=median, shape=shape, tooltip=[*place, *value])
    # A cross at the top where a run diverged.
    cross = table("lost").mark_point(shape="cross", angle=45, filled=True, size=60, opacity=1)
    crosses = cross.encode(x=x, y=alt.value(6), color=color, tooltip=[*place, *counts])
    return finish([rule, area, lines, dots, crosses], theme, title, title_size=TITLE_SIZE)


def _looks(picture: Picture, theme: Theme) -> Looks:
    """The name and the colour of each series: that of its batch size if it has one."""
    tones, looks = theme.of(TONES), []
    for place, series in enumerate(picture.series.values()):
        k = series.batch_size
        color = tones[place % len(tones)] if k is None else theme.color_of(1, 1) if k == "all" else theme.color_of(k)
        looks.append((theme.translate(series.title), color))
    return tuple(looks)


def _by_series(channel: type[Any], looks: Looks, values: Sequence[Any], theme: Theme) -> Any:
    """What each series looks like; several have a legend."""
    names = [name for name, _color in looks]
    legend = alt.Legend(
        title=None,
        orient="bottom",
        columns=2,
        labelFontSize=LABEL_SIZE,
        labelLimit=150,
        labelColor=theme.text,
        symbolOpacity=1,
        symbolSize=60,
        symbolStrokeWidth=2,
        offset=4,
        rowPadding=1,
    )
    scale = alt.Scale(domain=names, range=list(values[: len(names)]))
    return channel("name:N", scale=scale, sort=names, legend=legend if len(names) > 1 else None)


def _ticked(picture: Picture, channel: str, values: pd.Series, theme: Theme) -> Ticked:
    """An axis of a picture, and on a logarithmic one the ticks for these values."""
    is_log = picture.log_x if channel == "x" else picture.log_y
    percent = picture.percent and (channel == "x") == (picture.kind == "dots")
    title = theme.translate(picture.x if channel == "x" else picture.y)
    ticks = log_ticks(float(values.min()), float(values.max())) if is_log and len(values) else []
    return Axis(channel, log=is_log, title=title, percent=percent), tuple(ticks)


def _scale(axis: Ticked, *, padding: int, nice: bool = False) -> alt.Scale:
    """A scale from the lowest to the highest value."""
    return alt.Scale(type="log" if axis[0].log else "linear", nice=nice, zero=False, padding=padding)


def _axis(axis: Ticked, *, grid: bool) -> alt.Axis:
    tiny = "datum.value != 0 && abs(datum.value) < 0.001"
    text = f"{tiny} ? format(datum.value, '.0e') : format(datum.value, ',.3~r')"
    numbers: dict[str, Any] = {"format": ".0%"} if axis[0].percent else {"labelExpr": text}
    if axis[1]:
        numbers["values"] = axis[1]
    return axes.small(axis[0].title, grid=grid, tickCount=4, **numbers)


def log_ticks(low: float, high: float) -> list[float]:
    """Some five round numbers on a logarithmic axis.

    Args:
        low: the smallest value that is shown, greater than 0.
        high: the largest one.

    >>> log_ticks(0.01, 3.0), log_ticks(1e-9, 1e-1), log_ticks(30, 50)
    ([0.01, 0.1, 1.0], [1e-09, 1e-07, 1e-05, 0.001, 0.1], [30.0, 50.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    step = math.ceil((last - first) / 5) if last - first > 2 else 1
    mantissas = [1] if last - first > 2 else [1, 3] if high > 10 * low else [1, 2, 3, 5]
    ticks = [float(f"{mantissa}e{exponent}") for exponent in range(first, last + 1, step) for mantissa in mantissas]
    return [tick for tick in ticks if 0.7 * low <= tick <= 1.4 * high]


def _number(axis: Ticked) -> str:
    """How exact values are written."""
    return ".2%" if axis[0].percent else ".3~g"
