"""The small chart of a claim: the runs of an experiment as rows of dots, or as lines with a band over the seeds."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.style import MUTED_TEXT, TEXT, Translate, batch_size_color, embed_config
from sgd_tf.claims import Claim, Picture
from sgd_tf.over_seeds import band

# Of series that are no batch size, by `dark`; told apart by colour-blind readers, and by dash and shape besides.
TONES = {
    False: ("#1F5FBF", "#B3261E", "#00706B", "#A0308C"),
    True: ("#7DB4FF", "#FF8A80", "#4FD1C5", "#F08AD8"),
}
DASHES = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3])
SHAPES = ("circle", "square", "triangle-up", "diamond")
LABEL_SIZE = 11  # px


def claim_spec(
    claim: Claim,
    points: pd.DataFrame,
    *,
    dark: bool = False,
    translate: Translate = str,
    height: int = 190,
) -> dict[str, Any]:
    """What the experiment of a claim measured, drawn as its `Picture` says; a dashed line is the bound of a condition.

    Args:
        claim: of `claims.CLAIMS`.
        points: columns series, x, y, seed; a value that is not finite is that of a run that diverged.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification, with its data.

    >>> from sgd_tf.claims import CLAIMS
    >>> points = pd.DataFrame({"series": ["engine", "fit"], "x": [1e-7, 2e-7], "y": 0.0, "seed": 0})
    >>> claim_spec(CLAIMS["double_loop"], points)["title"]["text"]
    'Difference from the double loop'
    """
    picture = claim.picture
    known = points[points["series"].isin(list(picture.series))]
    if picture.log_x:
        known = known[~(known["x"] <= 0)]
    if picture.log_y:
        known = known[~(known["y"] <= 0)]
    titles = {name: translate(series.title) for name, series in picture.series.items()}
    colors = [_color(picture, place, dark) for place in range(len(titles))]
    names = list(titles.values())
    shown = known.assign(name=known["series"].map(titles))
    bounds = [measure for measure in claim.measures if measure.name == picture.bound]
    bound = None
    if bounds:
        bound = bounds[0].at_least if bounds[0].at_least is not None else bounds[0].at_most
    layers = _dots if picture.kind == "dots" else _lines
    return {
        "$schema": alt.SCHEMA_URL,
        "title": {"text": translate(picture.title), "fontSize": 13, "anchor": "start", "offset": 6},
        "layer": layers(picture, shown, names, colors, bound, dark, translate),
        "width": "container",
        "height": height,
        "padding": {"left": 4, "top": 4, "right": 8, "bottom": 4},
        "autosize": {"type": "fit", "contains": "padding"},
        "usermeta": {"embedOptions": {"config": embed_config(dark=dark)}},
    }


def _color(picture: Picture, place: int, dark: bool) -> str:
    series = list(picture.series.values())[place]
    if series.batch_size is None:
        return TONES[dark][place % len(TONES[dark])]
    if series.batch_size == "all":
        return batch_size_color(1, full_batch=True, dark=dark)
    return batch_size_color(series.batch_size, dark=dark)


def _dots(
    picture: Picture,
    shown: pd.DataFrame,
    names: list[str],
    colors: list[str],
    bound: float | None,
    dark: bool,
    translate: Translate,
) -> list[dict[str, Any]]:
    """A row for each series, a dot for each run, a stroke for their median where all have a value."""
    _ = translate
    is_lost = ~np.isfinite(shown["x"])
    incomplete = shown["name"][is_lost].unique()
    shown = shown[~is_lost]
    scale: dict[str, Any] = {"type": "log" if picture.log_x else "linear", "nice": False, "zero": False, "padding": 14}
    seen = pd.concat([shown["x"], pd.Series([] if bound is None else [bound], dtype="float64")])
    row = {
        "field": "name",
        "type": "nominal",
        "sort": names,
        "scale": {"domain": names},
        "axis": {"title": None, "labelFontSize": LABEL_SIZE, "labelLimit": 150, "grid": True},
    }
    color = {"field": "name", "type": "nominal", "scale": {"domain": names, "range": colors}, "legend": None}
    value = {"field": "x", "type": "quantitative", "scale": scale, "axis": _axis(picture, "x", _(picture.x), seen)}
    tooltip = [
        {"field": "name", "type": "nominal", "title": _("Series")},
        {"field": "x", "type": "quantitative", "title": _(picture.x), "format": _format(picture)},
        {"field": "seed", "type": "quantitative", "title": _("Seed"), "format": "d"},
    ]
    layers: list[dict[str, Any]] = []
    if bound is not None:
        rule = {"type": "rule", "strokeDash": [5, 3], "color": MUTED_TEXT[dark], "strokeWidth": 1.5, "tooltip": None}
        layers.append({"data": {"values": [{"x": bound}]}, "mark": rule, "encoding": {"x": value}})
    complete = shown[~shown["name"].isin(incomplete)]
    medians = complete.groupby("name", sort=False)["x"].median().reset_index() if len(complete) else complete
    stroke = {"type": "tick", "thickness": 2.5, "size": 18, "color": TEXT[dark], "tooltip": None, "aria": False}
    dot = {"type": "point", "filled": True, "size": 55, "opacity": 0.85}
    layers += [
        {"data": _values(medians), "mark": stroke, "encoding": {"x": value, "y": row}},
        {
            "data": _values(shown[["name", "x", "seed"]]),
            "mark": dot,
            "encoding": {"x": value, "y": row, "color": color, "tooltip": tooltip},
        },
    ]
    return layers


def _lines(
    picture: Picture,
    shown: pd.DataFrame,
    names: list[str],
    colors: list[str],
    bound: float | None,
    dark: bool,
    translate: Translate,
) -> list[dict[str, Any]]:
    """A line through the medians of the seeds for each series, with their band; a × above where a run diverged."""
    _ = translate
    shown = shown[np.isfinite(shown["x"])]
    values = shown["y"][np.isfinite(shown["y"])]
    table = band(shown, ["name", "x"], "y").sort_values(["name", "x"])
    lost = table[table["num_diverged"] > 0][["name", "x", "num_diverged", "num_seeds"]]
    table = table[np.isfinite(table["median"])]
    table = table.assign(high=table["high"].clip(upper=values.max()))
    color_scale = {"domain": names, "range": colors}
    one = len(names) == 1
    legend = (
        None
        if one
        else {
            "title": None,
            "orient": "bottom",
            "columns": 2,
            "labelFontSize": LABEL_SIZE,
            "labelLimit": 150,
            "labelColor": TEXT[dark],
            "symbolOpacity": 1,
            "symbolSize": 60,
            "symbolStrokeWidth": 2,
            "offset": 4,
            "rowPadding": 1,
        }
    )

    def series(values: list[Any]) -> dict[str, Any]:
        return {
            "field": "name",
            "type": "nominal",
            "scale": {"domain": names, "range": values},
            "sort": names,
            "legend": legend,
        }

    color = {"field": "name", "type": "nominal", "scale": color_scale, "sort": names, "legend": legend}
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log" if picture.log_x else "linear", "nice": False, "zero": False, "padding": 6},
        "axis": _axis(picture, "x", _(picture.x), shown["x"]),
    }
    y_scale = {"type": "log" if picture.log_y else "linear", "nice": not picture.log_y, "zero": False, "padding": 8}
    y_axis = _axis(picture, "y", _(picture.y), values)
    y = {"field": "median", "type": "quantitative", "scale": y_scale, "axis": y_axis}
    tooltip = [
        {"field": "name", "type": "nominal", "title": _("Series")},
        {"field": "x", "type": "quantitative", "title": _(picture.x), "format": ",.4~g"},
        {"field": "median", "type": "quantitative", "title": _("Median"), "format": _format(picture)},
        {"field": "low", "type": "quantitative", "title": _("Lowest"), "format": _format(picture)},
        {"field": "high", "type": "quantitative", "title": _("Highest"), "format": _format(picture)},
    ]
    layers: list[dict[str, Any]] = []
    if bound is not None:
        layers.append(
            {
                "data": {"values": [{"median": bound}]},
                "mark": {"type": "rule", "strokeDash": [5, 3], "strokeWidth": 1.5, "tooltip": None},
                "encoding": {"y": y},
            }
        )
    area = {"type": "area", "opacity": 0.18, "tooltip": None, "aria": False}
    line = {"type": "line", "strokeWidth": 2, "tooltip": None, "aria": False}
    num_per_line = table.groupby("name").size().max() if len(table) else 0
    dot = {"type": "point", "filled": True, "size": 45 if num_per_line <= 8 else 14, "opacity": 1}
    layers += [
        {
            "mark": area,
            "encoding": {
                "x": x,
                "y": {**y, "field": "low"},
                "y2": {"field": "high"},
                "color": color,
            },
        },
        {"mark": line, "encoding": {"x": x, "y": y, "color": color, "strokeDash": series([*DASHES[: len(names)]])}},
        {
            "mark": dot,
            "encoding": {"x": x, "y": y, "color": color, "shape": series([*SHAPES[: len(names)]]), "tooltip": tooltip},
        },
    ]
    cross = {"type": "point", "shape": "cross", "angle": 45, "filled": True, "size": 60, "opacity": 1}
    counts = [
        {"field": "num_diverged", "type": "quantitative", "title": _("Diverged"), "format": "d"},
        {"field": "num_seeds", "type": "quantitative", "title": _("Seeds"), "format": "d"},
    ]
    crosses = {"x": x, "y": {"value": 6}, "color": color, "tooltip": [*tooltip[:2], *counts]}
    return [
        *({"data": _values(table), **layer} for layer in layers),
        *([{"data": _values(lost), "mark": cross, "encoding": crosses}] if len(lost) else []),  # never an empty picture
    ]


def _values(table: pd.DataFrame) -> dict[str, Any]:
    return {"values": table.to_dict("records")}


def _axis(picture: Picture, channel: str, title: str, values: pd.Series) -> dict[str, Any]:
    style: dict[str, Any] = {"titleFontSize": 12, "labelFontSize": LABEL_SIZE, "titlePadding": 4, "labelOverlap": True}
    axis = {"title": title, "grid": channel == "y", "tickCount": 4, **style}
    is_log = picture.log_x if channel == "x" else picture.log_y
    if is_log and len(values):
        axis["values"] = log_ticks(float(values.min()), float(values.max()))
    if picture.percent and (channel == "x") == (picture.kind == "dots"):
        return axis | {"format": ".0%"}
    tiny = "datum.value != 0 && abs(datum.value) < 0.001"
    return axis | {"labelExpr": f"{tiny} ? format(datum.value, '.0e') : format(datum.value, ',.3~r')"}


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


def _format(picture: Picture) -> str:
    """How exact values are written."""
    return ".2%" if picture.percent else ".3~g"
