"""Who was drawn when and how often: the places of an epoch, the visits of each sample, how many had how many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.sampling import SAMPLING_COLORS, finished
from sgd_tf.charts.style import DRAWN, MUTED_TEXT, TEXT, Translate, embed_config
from sgd_tf.records import Sampling

AXIS_WIDTH = 30  # px, the same in charts that stand below each other
_SILENT = {"tooltip": None, "aria": False}  # of marks that say nothing


def positions_spec(
    table: pd.DataFrame,
    *,
    sampling: Sampling,
    num_examples: int,
    before: pd.DataFrame | None = None,
    buffer_size: int | None = None,
    dark: bool = False,
    translate: Translate = str,
    height: int = 210,
) -> dict[str, Any]:
    """Where in the epoch each sample was drawn: a cloud, a diagonal, or a band along it.

    The samples of the first minibatch are yellow. Rings are the epoch before: a dot in a ring is a sample that has
    kept its place. With a shuffle buffer no dot lies right of the line position = index − b + 1. From epoch to epoch
    the tables alone change.

    Args:
        table: columns of `ledger.positions`, of one epoch.
        sampling: how it was drawn; gives the colour.
        num_examples: N.
        before: the same of the epoch before.
        buffer_size: b, for the line; None for no line.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification, with the tables as DataFrames in ``datasets``.

    >>> table = pd.DataFrame({"sample": [1, 0], "position": [0, 1], "iteration": [1, 2]})
    >>> sorted(positions_spec(table, sampling="reshuffle", num_examples=2)["datasets"])
    ['before', 'line', 'now']
    """
    _ = translate
    words = (_("Index of the sample"), _("Position in the epoch"), _("Iteration"))
    b = num_examples if buffer_size is None else min(buffer_size, num_examples)
    ends = {"sample": [b - 1, num_examples - 1], "position": [0, num_examples - b]}
    line = pd.DataFrame(ends if b < num_examples else {"sample": [], "position": []})
    sample, position, iteration = words
    edge, ticks = [-0.5, num_examples - 0.5], _ticks(num_examples)
    place = {
        "x": _field("sample", edge, _axis(sample, values=ticks)),
        "y": _field("position", edge, _axis(position, upward=True, values=ticks)),
    }
    tooltip = [_words("sample", sample), _words("position", position), _words("iteration", iteration)]
    size = float(np.clip(2_400 / num_examples, 7, 60))  # area of a dot, in px²
    ring = {"stroke": MUTED_TEXT[dark], "strokeWidth": 1, "opacity": 0.75, "filled": False, "size": 2.6 * size + 14}
    dot = {"type": "circle", "opacity": 1}
    dash = {"color": TEXT[dark], "strokeDash": [5, 3], "strokeWidth": 1.5}
    first = "datum.iteration == 1"
    layers: list[dict[str, Any]] = [
        {"data": {"name": "before"}, "mark": {"type": "point", **ring, **_SILENT}, "encoding": place},
        {
            "data": {"name": "now"},
            "transform": [{"filter": f"!({first})"}],
            "mark": {**dot, "size": size, "color": SAMPLING_COLORS[dark][sampling]},
            "encoding": {**place, "tooltip": tooltip},
        },
        {
            "data": {"name": "now"},
            "transform": [{"filter": first}],
            "mark": {**dot, "size": 1.6 * size, "color": DRAWN, "stroke": TEXT[dark], "strokeWidth": 0.7},
            "encoding": {**place, "tooltip": tooltip},
        },
        {"data": {"name": "line"}, "mark": {"type": "line", **dash, **_SILENT}, "encoding": place},
    ]
    tables = {"now": table, "before": table[:0] if before is None else before, "line": line}
    return _chart(layers, tables, height=height, dark=dark)


def visits_spec(
    counts: Sequence[int] | np.ndarray,
    *,
    sampling: Sampling,
    max_visits: int,
    dark: bool = False,
    translate: Translate = str,
    height: int = 110,
) -> dict[str, Any]:
    """How often each sample was visited; a stripe marks one that never was.

    Args:
        counts: (N,) visits of each sample.
        sampling: how they were drawn; gives the colour.
        max_visits: end of the vertical axis.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification, with the table as a DataFrame in ``datasets``.

    >>> visits_spec([2, 0, 1], sampling="with_replacement", max_visits=2)["datasets"]["visits"]["visits"].tolist()
    [2, 0, 1]
    """
    _ = translate
    words = (_("Index of the sample"), _("Visits"))
    table = pd.DataFrame({"sample": np.arange(len(counts)), "visits": np.asarray(counts)})
    table["left"], table["right"] = table["sample"] - 0.5, table["sample"] + 0.5
    sample, visited = words
    step = max(1, round(max_visits / 3))
    scale = [0, max_visits]
    y_axis = _axis(visited, upward=True, values=list(range(0, max_visits + 1, step)), format="d")
    encoding = {
        "x": _field("left", [-0.5, len(table) - 0.5], _axis(sample, values=_ticks(len(table)))),
        "x2": {"field": "right"},
        "y2": {"datum": 0},
        "tooltip": [_words("sample", sample), _words("visits", visited)],
    }
    bar = {"type": "bar", "binSpacing": 0}
    layers: list[dict[str, Any]] = [
        {
            "mark": {**bar, "color": SAMPLING_COLORS[dark][sampling]},
            "encoding": {**encoding, "y": _field("visits", scale, y_axis)},
        },
        {
            "transform": [{"filter": "datum.visits == 0"}, {"calculate": str(max_visits), "as": "top"}],
            "mark": {**bar, "color": MUTED_TEXT[dark], "opacity": 0.28, "aria": False},
            "encoding": {**encoding, "y": _field("top", scale, y_axis)},
        },
    ]
    layers = [{"data": {"name": "visits"}, **layer} for layer in layers]
    return _chart(layers, {"visits": table}, height=height, dark=dark)


def visit_shares(
    table: pd.DataFrame, *, dark: bool = False, translate: Translate = str, height: int = 220
) -> alt.LayerChart:
    """Share of the samples that were visited 0, 1, 2, … times, measured (bars) and expected (strokes).

    Args:
        table: columns visits, measured, expected (shares in [0, 1]), of drawing with replacement.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    >>> table = pd.DataFrame({"visits": [0, 1], "measured": [0.4, 0.6], "expected": [0.37, 0.37]})
    >>> visit_shares(table).to_dict()["layer"][1]["mark"]["type"]
    'tick'
    """
    _ = translate
    top = max(0.5, float(table[["measured", "expected"]].to_numpy().max(initial=0)) * 1.1)
    tooltip = [
        alt.Tooltip("visits:O", title=_("Visits")),
        alt.Tooltip("measured:Q", title=_("Measured"), format=".2%"),
        alt.Tooltip("expected:Q", title=_("Expected"), format=".2%"),
    ]
    y_axis = _axis(_("Share of the samples"), grid=True, format=".0%", tickCount=5)
    base = alt.Chart(table).encode(x=alt.X("visits:O", axis=_axis(_("Visits"), labelAngle=0)), tooltip=tooltip)
    scale = alt.Scale(domain=[0, top], nice=False)
    bars = base.mark_bar(color=SAMPLING_COLORS[dark]["with_replacement"]).encode(
        y=alt.Y("measured:Q", scale=scale, axis=y_axis)
    )
    marks = base.mark_tick(color=TEXT[dark], thickness=3, width=alt.RelativeBandSize(0.9)).encode(
        y=alt.Y("expected:Q", scale=scale, axis=y_axis)
    )
    title = _("With replacement: visits, measured (bars) and expected (strokes)")
    return finished(alt.LayerChart(layer=[bars, marks]), height=height, dark=dark, title=title)


def _ticks(num_examples: int) -> list[int]:
    """Four or five round indices from 0 on.

    >>> _ticks(100)
    [0, 25, 50, 75]
    """
    steps = [unit * 10**power for power in range(6) for unit in (1, 2.5, 5)]
    step = next(int(step) for step in steps if step >= 1 and step == int(step) and step * 5 > num_examples)
    return list(range(0, num_examples, step))


def _axis(title: str, *, upward: bool = False, **options: Any) -> dict[str, Any]:
    if upward:  # charts below each other begin at the same place
        options |= {"minExtent": AXIS_WIDTH, "maxExtent": AXIS_WIDTH}
    style = {"titleFontSize": 12, "labelFontSize": 11, "titlePadding": 4, "labelOverlap": True}
    return {"title": title, "grid": upward, **style, **options}


def _field(name: str, domain: Sequence[float], axis: dict[str, Any]) -> dict[str, Any]:
    return {"field": name, "type": "quantitative", "scale": {"domain": list(domain), "nice": False}, "axis": axis}


def _words(name: str, title: str) -> dict[str, Any]:
    return {"field": name, "type": "quantitative", "title": title, "format": ",d"}


def _chart(layers: list[dict[str, Any]], tables: dict[str, pd.DataFrame], *, height: int, dark: bool) -> dict[str, Any]:
    """The specification. Altair would take 20 ms to write and check each of the ten that a page has."""
    return {
        "$schema": alt.SCHEMA_URL,
        "layer": layers,
        "datasets": tables,
        "width": "container",
        "height": height,
        "padding": {"left": 4, "top": 4, "right": 4, "bottom": 4},
        "autosize": {"type": "fit", "contains": "padding"},
        "usermeta": {"embedOptions": {"config": embed_config(dark=dark)}},
    }
