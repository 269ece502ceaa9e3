"""The noise of minibatch gradients, drawn: the cloud of steps, the law of its size, and runs on two valleys."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.style import (
    DRAWN,
    FULL_BATCH,
    GRID,
    MUTED_TEXT,
    TEXT,
    Domain,
    Translate,
    batch_size_color,
    name_only_what_is_there,
)
from sgd_tf.noise_law import equal_noise_batch_size, variance_law
from sgd_tf.valleys import height as valley_height
from sgd_tf.valleys import stationary_points

TITLE_SIZE = 15  # px
W_LIMIT = 1.9  # of the weight on the two valleys, to both sides
ROW_GAP = 0.17  # between two rows of runs below them, in units of the loss
ARROWHEAD = "M0,-1L0.8,0.9L-0.8,0.9Z"  # points up, in a square of side 2
# Direction of an arrow on the screen, in degrees clockwise from upwards: a scale may be wider than it is high.
DIRECTION = (
    "90 + 180 / PI * atan2(scale('y', datum.b2) - scale('y', datum.b), scale('x', datum.w2) - scale('x', datum.w))"
)


def steps_spec(
    contours: pd.DataFrame,
    paths: pd.DataFrame,
    arrows: pd.DataFrame,
    *,
    batch_size: int,
    num_examples: int,
    w_domain: Domain,
    b_domain: Domain,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> dict[str, Any]:
    """Two parameters: contours of the loss, the paths of GD and SGD, and a point with the steps that lead from it.

    Args:
        contours: columns level, index, w, b, loss: points of each contour in order.
        paths: columns full_batch, update, w, b, loss: the weights before and after each update.
        arrows: columns kind ("minibatch", "mean" or "full"), w, b (from), w2, b2 (to), name.
        batch_size: k of the SGD path.
        num_examples: N.
        w_domain: ends of the horizontal axis.
        b_domain: ends of the vertical axis.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a Vega-Lite specification with the tables in ``datasets``; what lies outside the axes is clipped.
    """
    _ = translate
    words = (
        _("The way to the lowest loss"),
        _("Ring: where you stand, with the step of GD"),
        _("Weight w"),
        _("Bias b"),
        _("Loss"),
        _("Update"),
    )
    names = [f"GD (k = {num_examples:,})", f"k = {batch_size:,}"]
    values = _values(batch_size, num_examples, w_domain, b_domain, dark)
    if batch_size == num_examples:  # one path alone
        names[1] = names[0]
    spec = _filled(_steps(words, dark, height), values | {"@names": names[: len(values["@colors"])]})
    spec["datasets"] = {
        "contours": contours,
        "paths": paths.assign(run=np.where(paths["full_batch"], names[0], names[1])).round(5),
        "arrows": arrows.round(5),
    }
    return spec


def _values(batch_size: int, num_examples: int, w_domain: Domain, b_domain: Domain, dark: bool) -> dict[str, Any]:
    """What differs between two pictures of one kind, by the name that stands for it in the specification."""
    full, own = FULL_BATCH[dark], batch_size_color(batch_size, full_batch=batch_size == num_examples, dark=dark)
    return {
        "@full": full,
        "@own": own,
        "@colors": [full] if own == full else [full, own],
        "@w": list(w_domain),
        "@b": list(b_domain),
    }


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    """A copy of a specification with values for "@name", ["@name"] and {"expr": "@name"}.

    Altair takes a third of a second to write and check the specification of one of these charts, which are redrawn
    as a slider moves. So that is done once.

    >>> _filled({"color": "@own", "scale": {"domain": {"expr": "@w"}}}, {"@own": "red", "@w": [0, 1]})
    {'color': 'red', 'scale': {'domain': [0, 1]}}
    """
    if isinstance(node, dict):
        if str(node.get("expr")) in values:
            return values[node["expr"]]
        return {key: _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        if len(node) == 1 and str(node[0]) in values:
            return values[node[0]]
        return [_filled(value, values) for value in node]
    return values.get(node, node) if isinstance(node, str) else node


@lru_cache(maxsize=16)
def _steps(words: tuple[str, ...], dark: bool, height: int) -> dict[str, Any]:
    title, subtitle, w_title, b_title, loss_title, update_title = words
    x, y = _plane(w_title, b_title, alt.Axis(grid=False))
    color = alt.Color(
        "run:N",
        scale=alt.Scale(domain=["@names"], range=["@colors"]),
        legend=alt.Legend(orient="top", title=None, symbolType="stroke", symbolStrokeWidth=3, offset=2),
    )
    contours = (
        alt.Chart(alt.NamedData(name="contours"))
        .mark_line(clip=True, color=MUTED_TEXT[dark], opacity=0.45, strokeWidth=1, aria=False)
        .encode(
            x=x,
            y=y,
            detail="level:N",
            order="index:Q",
            tooltip=[alt.Tooltip("loss:Q", title=loss_title, format=".3f")],
        )
    )
    paths = alt.Chart(alt.NamedData(name="paths"))
    tooltip = [
        alt.Tooltip("run:N", title=" "),
        alt.Tooltip("update:Q", title=update_title),
        alt.Tooltip("w:Q", title=w_title, format=".3f"),
        alt.Tooltip("b:Q", title=b_title, format=".3f"),
        alt.Tooltip("loss:Q", title=loss_title, format=".4f"),
    ]
    lines = paths.mark_line(clip=True, opacity=0.75, aria=False).encode(
        x=x,
        y=y,
        color=color,
        order="update:Q",
        strokeWidth=alt.condition("datum.full_batch", alt.value(2.5), alt.value(1.5)),
    )
    dots = paths.mark_point(clip=True, filled=True, opacity=0.9, aria=False).encode(
        x=x,
        y=y,
        color=color,
        size=alt.condition("datum.full_batch", alt.value(28), alt.value(16)),
        tooltip=tooltip,
    )
    here = (
        alt.Chart(alt.NamedData(name="arrows"))
        .transform_filter("datum.kind == 'full'")
        .mark_point(clip=True, size=190, strokeWidth=3, opacity=1, color=DRAWN, aria=False)
        .encode(x=x, y=y)
    )
    layers = [contours, lines, dots, here]
    return _arrowed(layers, x, y, title, subtitle, dark=dark, height=height, thickness=3)


def _plane(w_title: str, b_title: str, axis: alt.Axis) -> tuple[alt.X, alt.Y]:
    """Both positions, whose axes are filled in later."""
    w_scale, b_scale = (alt.Scale(domain=alt.ExprRef(name), nice=False, zero=False) for name in ("@w", "@b"))
    return alt.X("w:Q", title=w_title, scale=w_scale, axis=axis), alt.Y("b:Q", title=b_title, scale=b_scale, axis=axis)


def arrows_spec(
    arrows: pd.DataFrame,
    *,
    layout: Literal["cloud", "end_to_end"],
    batch_size: int,
    num_examples: int,
    w_domain: Domain,
    b_domain: Domain,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> dict[str, Any]:
    """The steps of one epoch's minibatches: all from one point, or each shortened to its share and laid end to end.

    Args:
        arrows: columns kind ("minibatch", "mean" or "full"), w, b (from), w2, b2 (to), name.
        layout: which of the two the table holds.
        batch_size: k of the minibatches.
        num_examples: N.
        w_domain: ends of the horizontal axis.
        b_domain: ends of the vertical axis.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a Vega-Lite specification with the table in ``datasets``; what lies outside the axes is clipped.
    """
    _ = translate
    titles = {
        "cloud": (_("Each minibatch points elsewhere"), _("Thick: GD. Thin: minibatches. Dashed: their mean")),
        "end_to_end": (_("Laid end to end: one epoch"), _("Each shortened to its share k/N of the samples")),
    }
    words = (*titles[layout], _("Step in w"), _("Step in b"))
    spec = _filled(_arrows(words, dark, height), _values(batch_size, num_examples, w_domain, b_domain, dark))
    spec["datasets"] = {"arrows": arrows.round(7)}
    return spec


@lru_cache(maxsize=32)
def _arrows(words: tuple[str, ...], dark: bool, height: int) -> dict[str, Any]:
    title, subtitle, w_title, b_title = words
    x, y = _plane(w_title, b_title, alt.Axis(gridColor=GRID[dark], tickCount=5))
    return _arrowed([], x, y, title, subtitle, dark=dark, height=height)


def _arrowed(
    below: list[alt.Chart],
    x: alt.X,
    y: alt.Y,
    title: str,
    subtitle: str,
    *,
    dark: bool,
    height: int,
    thickness: int = 5,
) -> dict[str, Any]:
    """A chart with the arrows of the table "arrows" above its other layers, as a specification."""
    full_color, color = "@full", "@own"
    arrows = alt.Chart(alt.NamedData(name="arrows"))
    ends = {"x": x, "y": y, "x2": "w2:Q", "y2": "b2:Q"}
    tips = {"x": alt.X("w2:Q"), "y": alt.Y("b2:Q")}
    tooltip = [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("dw:Q", title=x["title"], format="+.4f"),
        alt.Tooltip("db:Q", title=y["title"], format="+.4f"),
    ]

    def only(kind: str) -> alt.Chart:
        return arrows.transform_filter(f"datum.kind == '{kind}'").transform_calculate(
            dw="datum.w2 - datum.w", db="datum.b2 - datum.b"
        )

    def head(kind: str, head_color: str, size: int) -> alt.Chart:
        return (
            only(kind)
            .mark_point(
                clip=True, filled=True, opacity=1, shape=ARROWHEAD, size=size, angle=alt.ExprRef(DIRECTION), aria=False
            )
            .encode(**tips, color=alt.value(head_color), tooltip=tooltip)
        )

    def shaft(kind: str, shaft_color: str, **mark: Any) -> alt.Chart:
        return only(kind).mark_rule(clip=True, aria=False, **mark).encode(**ends, color=alt.value(shaft_color))

    layers = [
        *below,
        shaft("minibatch", color, opacity=0.6, strokeWidth=1.3),
        head("minibatch", color, 32),
        shaft("full", full_color, strokeWidth=thickness),
        head("full", full_color, 34 * thickness),
        shaft("mean", color, strokeWidth=2, strokeDash=[4, 3]),
        head("mean", color, 50),
    ]
    chart = alt.LayerChart(layer=layers)
    return _finished(chart, _title(title, subtitle, dark), height).to_dict()


def noise_spec(
    measured: pd.DataFrame,
    *,
    s_squared: float,
    signal: float | None,
    num_examples: int,
    scale: tuple[float, float, float] | None = None,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> dict[str, Any]:
    """How far minibatch gradients lie from the full gradient against k: measured, and by the law.

    Args:
        measured: columns batch_size, mean, standard_error, law: E‖g_B − g‖² of each k that was measured.
        s_squared: S², sample variance of the per-sample gradients; 1 to have it as the unit.
        signal: ‖g‖²; None before anything is measured.
        num_examples: N.
        scale: noise scale B and the ends of its confidence interval, once they are known; nan for an unknown B.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a Vega-Lite specification, on logarithmic axes, with its tables in ``datasets``; what is measured at k = N,
        where the law is 0, stands at its lower edge.
    """
    _ = translate
    N = num_examples
    low, high = float(variance_law(s_squared, max(1.0, 0.98 * N), N)) / 2, 2.5 * max(s_squared, signal or 0.0)
    words = (
        _("Noise of a minibatch gradient against k"),
        _("Points: measured, ± 2 standard errors. Line: (S²/k)(1 − k/N)"),
        _("Batch size k"),
        _("Mean of ‖g_B − g‖²") if signal is not None else _("Mean of ‖g_B − g‖², in S²"),
        _("Measured"),
        _("Standard error"),
        _("Law"),
    )
    values = {
        "@k_domain": [0.8, 1.25 * N],
        "@k_ticks": [*(4**power for power in range(10) if 4**power < 0.6 * N), N],
        "@domain": [low, high],
        "@ticks": [
            float(f"1e{power}") for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        ],
    }
    k = np.unique(np.append(np.geomspace(1, N, 80), N * (1 - np.geomspace(0.02, 0.5, 40))))
    k = k[k <= 0.98 * N]
    error = 2 * measured["standard_error"]
    marks = []
    if scale is not None and not math.isnan(scale[0]):
        ends = (max(values["@k_domain"][0], equal_noise_batch_size(end, N)) for end in scale)
        marks = [(*ends, _("noise = gradient"))]
    level = [] if signal is None else [(0.9, signal, _("‖g‖², the gradient itself"))]
    spec = _filled(_noise(words, dark, height), values)
    spec["datasets"] = {
        "curve": pd.DataFrame({"batch_size": k, "value": variance_law(s_squared, k, N)}),
        "signal": pd.DataFrame(level, columns=["batch_size", "value", "text"]),
        "scale": pd.DataFrame(marks, columns=["batch_size", "left", "right", "text"]),
        "measured": measured.assign(
            at=measured["mean"].clip(low),
            above=(measured["mean"] + error).clip(low),
            below=(measured["mean"] - error).clip(low),
            color=_colors(measured["batch_size"], N, dark),
            label=[f"{size:,}" for size in measured["batch_size"]],
            full_batch=measured["batch_size"] == N,
        ),
    }
    return spec


@lru_cache(maxsize=16)
def _noise(words: tuple[str, ...], dark: bool, height: int) -> dict[str, Any]:
    title, subtitle, x_title, y_title, *columns = words
    x = alt.X(
        "batch_size:Q",
        title=x_title,
        scale=alt.Scale(type="log", domain=alt.ExprRef("@k_domain"), nice=False),
        axis=alt.Axis(grid=False, values=["@k_ticks"], format=",d"),
    )
    y = alt.Y(
        "value:Q",
        title=y_title,
        scale=alt.Scale(type="log", domain=alt.ExprRef("@domain"), nice=False),
        axis=alt.Axis(values=["@ticks"], format="~g", gridColor=GRID[dark]),
    )
    curve, level, mark, points = (
        alt.Chart(alt.NamedData(name=name)) for name in ("curve", "signal", "scale", "measured")
    )
    color = alt.Color("color:N", scale=None)
    muted: dict[str, Any] = {"color": MUTED_TEXT[dark], "aria": False}
    tooltip = [alt.Tooltip("label:N", title=x_title)]
    for name, column, digits in zip(("mean", "standard_error", "law"), columns, (".4g", ".2g", ".4g"), strict=True):
        tooltip.append(alt.Tooltip(f"{name}:Q", title=column, format=digits))
    layers = [
        curve.mark_line(clip=True, color=TEXT[dark], strokeWidth=2, tooltip=None, aria=False).encode(x=x, y=y),
        mark.mark_rect(opacity=0.22, **muted).encode(x=alt.X("left:Q"), x2="right:Q"),
        mark.mark_rule(strokeWidth=1.5, **muted).encode(x=x),
        mark.mark_text(align="left", dx=6, fontSize=12, **muted).encode(x=x, y=alt.value(10), text="text:N"),
        level.mark_rule(strokeDash=[5, 4], **muted).encode(y=y),
        level.mark_text(align="left", dy=-8, fontSize=12, **muted).encode(x=x, y=y, text="text:N"),
        points.mark_rule(clip=True, strokeWidth=2, aria=False).encode(
            x=x, y=alt.Y("below:Q"), y2="above:Q", color=color
        ),
        points.mark_point(filled=True, opacity=1, size=90, aria=False).encode(
            x=x,
            y=alt.Y("at:Q"),
            color=color,
            shape=alt.condition("datum.full_batch", alt.value("triangle-down"), alt.value("circle")),
            tooltip=tooltip,
        ),
        points.transform_filter("datum.full_batch")
        .mark_text(align="right", dx=-9, fontSize=12, text="k = N: 0", **muted)
        .encode(x=x, y=alt.Y("at:Q")),
    ]
    return _finished(alt.LayerChart(layer=layers), _title(title, subtitle, dark), height).to_dict()


def valleys_spec(
    ends: pd.DataFrame,
    *,
    batch_sizes: Sequence[int],
    num_examples: int,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> dict[str, Any]:
    """The curve with two valleys, and below it where runs of each batch size ended.

    Args:
        ends: columns batch_size and w, one row for each run that is shown.
        batch_sizes: all of the experiment, in order: each has a row of its own from the start.
        num_examples: N.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a Vega-Lite specification with its tables in ``datasets``; runs that lie outside the axis are left out.
    """
    _ = translate
    words = (
        _("Where the runs ended"),
        _("Above: the loss. Below: one dot for each run, a row for each k"),
        _("Weight w"),
    )
    deep, _ridge, shallow = stationary_points()
    rows = {k: -0.75 - ROW_GAP * index for index, k in enumerate(batch_sizes)}
    w = np.linspace(-W_LIMIT, W_LIMIT, 121)
    shown = ends[ends["w"].abs() < W_LIMIT]
    scatter = np.random.default_rng(0).uniform(-0.28, 0.28, len(shown))  # so that one dot does not hide another
    spec = copy.copy(_valleys(words, len(rows), dark, height))
    spec["datasets"] = {
        "curve": pd.DataFrame({"w": w, "y": valley_height(w)}),
        "bottoms": pd.DataFrame(
            {
                "w": [deep, shallow],
                "y": [valley_height(deep), valley_height(shallow)],
                "text": [_("deeper valley"), _("start: shallow valley")],
                "is_start": [False, True],
            }
        ),
        "names": pd.DataFrame(
            {
                "y": list(rows.values()),
                "text": ["GD" if k == num_examples else f"k = {k:,}" for k in rows],
                "color": _colors(rows, num_examples, dark),
            }
        ),
        "ends": shown.assign(
            y=shown["batch_size"].map(rows) + ROW_GAP * scatter, color=_colors(shown["batch_size"], num_examples, dark)
        ).round(4),
    }
    return spec


@lru_cache(maxsize=16)
def _valleys(words: tuple[str, ...], num_rows: int, dark: bool, height: int) -> dict[str, Any]:
    title, subtitle, w_title = words
    x = alt.X(
        "w:Q",
        title=w_title,
        scale=alt.Scale(domain=[-W_LIMIT - 0.7, W_LIMIT], nice=False),  # the names of the rows stand at the left
        axis=alt.Axis(grid=False, values=[-1.5, -1, -0.5, 0, 0.5, 1, 1.5]),
    )
    heights = alt.Scale(domain=[-0.75 - ROW_GAP * num_rows, 1.15], nice=False)
    y = alt.Y("y:Q", title=None, scale=heights, axis=None)
    color = alt.Color("color:N", scale=None)
    curve, bottoms, names, ends = (
        alt.Chart(alt.NamedData(name=name)) for name in ("curve", "bottoms", "names", "ends")
    )
    _deep, ridge, _shallow = stationary_points()
    layers = [
        curve.mark_rule(color=GRID[dark], strokeWidth=2, tooltip=None, aria=False).encode(x=alt.datum(ridge)),
        curve.mark_line(clip=True, color=TEXT[dark], strokeWidth=2.5, tooltip=None, aria=False).encode(
            x=x, y=y, order="w:Q"
        ),
        bottoms.mark_text(dy=16, color=MUTED_TEXT[dark], fontSize=12, aria=False).encode(x=x, y=y, text="text:N"),
        bottoms.transform_filter("datum.is_start")
        .mark_point(filled=True, size=120, opacity=1, color=FULL_BATCH[dark], tooltip=None, aria=False)
        .encode(x=x, y=y),
        ends.mark_point(filled=True, size=16, opacity=0.7, tooltip=None, aria=False).encode(x=x, y=y, color=color),
        names.mark_text(align="left", dx=2, fontSize=12, fontWeight="bold", aria=False).encode(
            x=alt.value(0), y=y, text="text:N", color=color
        ),
    ]
    return _finished(alt.LayerChart(layer=layers), _title(title, subtitle, dark), height).to_dict()


def escapes_spec(
    results: pd.DataFrame,
    *,
    batch_sizes: Sequence[int],
    num_examples: int,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> dict[str, Any]:
    """The share of runs that ended in the deeper valley for each batch size, with its interval; a × for what flew off.

    Args:
        results: columns batch_size, share, low, high, num_escaped, num_diverged, num_runs.
        batch_sizes: all of the experiment, in order.
        num_examples: N.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a Vega-Lite specification with fixed axes, and its table in ``datasets``.
    """
    _ = translate
    words = (
        _("Share of runs that ended in the deeper valley"),
        _("Bars: 95 % interval of the share. ×: share that flew off"),
        _("Batch size k"),
        _("Runs that ended deeper"),
        _("Runs"),
        _("Share"),
        _("95 % interval from"),
        _("to"),
        _("Runs that flew off"),
    )
    names = {k: "GD" if k == num_examples else f"{k:,}" for k in batch_sizes}
    spec = _filled(_escapes(words, dark, height), {"@names": list(names.values())})
    spec["datasets"] = {
        "results": results.assign(
            name=results["batch_size"].map(names),
            color=_colors(results["batch_size"], num_examples, dark),
            diverged_share=results["num_diverged"] / results["num_runs"],
        )
    }
    return spec


@lru_cache(maxsize=16)
def _escapes(words: tuple[str, ...], dark: bool, height: int) -> dict[str, Any]:
    title, subtitle, x_title, y_title, runs_title, share_title, low_title, high_title, diverged_title = words
    base = alt.Chart(alt.NamedData(name="results"))
    x = alt.X("name:O", title=x_title, scale=alt.Scale(domain=["@names"]), axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y(
        "share:Q",
        title=y_title,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", tickCount=5, gridColor=GRID[dark]),
    )
    color = alt.Color("color:N", scale=None)
    tooltip = [
        alt.Tooltip("name:N", title=x_title),
        alt.Tooltip("num_escaped:Q", title=y_title),
        alt.Tooltip("num_runs:Q", title=runs_title),
        alt.Tooltip("share:Q", title=share_title, format=".1%"),
        alt.Tooltip("low:Q", title=low_title, format=".1%"),
        alt.Tooltip("high:Q", title=high_title, format=".1%"),
        alt.Tooltip("num_diverged:Q", title=diverged_title),
    ]
    layers = [
        base.mark_rule(strokeWidth=2, aria=False).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color),
        base.mark_point(filled=True, size=90, opacity=1, aria=False).encode(x=x, y=y, color=color, tooltip=tooltip),
        base.mark_text(dy=-14, fontSize=12, color=MUTED_TEXT[dark], aria=False).encode(
            x=x, y=alt.Y("high:Q"), text=alt.Text("share:Q", format=".0%")
        ),
        base.transform_filter("datum.num_diverged > 0")
        .mark_point(shape="cross", angle=45, filled=True, size=80, opacity=1, color=MUTED_TEXT[dark], aria=False)
        .encode(x=x, y=alt.Y("diverged_share:Q"), tooltip=tooltip),
    ]
    return _finished(alt.LayerChart(layer=layers), _title(title, subtitle, dark), height).to_dict()


def _colors(batch_sizes: Iterable[int], num_examples: int, dark: bool) -> list[str]:
    return [batch_size_color(int(k), full_batch=k == num_examples, dark=dark) for k in batch_sizes]


def _title(text: str, subtitle: str, dark: bool) -> alt.TitleParams:
    return alt.TitleParams(
        text=text,
        subtitle=subtitle,
        fontSize=TITLE_SIZE,
        subtitleFontSize=12,
        subtitleColor=MUTED_TEXT[dark],
        subtitlePadding=4,
        anchor="start",
        offset=8,
    )


def _finished(chart: alt.LayerChart, title: alt.TitleParams, height: int) -> alt.LayerChart:
    """The chart with its title, fitted to the width of the page."""
    return name_only_what_is_there(chart).properties(
        title=title,
        height=height,
        width="container",
        autosize={"type": "fit", "contains": "padding"},
        padding={"left": 4, "top": 4, "right": 8, "bottom": 4},
    )
